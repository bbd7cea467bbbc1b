"""The adapters on a real repository."""

import os

import pytest

from stellwerk.adapters.git.read import GitReader, open_reader
from stellwerk.adapters.git.write import GitWriter
from stellwerk.model.ports import Actor

ROBOT = Actor(name="Robot", email="robot@example.com")


@pytest.fixture
def reader():
    """`reader(repo)`: what reads it."""

    def make(repo) -> GitReader:
        return open_reader(repo.root, os.environ)

    return make


@pytest.fixture
def writer(reader):
    """`writer(repo)`: what commits on its `main`."""

    def make(repo, ref: str = "refs/heads/main") -> GitWriter:
        return GitWriter(reader(repo), ref, ROBOT)

    return make
