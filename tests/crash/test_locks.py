"""Locks that the dead left: ours and DVC's are let go of, git's are named with what to do about them."""

import json

import pytest
from invariants import check_repository
from scenarios import RECONCILE, SCENARIOS

NEXT = next(item for item in SCENARIOS if item.name == "next-version")
HOOK = """\
#!/bin/sh
[ "$1" = committed ] && : > "$(git rev-parse --git-path index.lock)"
exit 0
"""


@pytest.fixture
def company(states, tmp_path):
    """A project with one version to train, promote and deploy."""
    return states.start(NEXT).copy(tmp_path / "company")


@pytest.mark.parametrize("lock", ["index.lock", "refs/heads/main.lock"])
def test_a_lock_of_a_killed_git_is_named_and_nothing_is_half_done(company, lock):
    before = company.git("rev-parse", "HEAD")
    file = company.root / ".git" / lock
    file.touch()
    problems = company.run(*RECONCILE).outcome["problems"]
    assert problems
    assert all(what.startswith(f"{file}: git's lock is there") for _, what, _ in problems)
    assert {hint for _, _, hint in problems} == {f"if none is running: rm {file}"}
    assert company.git("rev-parse", "HEAD") == before
    assert company.git("status", "--porcelain") == ""
    file.unlink()
    company.good(*RECONCILE)
    check_repository(company.root, remote=company.origin)


def test_a_work_tree_that_cannot_follow_stops_further_commits_and_follows_later(company):
    """The index is locked the moment the ref has moved: as if git was killed there."""
    before = int(company.git("rev-list", "--count", "HEAD"))
    hook = company.root / ".git/hooks/reference-transaction"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(HOOK)
    hook.chmod(0o755)
    problems = company.run(*RECONCILE).outcome["problems"]
    assert "index.lock: git's lock is there" in problems[0][1]
    assert int(company.git("rev-list", "--count", "HEAD")) == before + 1
    hook.unlink()
    (company.root / ".git/index.lock").unlink()
    company.good(*RECONCILE)
    check_repository(company.root, remote=company.origin)


def test_locks_of_dead_processes_of_ours_and_of_dvc_stand_in_nobodys_way(company):
    temporary, notes = company.root / ".dvc/tmp", company.root / ".git/stellwerk"
    temporary.mkdir(exist_ok=True)
    (temporary / "lock").write_text(" 4194305\n")
    (temporary / "rwlock").write_text(json.dumps({"data/sales.csv": {"write": {"pid": 4194305, "cmd": "dvc add"}}}))
    for name in ("write.lock", "refs%heads%main.lock"):
        (notes / name).write_text("process 4194305 on elsewhere since 2026-01-01T00:00:00+00:00")
    company.good(*RECONCILE)
    check_repository(company.root, remote=company.origin)
