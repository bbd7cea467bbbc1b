"""Rights that are missing, disks that are full, clocks that go back, objects that git has lost."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest
import yaml
from quick_project import declared, process, run, training

WITHOUT_OVERRIDE = ("setpriv", "--bounding-set", "-dac_override,-dac_read_search")  # root, held to rights like others


def finishes(project, refused, *, trained=1) -> None:
    refused(run(project, "reconcile"), 0)
    assert (len(project.trainings()), project.steps(), project.repo.status()) == (trained, [], "")


# ---------------------------------------------------------------- rights


@pytest.fixture
def held_to_rights():
    """The words that start a process which may not write where the mode forbids it."""
    if os.geteuid() != 0:
        return ()
    if shutil.which(WITHOUT_OVERRIDE[0]) is None:
        pytest.skip("no setpriv here, and root may write everywhere")
    able = subprocess.run([*WITHOUT_OVERRIDE, "true"], capture_output=True, text=True, check=False)
    if able.returncode:
        pytest.skip(f"root cannot give up its override here: {able.stderr.strip()}")
    return WITHOUT_OVERRIDE


@pytest.mark.parametrize("place", ["repo/.git/objects", "repo/registry"])
def test_a_folder_that_may_not_be_written_is_named_and_nothing_is_lost(fresh, refused, held_to_rights, place):
    folder = fresh.root.parent / place
    folder.mkdir(exist_ok=True)
    folder.chmod(0o555)
    said = refused(process(fresh, "reconcile", before=held_to_rights), 1)
    assert "ermission" in said or "failed to write" in said
    assert place.rpartition("/")[2] in said
    folder.chmod(0o755)
    finishes(fresh, refused)


# ---------------------------------------------------------------- disks


@pytest.fixture
def small_disk():
    """`small_disk(folder, size)`: the folder's files on a file system of that size."""
    places = []

    def mount(folder, size):
        folder.mkdir(parents=True, exist_ok=True)
        kept = folder.with_name(f"{folder.name}-before")
        shutil.copytree(folder, kept, symlinks=True)
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], capture_output=True, text=True, check=False
        )
        if done.returncode:
            pytest.skip(f"cannot mount here: {done.stderr.strip()}")
        places.append(folder)
        shutil.copytree(kept, folder, symlinks=True, dirs_exist_ok=True)
        shutil.rmtree(kept)

    yield mount
    for place in places:
        subprocess.run(["umount", "--lazy", place], check=False)


def fill(folder, *, leave) -> None:
    """Use up the file system but for `leave` bytes."""
    free = os.statvfs(folder)
    (folder / "filler").write_bytes(b"x" * max(free.f_bavail * free.f_frsize - leave, 0))


@pytest.mark.parametrize("place", ["repo", "repo/.dvc/cache"])
def test_a_full_disk_is_said_and_the_next_run_finishes(fresh, refused, small_disk, place):
    folder = fresh.root.parent / place
    small_disk(folder, "8m")
    fresh.repo.git("status")  # the copies' times are new to the index
    if place == "repo":
        (folder / ".git/info/exclude").write_text("filler\n")
    fill(folder, leave=0)
    refused(run(fresh, "reconcile"), 1, " space")
    assert fresh.trainings() == []
    (folder / "filler").unlink()
    assert subprocess.run(["git", "fsck", "--strict"], cwd=fresh.root, capture_output=True, check=False).returncode == 0
    finishes(fresh, refused)


# ---------------------------------------------------------------- clocks


