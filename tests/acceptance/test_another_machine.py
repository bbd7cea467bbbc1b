"""A fresh clone in a new home, without any cache: git and the bucket are all there is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from audit import FETCH, SERVE, folder_digest

pytestmark = pytest.mark.slow


LONG = os.environ.get("STELLWERK_STORIES") == "all"
SHORT = pytest.mark.skipif(not LONG, reason="STELLWERK_STORIES=all asks this of the story of bikes, too")


@pytest.fixture(scope="module", params=[pytest.param("bike", marks=SHORT), "credit"])
def met(request):
    """The story, and a clone of it on another machine."""
    story = request.getfixturevalue(request.param)
    return story, story.another_machine(f"elsewhere-{request.param}")


def test_it_reports_the_same_status_log_and_reasons(met):
    story, elsewhere = met
    for words in (
        ("status",),
        ("status", "--format", "json"),
        ("log", story.model),
        ("why", story.model),
        ("plan", "--format", "json"),
    ):
        assert elsewhere.stellwerk(*words).out == story.ada.stellwerk(*words).out


def test_its_plan_is_empty_and_a_reconcile_there_changes_nothing(met):
    story, elsewhere = met
    elsewhere.stellwerk("plan", "--detailed-exitcode", expect=0)
    before = story.ada.git("ls-remote", "origin"), story.objects()
    elsewhere.stellwerk("reconcile", expect=0)
    assert (story.ada.git("ls-remote", "origin"), story.objects()) == before
    assert elsewhere.git("status", "--porcelain", "--untracked-files=all") == ""


def test_only_the_question_what_runs_here_is_answered_differently(met):
    """A `local` target is a folder of the machine that deployed."""
    story, elsewhere = met
    released = story.record(f"environments/production/{story.model}.yaml")["version"]
    assert f"runs v{released}" in story.ada.stellwerk("status", "--live").out
    assert "nothing runs" in elsewhere.stellwerk("status", "--live").out


def test_the_package_pulled_by_its_record_gives_the_predictions_of_the_one_that_runs(met, tmp_path):
    story, elsewhere = met
    released = story.record(f"environments/production/{story.model}.yaml")["version"]
    version = story.version(released)
    elsewhere.python(FETCH, version["package"]["md5"], tmp_path / "package")
    pulled = {
        path.relative_to(tmp_path / "package").as_posix(): path.read_bytes()
        for path in (tmp_path / "package").rglob("*")
        if path.is_file()
    }
    assert folder_digest(pulled) == version["package"]["sha256"]
    rows = story.ada.root / version["data"]["path"]
    running = story.ada.root / "deployed/production" / story.model / "current"
    story.ada.python(SERVE, running, rows, tmp_path / "running.csv")
    elsewhere.python(SERVE, tmp_path / "package", rows, tmp_path / "pulled.csv")
    answers = (tmp_path / "pulled.csv").read_text(encoding="utf-8")
    assert answers == (tmp_path / "running.csv").read_text(encoding="utf-8")
    assert len(set(answers.splitlines())) > 100


def test_dvc_itself_pulls_the_data_that_the_last_version_names(met):
    story, elsewhere = met
    version = story.version(4)
    elsewhere.dvc("pull", "-q", f"{version['data']['path']}.dvc")
    path = Path(version["data"]["path"])
    assert (elsewhere.root / path).read_bytes() == (story.ada.root / path).read_bytes()
