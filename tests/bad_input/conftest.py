"""Shares the projects of the reconcile tests, and one way to ask what a refused command said."""

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "reconcile"))

from project_fixtures import project_from, released, small, templates

__all__ = ["project_from", "released", "small", "templates"]


@pytest.fixture
def refused():
    """`refused(done, 1, "words")`: that exit code, those words on standard error, and never a traceback."""

    def check(done, code, *words):
        said = " ".join((done.stderr + " " + done.stdout).split())
        assert "Traceback" not in done.stderr  # what a model's own code raised is shown on standard output
        assert "bug in Stellwerk" not in said
        assert done.returncode == code, said
        for text in words:
            assert text in said, said
        return said

    return check


@pytest.fixture
def as_root():
    """Skips where this is not root, who alone may mount."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("only root may mount a file system here")
