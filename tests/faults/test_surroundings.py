"""Where git and the process stand: odd paths, other hashes, partial clones, hooks, locks, variables of the environment."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest
from projects import Project, build
from quick_project import files, run, training

ONE = {"a": training(1.0)}
ODD = '-C it\'s a; "path" of ünïcode 模型 & $HOME d*?[x]'


def finishes(project, refused) -> None:
    refused(run(project, "reconcile"), 0)
    assert project.trainings() == ["train: a v1"]
    assert (project.steps(), project.repo.status()) == ([], "")


def test_a_repository_may_lie_anywhere(stand_ins, repo, refused):
    root = repo.root.parent / ODD / "-repo"
    root.parent.mkdir()
    repo.root.rename(root)
    project = build(Project(type(repo)(root)), files(ONE, production=None))
    project.repo.remote()
    finishes(project, refused)
    assert project.repo.git("rev-parse", "origin/main") == project.repo.head()


def test_a_sha256_repository_is_like_any_other(stand_ins, repo, refused):
    shutil.rmtree(repo.root / ".git")
    repo.git("init", "--quiet", "--initial-branch=main", "--object-format=sha256")
    project = build(Project(repo), files(ONE))
    finishes(project, refused)
    assert len(project.repo.head()) == 64
    assert project.running(model="a") == 1
    refused(run(project, "log", "a"), 0, "train: a v1")


@pytest.mark.parametrize("kind", ["--filter=tree:0", "--depth=1"])
def test_a_clone_without_all_objects_is_reconciled(fresh, refused, kind):
    bare = fresh.repo.remote()
    subprocess.run(["git", "-C", bare, "config", "uploadpack.allowFilter", "true"], check=True)
    subprocess.run(["git", "-C", bare, "config", "uploadpack.allowAnySHA1InWant", "true"], check=True)
    fresh.repo.gen({"notes.txt": "1"}, commit="older")
    fresh.repo.git("push", "--quiet")
    target = bare.parent / "clone"
    subprocess.run(["git", "clone", "--quiet", kind, f"file://{bare}", target], check=True)
    clone = Project(type(fresh.repo)(target))
    shutil.copy(fresh.root / "data/sales.csv", target / "data/sales.csv")
    finishes(clone, refused)
    assert clone.repo.git("rev-parse", "origin/main") == clone.repo.head()


def test_hooks_for_people_s_own_commits_stop_nothing(fresh, refused, tmp_path):
    for hook in ("pre-commit", "commit-msg", "post-checkout", "post-commit", "post-index-change", "post-merge"):
        deny(fresh, tmp_path, hook)
    finishes(fresh, refused)


@pytest.mark.parametrize("hook", ["reference-transaction", "pre-push"])
def test_a_hook_that_refuses_is_said_and_the_next_run_finishes(fresh, refused, hook, tmp_path):
    bare = fresh.repo.remote()
    script = deny(fresh, tmp_path, hook)
    refused(run(fresh, "reconcile"), 1, "hook")
    assert fresh.repo.status() == ""
    script.unlink()
    finishes(fresh, refused)
    there = subprocess.run(["git", "-C", bare, "rev-parse", "main"], capture_output=True, text=True, check=True)
    assert there.stdout.strip() == fresh.repo.head()


def deny(project, tmp_path, hook):
    script = tmp_path / "hooks" / hook
    script.parent.mkdir(exist_ok=True)
    script.write_text("#!/bin/sh\necho 'the policy says no' >&2\nexit 1\n")
    script.chmod(0o755)
    project.repo.git("config", "core.hooksPath", str(script.parent))
    return script


def test_git_s_own_lock_is_named_and_never_broken(fresh, refused):
    """Nobody can tell a live holder from a dead one, so a person decides."""
    lock = fresh.root / ".git/index.lock"
    lock.write_text("")
    refused(run(fresh, "plan"), 0, "train a new version")
    refused(run(fresh, "reconcile"), 1, "index.lock", f"rm {lock}")
    assert (lock.exists(), fresh.repo.log()) == (True, ["start"])
    lock.unlink()
    finishes(fresh, refused)


def test_variables_that_lead_git_elsewhere_lead_us_nowhere(fresh, refused, monkeypatch, tmp_path):
    """As in a hook of another repository that calls us."""
    other = tmp_path / "other"
    subprocess.run(["git", "init", "--quiet", other], check=True)
    before = {path: path.stat().st_mtime_ns for path in other.rglob("*")}
    with monkeypatch.context() as hook:
        hook.setenv("GIT_DIR", str(other / ".git"))
        hook.setenv("GIT_WORK_TREE", str(other))
        hook.setenv("GIT_LITERAL_PATHSPECS", "1")
        for name in ("GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY"):
            hook.setenv(name, str(tmp_path / "nowhere"))
        done = run(fresh, "reconcile")
    refused(done, 0)
    assert (fresh.trainings(), fresh.repo.status()) == (["train: a v1"], "")
    assert {path: path.stat().st_mtime_ns for path in other.rglob("*")} == before
    assert not (tmp_path / "nowhere").exists()


def test_a_home_that_does_not_exist_is_not_missed(fresh, refused, monkeypatch):
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "DVC_GLOBAL_CONFIG_DIR"):
        monkeypatch.setenv(name, f"/nowhere/{name.lower()}")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.delenv("STELLWERK_CACHE")
    finishes(fresh, refused)
