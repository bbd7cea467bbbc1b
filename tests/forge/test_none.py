"""No forge, and which one is opened."""

from __future__ import annotations

import subprocess
import sys

from stellwerk.adapters.forge import open_forge
from stellwerk.adapters.forge.github import GitHub
from stellwerk.adapters.forge.none import NoForge
from stellwerk.model.ports import Thing

PRINTED = Thing(number=None, url="no forge is declared", change="skipped", note="printed")


def test_what_would_have_been_asked_for_is_printed():
    said: list[str] = []
    forge = open_forge({}, said.append)
    done = [
        forge.pull_request(branch="b", base="main", title="Promote", body="AUC", merge=True, labels=("l",)),
        forge.comment(number=7, marker="report", body="red"),
        forge.issue(marker="drift", title="Drift", body="one file", assignees=("ada", "grace")),
    ]
    assert done == [PRINTED] * 3
    assert said == [
        "pull request from b into main, merged once its checks are green: Promote [l]\nAUC\n",
        "comment report on #7\nred\n",
        "issue drift for ada, grace: Drift\none file\n",
    ]


def test_nothing_is_found_again_and_nothing_is_said_of_it():
    said: list[str] = []
    forge = NoForge(said.append)
    assert (forge.issues(), forge.close_issue(marker="drift", comment="over"), said) == ((), None, [])


def test_the_client_library_is_loaded_for_github_only():
    asked = "import sys; from stellwerk.adapters.forge import open_forge; open_forge({}, print)"
    loaded = f"{asked}; sys.exit(bool({{'github', 'requests'}} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", loaded], check=False).returncode == 0


def test_github_is_opened_inside_of_github_actions_only():
    environ = {"GITHUB_REPOSITORY": "a/b", "GITHUB_TOKEN": "t"}
    assert isinstance(open_forge(environ, print), NoForge)
    assert isinstance(open_forge({**environ, "GITHUB_ACTIONS": "true"}, print), GitHub)
    assert isinstance(open_forge({**environ, "GITHUB_ACTIONS": "true"}, print, "none"), NoForge)
    assert isinstance(open_forge({**environ, "GITHUB_API_URL": "https://ghe.example/api/v3"}, print, "github"), GitHub)