def test_a_clock_that_goes_back_a_year_changes_no_order(running, refused, monkeypatch):
    """Numbers, ancestors and what is newest come from the history and the files, never from a clock."""
    back = "2025-01-31T12:00:00+00:00"
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_DATE", back)
    running.now = back
    running.repo.gen({"mlops.yaml": declared({"a": training(1.5), "b": training(2.0)})}, commit="later", date=back)
    assert running.reconcile().problems == ()
    record = yaml.safe_load(running.repo.read("registry/a/2/version.yaml"))
    assert (record["parent"], running.running(model="a"), running.steps()) == (1, 2, [])
    summaries = run(running, "log", "a").stdout
    assert summaries.index("train: a v2") < summaries.index("train: a v1")
    running.now = "2026-02-01T09:00:00+00:00"
    assert running.steps() == []
    running.workspace.rollback("a", "production", because="x", version=None, until=None, push=None)
    assert running.running(model="a") == 1


def test_a_soak_never_ends_early_and_a_freeze_never_ends_because_a_clock_went_back(running):
    running.repo.gen(
        {
            "environments/staging.yaml": "purpose: regression\ndeploy: {target: local, path: deployed/staging}\n",
            "environments/production.yaml": "purpose: production\nafter: staging\nsoak: 2d\n"
            "deploy: {target: local, path: deployed/production}\n",
            "mlops.yaml": declared({"a": training(1.5), "b": training(2.0)}),
        },
        commit="soak",
    )
    assert running.reconcile().problems == ()
    assert (running.running("staging", "a"), running.running(model="a")) == (2, 1)
    running.now = "2025-02-01T09:00:00+00:00"  # a year back: not yet soaked, and nothing is undone
    outcome = running.reconcile()
    assert (outcome.problems, outcome.done) == ((), ())
    assert (running.running("staging", "a"), running.running(model="a")) == (2, 1)
    assert "soak" in running.waits()
    running.add("environments/production.yaml", "freeze: {until: 2026-01-01, reason: year end}\n")
    assert "freeze" in running.waits()
    running.now = "2026-02-04T09:00:00+00:00"
    assert running.reconcile().problems == ()
    assert running.running(model="a") == 2


# ---------------------------------------------------------------- objects


def lose(project, revision: str) -> str:
    """Delete an object from the repository, wherever it lies."""
    oid = project.repo.git("rev-parse", revision)
    objects = project.root / ".git/objects"
    for pack in list(objects.glob("pack/*.pack")):
        content = pack.read_bytes()
        for file in objects.glob(f"pack/{pack.stem}.*"):
            file.unlink()
        subprocess.run(["git", "unpack-objects", "-q"], cwd=project.root, input=content, check=True)
    (objects / oid[:2] / oid[2:]).unlink()
    shutil.rmtree(project.root / ".git/stellwerk", ignore_errors=True)
    return oid


@pytest.mark.parametrize("revision", ["HEAD:registry/a/1/version.yaml", "HEAD"])
def test_a_lost_object_is_named_and_nothing_is_decided_without_it(running, refused, revision, tmp_path):
    bare = running.repo.remote()
    running.repo.gen({"mlops.yaml": running.repo.read("mlops.yaml").replace("bias: 1.0", "bias: 1.5")}, commit="change")
    running.repo.git("push", "--quiet")
    before = (running.root / ".git/refs/heads/main").read_text()
    lose(running, revision)
    said = refused(run(running, "reconcile", "--no-push"), 1)
    assert "git" in said
    assert (running.root / ".git/refs/heads/main").read_text() == before
    assert sorted(path.name for path in running.root.glob("registry/a/*/version.yaml")) == ["version.yaml"]
    assert len(list(running.root.glob("deployed/production/*/current"))) == 2
    fresh_objects = tmp_path / "mended.git"
    subprocess.run(["git", "clone", "--quiet", "--bare", bare, fresh_objects], check=True)
    shutil.copytree(fresh_objects / "objects", running.root / ".git/objects", dirs_exist_ok=True)
    finishes(running, refused, trained=3)


def test_declarations_that_git_has_lost_are_an_error_that_says_so(running, refused):
    oid = lose(running, "HEAD:mlops.yaml")
    refused(run(running, "plan", "--at", "HEAD"), 1, f"the object {oid} is missing", "git fsck")
    refused(run(running, "plan"), 0, "Nothing to do")  # the same bytes lie in the work tree
