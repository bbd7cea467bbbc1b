"""Records that another process reads ahead are the ones that are read without it, and what it fails at costs time only."""

from __future__ import annotations

import json
import os
import shutil

import psutil
import pytest
from test_settled import MODELS, answer, findings, project, whole_answer  # noqa: F401  the fixture

from stellwerk.app import ahead, quick


@pytest.fixture
def root(project, tmp_path, monkeypatch):  # noqa: F811
    assert MODELS < quick.MANY
    monkeypatch.setattr(quick, "MANY", 1)
    shutil.copytree(project, tmp_path / "project", symlinks=True)
    return tmp_path / "project"


def cached(root):
    kept = (root / ".git/stellwerk/cache").glob("*-2.json")
    return {file.name: json.loads(file.read_text().partition("\n")[2] or file.read_text())["blobs"] for file in kept}


@pytest.fixture(autouse=True)
def no_child_is_left():
    before = set(psutil.Process().children())
    yield
    assert set(psutil.Process().children()) <= before


def alone(root, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(ahead, "records_ahead", lambda *_, **__: None)
        return whole_answer(root)


BROKEN = {
    "nothing": lambda _: None,
    "no record": lambda file: file.write_text("model: [\n"),
    "another place": lambda file: file.write_text(file.read_text().replace("version: 2", "version: 1")),
    "a key twice": lambda file: file.write_text(file.read_text() + "rows: 480\n"),
    "by hand": lambda file: file.write_text(f"# read me\n{file.read_text()}"),
}


@pytest.mark.parametrize("broken", sorted(BROKEN))
def test_with_and_without_another_process_the_answer_is_the_same(root, monkeypatch, broken):
    from test_settled import committed

    BROKEN[broken](root / "registry/m0009/2/verdicts/regression.yaml")
    committed(root)
    started = []
    monkeypatch.setattr(ahead, "Ahead", lambda *args, **named: started.append(1) or Ahead(*args, **named))
    expected = alone(root, monkeypatch)
    assert not started
    assert whole_answer(root) == expected
    assert started


Ahead = ahead.Ahead


def test_what_the_other_process_read_is_in_the_cache_and_no_longer_read(root, monkeypatch):
    said = answer(root)
    kept = cached(root)
    assert len(kept["versionrecord-brief-2.json"]) == 2 * MODELS
    assert len(kept["verdict-brief-2.json"]) == 6 * MODELS
    monkeypatch.setattr(ahead, "Ahead", None)
    (root / ".git/stellwerk/cache/settled-1.json").unlink()
    assert answer(root) == said


def failing(_cache):
    raise OSError


def dying(_cache):
    os._exit(9)


@pytest.mark.parametrize("read", [failing, dying, lambda cache: cache.put("verdict-brief-2", "x", object())])
def test_another_process_that_fails_changes_no_answer(root, monkeypatch, read):
    expected = alone(root, monkeypatch)
    monkeypatch.setattr(ahead, "Ahead", lambda cache, _, **named: Ahead(cache, read, **named))
    assert whole_answer(root) == expected


def test_a_mistake_in_the_declarations_leaves_no_process_behind(root):
    with (root / "models/m0001/model.yaml").open("a") as file:
        file.write("    riks: high\n")
    assert "riks" in str(whole_answer(root))
