from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from github_server import REPOSITORY, GitHubServer, served
from published import problems
from still_clock import Clock

from stellwerk.adapters.forge import open_forge
from stellwerk.adapters.forge.patience import Patience


def pytest_collection_modifyitems(items):
    """All in one process: GitHub's descriptions are big."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.xdist_group("forge"))


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def server():
    """Everything that a test exchanges with it is held to GitHub's published descriptions, where they are installed."""
    github = GitHubServer()
    with served(github):
        yield github
    assert [f"{exchanged}: {problem}" for exchanged in github.exchanged for problem in problems(exchanged)] == []


@pytest.fixture
def new_forge(server, clock):
    """A client as a run of its own has it: nothing remembered, the patience of a whole run."""

    def make(**environ):
        given = {
            "GITHUB_ACTIONS": "true",
            "GITHUB_REPOSITORY": REPOSITORY,
            "GITHUB_TOKEN": server.token,
            "GITHUB_API_URL": server.address,
        }
        patience = Patience(sleep=clock.sleep, now=clock.now, jitter=random.Random(0))
        return open_forge({**given, **environ}, print, patience=patience)

    return make


@pytest.fixture
def forge(new_forge):
    return new_forge()
