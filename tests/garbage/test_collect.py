"""Garbage collection of whole projects, with real git and real DVC remotes."""

from __future__ import annotations

import json

import jsonschema
import pytest
import yaml

from stellwerk.adapters.dvc import DvcStore
from stellwerk.app.garbage import GarbageRequest, collect_garbage
from stellwerk.declarations.schema import schema_text
from stellwerk.errors import BlockedError, StellwerkError
from stellwerk.report.garbage import garbage_text

RETENTION = "limits: {retention: {releases: 30d, versions: 30d, snapshots: 30d}}\n"
LATER = "2027-02-01T09:00:00+00:00"


def gc(project, *, dry_run=False, grace=0.0, **options):
    return collect_garbage(project.workspace, GarbageRequest(dry_run=dry_run, grace=grace, **options))


def goes(found):
    """(place, what) of everything that goes."""
    return {(sweep.place.name, item.what) for sweep in found.sweeps for item in sweep.goes}


def package(project, number):
    record = yaml.safe_load((project.root / f"registry/demand/{number}/version.yaml").read_text())
    return record["package"]["md5"]


def missing(project, *hashes, remote="packages"):
    return DvcStore(project.root).missing(hashes, remote=remote)


def orphan(project, tmp_path, remote):
    """Push a folder that no commit names; returns its hash."""
    folder = tmp_path / f"orphan-{remote}"
    folder.mkdir()
    (folder / "x").write_text(f"nobody names this in {remote}")
    store = DvcStore(project.root)
    md5 = store.cache_folder(folder)
    store.push([md5], remote=remote)
    return md5


def test_without_a_declared_retention_nothing_that_history_names_goes_and_nothing_is_committed(released):
    released.now = "2099-01-01T00:00:00+00:00"
    before = released.repo.head()
    found = gc(released)
    assert [item.kind for sweep in found.sweeps for item in sweep.goes if sweep.place.name != "cache"] == []
    assert missing(released, package(released, 1), package(released, 2)) == frozenset()
    assert released.repo.head() == before
    assert "limits.retention.releases is not set" in found.kept[package(released, 1)]


def test_what_retention_takes_is_recorded_first_and_said_to_be_removed_ever_after(released):
    old, new = package(released, 1), package(released, 2)
    released.add("mlops.yaml", RETENTION)
    assert goes(gc(released, dry_run=True)) & {("packages", "the package of demand v1")} == set()
    released.now = LATER
    seen = gc(released, dry_run=True)
    assert seen.versions == ("demand@1",)
    assert missing(released, old, new) == frozenset()
    done = gc(released)
    assert done.versions == ("demand@1",)
    assert ("packages", "the package of demand v1") in goes(done)
    assert missing(released, old, new) == {old}
    (record,) = (released.root / "registry/.removed").iterdir()
    assert yaml.safe_load(record.read_text())["versions"] == ["demand@1"]
    assert released.repo.log()[0].startswith("gc: ")
    assert goes(gc(released)) == set()
    assert released.steps() == []
    with pytest.raises(BlockedError, match="the package of v1 was removed by retention on 2027-02-01"):
        released.decide("rollback", because="orders dropped", version=1, until=None)
    with pytest.raises(StellwerkError, match="no version of demand before v2"):
        released.decide("rollback", because="orders dropped", version=None, until=None)
    released.edit("mlops.yaml", "bias: 2.0", "bias: 1.0")
    (train,) = (step for step in released.plan().steps if step.key == "train:demand")
    assert train.reason == "the package of v1, which is the same, was removed by retention on 2027-02-01"
    assert released.reconcile().problems == ()
    assert released.running() == 3
    assert missing(released, package(released, 3)) == frozenset()
    assert [name for name in gc(released).versions if name == "demand@3"] == []


def test_whatever_a_tag_or_another_branch_has_stays(released):
    released.repo.git(
        "tag", "-a", "audit", "-m", "x", released.repo.git("log", "--format=%H", "--grep=promote: demand v1")
    )
    released.add("mlops.yaml", RETENTION)
    released.now = LATER
    assert gc(released, dry_run=True).versions == ()
    released.repo.git("branch", "old", "audit^{commit}")
    released.repo.git("tag", "-d", "audit")
    assert gc(released, dry_run=True).versions == ()
    released.repo.git("branch", "-D", "old")
    assert gc(released, dry_run=True).versions == ("demand@1",)


def test_what_a_branch_of_the_remote_has_stays_though_this_clone_never_saw_it(released):
    released.repo.remote()
    other = type(released)(released.repo.clone("other"))
    other.repo.git(
        "push", "-q", "origin", f"{other.repo.git('log', '--format=%H', '--grep=promote: demand v1')}:refs/tags/t"
    )
    released.add("mlops.yaml", RETENTION)
    released.now = LATER
    assert gc(released, dry_run=True).versions == ()


def test_what_no_commit_names_stays_in_a_remote_that_others_may_share_unless_asked_for(released, tmp_path):
    stray = orphan(released, tmp_path, "packages")
    found = gc(released)
    assert {item.md5 for sweep in found.sweeps for item in sweep.goes if sweep.place.name == "cache"} >= {stray}
    (packages,) = (sweep for sweep in found.sweeps if sweep.place.name == "packages")
    assert packages.unnamed[0] == 2
    assert missing(released, stray) == frozenset()
    gc(released, unnamed=True)
    assert missing(released, stray) == {stray}
    assert missing(released, package(released, 1), package(released, 2)) == frozenset()


def test_what_is_young_stays_since_a_run_may_be_about_to_push_a_commit_that_names_it(released, tmp_path):
    import time
    from datetime import UTC, datetime

    stray = orphan(released, tmp_path, "packages")
    released.now = datetime.fromtimestamp(time.time(), UTC).isoformat()
    found = gc(released, unnamed=True, grace=3600.0)
    assert goes(found) == set()
    assert missing(released, stray) == frozenset()
    assert all(sweep.young[0] >= 2 for sweep in found.sweeps if sweep.place.name in {"cache", "packages"})


def test_an_uncommitted_pointer_keeps_what_it_names(released):
    released.repo.gen({"data/more.csv": "x\n1\n"})
    pointer = DvcStore(released.root).add("data/more.csv")
    released.repo.gen(dict(pointer.files))
    assert pointer.pointer.md5 in gc(released, dry_run=True).kept


def test_the_command_says_what_would_go_and_prints_json_of_its_schema(released):
    text = garbage_text(gc(released, dry_run=True), verbose=True, color=False, width=200)
    assert "demand v2 is released in production" in text
    assert text.endswith("0 objects, 0 B would go.\n")
    shown = released.repo.stellwerk("gc", "--dry-run", "--format", "json")
    assert shown.returncode == 0, shown.stderr
    jsonschema.validate(json.loads(shown.stdout), json.loads(schema_text("garbage")))


def test_a_shallow_clone_is_refused_since_it_cannot_see_what_history_needs(released, tmp_path):
    released.repo.git("clone", "-q", "--depth", "1", released.root.as_uri(), str(tmp_path / "shallow"))
    shallow = type(released)(type(released.repo)(tmp_path / "shallow"))
    with pytest.raises(StellwerkError, match="shallow"):
        gc(shallow, dry_run=True)
