"""Remotes that are missing, read-only or full."""

import shutil
import subprocess

import pytest
from projects import SMALL


def test_a_dvc_remote_that_is_missing_stops_the_snapshot_and_nothing_is_committed_for_it(small, refused):
    config = small.root / ".dvc/config"
    small.repo.gen(
        {".dvc/config": config.read_text().replace("../../repo.storage", "/proc/nowhere/storage")}, commit="x"
    )
    refused(small.repo.stellwerk("reconcile"), 1, "/proc/nowhere/storage")
    assert not [line for line in small.repo.log() if line.startswith(("snapshot", "train"))]
    assert small.repo.status() == ""
    assert (small.root / "data/sales.csv").exists()
    small.repo.gen(
        {".dvc/config": config.read_text().replace("/proc/nowhere/storage", "../../repo.storage")}, commit="y"
    )
    refused(small.repo.stellwerk("reconcile"), 0)
    assert small.trainings() == ["train: demand v1"]


def test_no_dvc_at_all_points_to_init(repo, refused):
    repo.gen(SMALL)
    repo.git("add", "mlops.yaml", "models")
    repo.git("commit", "--quiet", "--message", "no dvc")
    refused(repo.stellwerk("plan"), 0, "stellwerk init")
    refused(repo.stellwerk("reconcile"), 3, "stellwerk init")


@pytest.fixture
def mounted(as_root, small):
    """`mounted(options)`: the DVC remote's folder becomes a file system of its own."""
    storage = small.root.parent / "repo.storage"
    storage.mkdir(exist_ok=True)
    places = []

    def mount(*args):
        done = subprocess.run(["mount", *args, storage], capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"cannot mount here: {done.stderr.strip()}")
        places.append(storage)
        return storage

    yield mount
    for place in places:
        subprocess.run(["umount", "--lazy", place], check=False)


def test_a_read_only_dvc_remote_is_said_and_the_next_run_goes_on(mounted, small, refused):
    place = mounted("-t", "tmpfs", "-o", "ro", "tmpfs")
    refused(small.repo.stellwerk("reconcile"), 1, "ead-only file system", "repo.storage")
    assert small.trainings() == []
    assert small.repo.status() == ""
    subprocess.run(["mount", "-o", "remount,rw", place], check=True)
    refused(small.repo.stellwerk("reconcile"), 0)
    assert small.trainings() == ["train: demand v1"]


def test_a_full_dvc_remote_is_said_and_the_next_run_goes_on(mounted, small, refused):
    rows = "".join(f"{i},{i % 20},a,{2 * (i % 20) + i % 3}\n" for i in range(5000))
    (small.root / "data/sales.csv").write_text(f"id,x,part,sold\n{rows}")
    place = mounted("-t", "tmpfs", "-o", "size=16k", "tmpfs")
    refused(small.repo.stellwerk("reconcile"), 1, "No space left")
    assert small.trainings() == []
    assert small.repo.status() == ""
    subprocess.run(["mount", "-o", "remount,size=10m", place], check=True)
    refused(small.repo.stellwerk("reconcile"), 0)
    assert small.trainings() == ["train: demand v1"]


def test_a_git_remote_that_is_gone_is_said_before_anything_is_done(small, refused):
    shutil.rmtree(small.repo.remote())
    refused(small.repo.stellwerk("reconcile"), 1, "the remote cannot be reached", "--no-push")
    assert small.repo.log() == ["start"]
    refused(small.repo.stellwerk("plan"), 0)
    refused(small.repo.stellwerk("reconcile", "--no-push"), 0)
    assert small.trainings() == ["train: demand v1"]


def test_a_git_remote_that_takes_nothing_loses_nothing_here(small, refused):
    bare = small.repo.remote()
    hook = bare / "hooks/pre-receive"
    hook.write_text("#!/bin/sh\necho 'this repository is archived' >&2\nexit 1\n")
    hook.chmod(0o755)
    refused(small.repo.stellwerk("reconcile"), 1, "refused the push to main", "this repository is archived")
    assert small.trainings() == ["train: demand v1"]
    hook.unlink()
    done = small.repo.stellwerk("reconcile")
    refused(done, 0)
    assert small.repo.git("rev-parse", "origin/main") == small.repo.head()


def test_push_without_a_remote_is_an_error_and_no_work(small, refused):
    refused(small.repo.stellwerk("reconcile", "--push"), 1, "there is no remote to push to", "git remote add")
    assert small.repo.log() == ["start"]


def test_a_package_lost_from_its_remote_is_not_deployed(released, refused):
    shutil.rmtree(released.root.parent / "repo.storage/packages")
    shutil.rmtree(released.root / ".dvc/cache")
    released.edit("mlops.yaml", "bias: 2.0", "bias: 1.0")
    refused(released.repo.stellwerk("reconcile"), 1, "packages")
    assert released.running() == 2
    assert (released.root / "deployed/production/demand/current/package.json").exists()
