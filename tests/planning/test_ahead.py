"""What other processes do of a plan is what is done without them, and what they fail at costs time only."""

from __future__ import annotations

import json
import os
import shutil

import psutil
import pytest
from test_settled import MODELS, answer, findings, project, whole_answer  # noqa: F401  the fixture

from stellwerk.app import ahead, share
from stellwerk.app.share import Share


@pytest.fixture
def root(project, tmp_path, monkeypatch):  # noqa: F811
    assert MODELS < ahead.MANY
    monkeypatch.setattr(ahead, "MANY", 1)
    monkeypatch.setattr(share, "_processors", lambda: 3)
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


def alone(root, monkeypatch, answer=answer):
    with monkeypatch.context() as patched:
        patched.setattr(Share, "possible", staticmethod(lambda: False))
        patched.setattr(share, "_processors", lambda: 1)
        return whole_answer(root, answer)


def done_by(who, monkeypatch):
    """Let the pieces be taken by these processes only."""
    here, taken = os.getpid(), Share._done
    idle = {"all": (), "this": (False,), "others": (True,)}[who]
    monkeypatch.setattr(Share, "_done", lambda self: {} if (os.getpid() == here) in idle else taken(self))


BROKEN = {
    "nothing": lambda _: None,
    "no record": lambda file: file.write_text("model: [\n"),
    "another place": lambda file: file.write_text(file.read_text().replace("version: 2", "version: 1")),
    "a key twice": lambda file: file.write_text(file.read_text() + "rows: 480\n"),
    "by hand": lambda file: file.write_text(f"# read me\n{file.read_text()}"),
}


@pytest.mark.parametrize("who", ["all", "this", "others"])
@pytest.mark.parametrize("broken", sorted(BROKEN))
def test_with_and_without_other_processes_the_answer_is_the_same(root, monkeypatch, broken, who):
    from test_settled import committed

    BROKEN[broken](root / "registry/m0009/2/verdicts/regression.yaml")
    committed(root)
    started = []
    monkeypatch.setattr(ahead, "Share", counted := type("Counted", (Share,), {}))
    monkeypatch.setattr(counted, "__init__", lambda *args, **named: started.append(1) or Share.__init__(*args, **named))
    expected, found = alone(root, monkeypatch), alone(root, monkeypatch, findings)
    assert not started
    done_by(who, monkeypatch)
    assert whole_answer(root) == expected
    assert len(started) == 2  # for records and for models
    assert whole_answer(root, findings) == found
    assert len(started) == 3


@pytest.mark.parametrize("who", ["all", "this", "others"])
@pytest.mark.parametrize(
    "edit",
    [
        lambda root: (root / "models/m0003/model.yaml").write_text(
            (root / "models/m0003/model.yaml").read_text().replace("depth: 3", "depth: 4")
        ),
        lambda root: (root / "models/m0006/params.yaml").write_text("edited: true\n"),
        lambda root: (root / "mlops.yaml").write_text((root / "mlops.yaml").read_text().replace("seed: 7", "seed: 8")),
        lambda root: (root / "environments/production/m0007.yaml").write_text("version: 1\n"),
    ],
    ids=["a parameter", "a rendered file", "a default", "a release"],
)
def test_what_is_to_be_done_is_planned_alike_by_all(root, monkeypatch, edit, who):
    edit(root)
    expected = alone(root, monkeypatch)
    done_by(who, monkeypatch)
    assert whole_answer(root) == expected


def test_what_the_other_process_read_is_in_the_cache_and_no_longer_read(root, monkeypatch):
    said = answer(root)
    kept = cached(root)
    assert len(kept["versionrecord-brief-2.json"]) == 2 * MODELS
    assert len(kept["verdict-brief-2.json"]) == 6 * MODELS
    monkeypatch.setattr(ahead, "Ahead", None)
    for kind in ("settled-1", "quiet-1"):
        (root / f".git/stellwerk/cache/{kind}.json").unlink()
    assert answer(root) == said


def failing():
    raise OSError


@pytest.mark.parametrize("fail", [failing, lambda: os._exit(9), object], ids=["fails", "dies", "unspeakable"])
def test_other_processes_that_fail_change_no_answer(root, monkeypatch, fail):
    expected, here = alone(root, monkeypatch), os.getpid()
    done_by("others", monkeypatch)
    monkeypatch.setattr(
        ahead,
        "Share",
        lambda count, do, **named: Share(count, lambda piece: do(piece) if os.getpid() == here else fail(), **named),
    )
    monkeypatch.setattr(ahead.Share, "possible", Share.possible, raising=False)
    assert whole_answer(root) == expected
    assert whole_answer(root) == expected


def test_what_others_were_to_write_into_the_cache_is_written_where_they_fail(root, monkeypatch):
    real = Share._started
    monkeypatch.setattr(Share, "_started", lambda self, _: real(self, failing))
    said = answer(root)
    assert len(cached(root)["verdict-brief-2.json"]) == 6 * MODELS
    assert answer(root) == said


def test_results_are_in_the_order_of_the_pieces_whoever_did_them(monkeypatch):
    monkeypatch.setattr(share, "_processors", lambda: 4)
    with Share(share.PIECES, lambda piece: piece * piece) as work:
        assert work.results() == [piece * piece for piece in range(share.PIECES)]
    assert work.complete


def test_a_mistake_in_the_declarations_leaves_no_process_behind(root):
    with (root / "models/m0001/model.yaml").open("a") as file:
        file.write("    riks: high\n")
    assert "riks" in str(whole_answer(root))
