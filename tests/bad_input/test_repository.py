"""Repositories in every state but the usual one."""

import subprocess

import pytest

READS = (["plan"], ["validate"], ["status"])


@pytest.mark.parametrize("verb", ["plan", "validate", "status", "reconcile"])
def test_an_empty_repository_has_no_declarations(repo, refused, verb):
    refused(repo.stellwerk(verb), 1, "mlops.yaml", "stellwerk init")
    assert repo.status() == ""


@pytest.mark.parametrize("verb", ["plan", "validate", "status", "reconcile"])
def test_a_folder_without_git_is_refused(tmp_path, stellwerk, refused, verb):
    folder = tmp_path / "plain"
    folder.mkdir()
    refused(stellwerk(verb, cwd=folder), 1, "this is not a git repository", str(folder), "stellwerk init")
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("verb", ["plan", "init", "reconcile"])
def test_a_bare_repository_is_refused(tmp_path, stellwerk, refused, verb):
    bare = tmp_path / "bare.git"
    subprocess.run(["git", "init", "--quiet", "--bare", bare], check=True)
    refused(stellwerk(verb, cwd=bare), 1, "this is a bare repository", "clone it")


def test_an_unborn_branch_can_be_planned_and_not_reconciled(repo, refused):
    repo.gen({"mlops.yaml": "version: 1\ndatasets: {sales: {path: sales.csv}}\n", "sales.csv": "a\n1\n"})
    refused(repo.stellwerk("plan"), 0, "stellwerk init")
    assert repo.stellwerk("validate").returncode == 0
    said = refused(repo.stellwerk("reconcile"), 1)
    assert "git commit" in said or "git add" in said
    assert repo.head() == ""


def test_a_detached_head_can_be_planned_and_not_reconciled(small, refused):
    small.repo.git("checkout", "--quiet", "--detach")
    for verb in READS:
        assert small.repo.stellwerk(*verb).returncode == 0
    refused(small.repo.stellwerk("reconcile"), 1, "HEAD is detached", "git switch")
    refused(small.repo.stellwerk("snapshot", "sales", "--because", "x"), 1, "HEAD is detached")
    assert small.repo.log() == ["start"]


def test_a_shallow_clone_is_planned_and_reconciled(small, tmp_path, refused):
    small.repo.remote()
    small.reconcile()
    small.repo.git("push", "--quiet")
    subprocess.run(
        ["git", "clone", "--quiet", "--depth=1", f"file://{tmp_path}/origin.git", tmp_path / "shallow"], check=True
    )
    shallow = type(small.repo)(tmp_path / "shallow")
    assert shallow.stellwerk("plan", "--detailed-exitcode").returncode == 0
    refused(shallow.stellwerk("plan", "--at", "HEAD~1"), 1, "there is no commit 'HEAD~1' here", "--unshallow")
    assert shallow.stellwerk("log", "demand").returncode == 0
    refused(shallow.stellwerk("reconcile"), 0, "Nothing to do")


def test_a_submodule_is_passed_over_and_a_path_in_one_is_a_mistake(small, tmp_path, refused):
    other = tmp_path / "other"
    subprocess.run(["git", "init", "--quiet", "--initial-branch=main", other], check=True)
    lib = type(small.repo)(other)
    lib.gen({"demand.py": "def train(frame): return 1\n"}, commit="lib")
    small.repo.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(other), "lib")
    small.repo.git("commit", "--quiet", "--message", "a submodule")
    assert small.repo.stellwerk("plan").returncode == 0
    assert small.reconcile().problems == ()
    small.edit("mlops.yaml", "source: models/demand/demand.py", "source: lib/demand.py")
    done = small.repo.stellwerk("plan")
    said = refused(done, done.returncode)
    assert "lib/demand.py" in said
    assert small.trainings() == ["train: demand v1"]


def test_a_reconcile_from_a_folder_below_the_root_works_on_the_repository(small, stellwerk):
    done = stellwerk("plan", cwd=small.root / "models/demand")
    assert done.stdout == small.repo.stellwerk("plan").stdout


def test_a_dirty_tree_names_what_must_be_committed(small, refused):
    small.repo.gen({"mlops.yaml": small.repo.read("mlops.yaml") + "# draft\n"})
    refused(small.repo.stellwerk("reconcile"), 1, "uncommitted changes: mlops.yaml", "git commit")
    assert small.repo.status() == " M mlops.yaml"


def test_a_merge_that_is_not_finished_is_a_mistake_at_its_line(small, refused):
    small.repo.git("switch", "--quiet", "--create", "other")
    small.edit("mlops.yaml", "target: sold", "target: x")
    small.repo.git("switch", "--quiet", "main")
    small.edit("mlops.yaml", "target: sold", "target: id")
    merge = subprocess.run(["git", "merge", "other"], cwd=small.root, capture_output=True, check=False)
    assert merge.returncode == 1
    for verb in ("plan", "validate", "reconcile"):
        refused(small.repo.stellwerk(verb), 1, "mlops.yaml:3", "merge")
    assert small.repo.status().startswith("UU mlops.yaml")


def test_git_that_knows_nobody_is_asked_who_acts(small, refused):
    nobody = dict.fromkeys(("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"), "")
    done = small.repo.stellwerk("reconcile", env={**nobody, "EMAIL": ""})
    refused(done, 1, "git does not know who you are", "git config user.email")
    assert small.repo.log() == ["start"]
