"""Bytes that are deleted by decision: gone everywhere, and said to be so by everything that reads history."""

from __future__ import annotations

import shutil

import pytest
import yaml
from projects import DATA

from stellwerk.adapters.dvc import DvcStore
from stellwerk.adapters.dvc.garbage import DvcGarbage
from stellwerk.app.garbage import GarbageRequest, collect_garbage, erase
from stellwerk.errors import BlockedError, StellwerkError

FORGET = "a customer asked to be forgotten"


def pointer(project):
    return yaml.safe_load((project.root / "data/sales.csv.dvc").read_text())["outs"][0]["md5"]


def package(project, number):
    return yaml.safe_load((project.root / f"registry/demand/{number}/version.yaml").read_text())["package"]["md5"]


def lies(project, md5):
    """The places that still hold the object."""
    shelves = DvcGarbage(project.root)
    return {place.name for place in shelves.places() for item in shelves.stored(place) if item.md5 == md5}


def forget_one_customer(project):
    """A new snapshot without one row; returns the old one's hash."""
    old = pointer(project)
    (project.root / "data/sales.csv").unlink()
    (project.root / "data/sales.csv").write_text(DATA.replace(DATA.splitlines()[7] + "\n", ""))
    project.workspace.snapshot("sales", because="one row is out", push=None)
    return old


def collect(project):
    return collect_garbage(project.workspace, GarbageRequest(dry_run=False, grace=172800.0))


def test_the_current_snapshot_is_not_erased_unless_that_is_meant_and_then_what_needs_it_waits(released):
    with pytest.raises(BlockedError, match="the current snapshot of sales") as caught:
        erase(released.workspace, f"sales@{pointer(released)}", because=FORGET, current=False)
    assert "--confirm-current" in caught.value.hint
    assert lies(released, pointer(released)) == {"cache", "storage"}
    erase(released.workspace, "sales@HEAD", because=FORGET, current=True)
    assert lies(released, pointer(released)) == set()
    released.edit("mlops.yaml", "bias: 2.0", "bias: 3.0")
    assert [step for step in released.steps() if step.startswith(("train", "check", "promote"))] == []
    (wait,) = released.plan().waits
    assert "was erased by decision of Ada Lovelace on 2026-02-01: a customer asked to be forgotten" in wait.reason
    assert "stellwerk snapshot sales" in wait.unblock
    with pytest.raises(StellwerkError, match=r"these bytes .* were erased by decision"):
        released.workspace.snapshot("sales", because="again", push=None)


def test_an_erased_snapshot_is_gone_everywhere_and_all_that_reads_history_says_by_whose_decision(released):
    record = released.repo.read("registry/demand/2/version.yaml")
    old = forget_one_customer(released)
    done = erase(released.workspace, "sales@HEAD~1", because=FORGET, current=False)
    assert lies(released, old) == set()
    assert done.depended == ("demand@1", "demand@2")
    assert done.serving == ("demand v2 in production",)
    tombstone = yaml.safe_load(released.repo.read(f"registry/.erased/{old}.yaml"))
    assert tombstone["because"] == FORGET
    assert tombstone["commit"] == released.repo.git("rev-parse", "HEAD~2")
    assert released.repo.read("registry/demand/2/version.yaml") == record
    said = f"erased by decision of Ada Lovelace on 2026-02-01: {FORGET}"
    assert said in released.repo.stellwerk("status").stdout.replace("\n    ", " ")
    assert f"data of v1  kept → {said}" in released.repo.stellwerk("diff", "demand@1", "demand@2").stdout
    assert f"erase: the snapshot {old[:8]} of sales" in released.repo.stellwerk("log", "demand").stdout
    assert not any("missing" in sweep.problem for sweep in done.garbage.sweeps)
    again = erase(released.workspace, f"sales@{old}", because="twice", current=False)
    assert (again.commit, again.garbage.sweeps[0].goes) == (None, ())
    released.edit("mlops.yaml", "max: 5", "max: 4")
    reasons = [wait.reason for wait in released.plan().waits]
    assert any("its thresholds changed; regression cannot judge v2" in text and said in text for text in reasons)
    outcome = released.reconcile()
    assert outcome.problems == ()
    assert released.running() == 3
    verdict = released.repo.read("registry/demand/3/verdicts/regression.yaml")
    assert "none left out for the champion, whose data were erased by decision" in verdict.replace("\n    ", " ")


def test_a_run_that_dies_between_tombstone_and_deletion_is_finished_by_the_next_gc_and_by_that_of_other_clones(
    released, monkeypatch
):
    released.repo.remote()
    other = type(released)(released.repo.clone("other"))
    old = forget_one_customer(released)
    storage = released.root.parent / "repo.storage"
    other.repo.git("config", "user.name", "x")
    (other.root / ".dvc/config.local").write_text(f"['remote \"storage\"']\n    url = {storage}\n")
    DvcStore(other.root).bring(old, remote=None)

    def die(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(DvcGarbage, "delete", die)
        with pytest.raises(KeyboardInterrupt):
            erase(released.workspace, "sales@HEAD~1", because=FORGET, current=False)
    assert released.repo.log("origin/main")[0].startswith("erase: ")
    assert lies(released, old) == {"cache", "storage"}
    found = collect(other)
    assert {(sweep.place.name, item.kind) for sweep in found.sweeps for item in sweep.goes} == {
        ("cache", "erased"),
        ("storage", "erased"),
    }
    assert lies(released, old) == {"cache"}
    collect(released)
    assert lies(released, old) == set()


def test_a_package_is_erased_only_where_it_serves_nobody_and_is_never_made_again(released):
    with pytest.raises(BlockedError, match="demand v2 in production: a package that is released"):
        erase(released.workspace, "demand@2", because=FORGET, current=False)
    gone = package(released, 1)
    done = erase(released.workspace, "demand@1", because=FORGET, current=False)
    assert lies(released, gone) == set()
    assert lies(released, package(released, 2)) == {"cache", "packages"}
    assert not any(sweep.problem for sweep in done.garbage.sweeps)
    with pytest.raises(BlockedError, match="the package of v1 was erased by decision"):
        released.decide("rollback", because="orders dropped", version=1, until=None)
    shutil.rmtree(released.root / ".dvc/cache")
    DvcStore(released.root).fetch(package(released, 2), released.root.parent / "back", remote="packages")
    released.edit("mlops.yaml", "bias: 2.0", "bias: 1.0")
    assert "train:demand" not in released.steps()
    assert any("the package of v1, which is the same, was erased" in wait.reason for wait in released.plan().waits)


def test_what_cannot_be_named_is_an_error_that_says_how(released):
    for what, words in {
        "sales": "DATASET@REVISION",
        "rain@HEAD": "there is no dataset 'rain'",
        "sales@nowhere": "there is no commit 'nowhere'",
        f"sales@{'0' * 32}": "no commit here has a pointer",
        "demand@9": "has no version 9",
    }.items():
        with pytest.raises(StellwerkError, match=words):
            erase(released.workspace, what, because=FORGET, current=True)
