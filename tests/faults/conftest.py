"""Lets the tests of this folder import what they share, and gives them projects that are quick to reconcile."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "crash"))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "reconcile"))
sys.path.insert(0, str(Path(__file__).resolve().parent))

import quick_project
from project_fixtures import project_from, templates

__all__ = ["project_from", "templates"]


@pytest.fixture
def stand_ins(monkeypatch):
    """Trainings and measurements in this process take no time."""
    quick_project.put_in_for(monkeypatch)


@pytest.fixture
def running(stand_ins, project_from):
    """The models a and b, each with a version that runs in production on a local target."""
    two = {name: quick_project.training(bias) for name, bias in (("a", 1.0), ("b", 2.0))}
    return project_from("two-models", lambda project: quick_project.make(project, two))


@pytest.fixture
def fresh(stand_ins, project_from):
    """One dataset and one model without environments, declared, committed, never reconciled."""
    one = quick_project.files({"a": quick_project.training(1.0)}, production=None)
    return project_from("fresh", lambda project: quick_project.build(project, one))


@pytest.fixture
def refused():
    """`refused(done, 1, "words")`: that exit code, those words, and never a traceback."""

    def check(done, code, *words):
        said = " ".join((done.stderr + " " + done.stdout).split())
        assert "Traceback" not in said
        assert "bug in Stellwerk" not in said
        short = said if len(said) < 4000 else f"{said[:2000]} ... {said[-2000:]}"
        assert done.returncode == code, short
        for text in words:
            assert text in said, short
        return said

    return check
