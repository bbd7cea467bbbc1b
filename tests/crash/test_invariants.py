"""The invariants hold of a project that was reconciled, and each of them can be broken."""

import re
import shutil

import pytest
from invariants import check_repository, facts

VERSION = "registry/demand/1/version.yaml"


def test_a_reconciled_project_keeps_every_promise(released):
    bare = released.repo.remote()
    check_repository(released.root, remote=bare, kept=facts(released.root))


def a_changed_birth(project):
    project.edit(VERSION, "seed: 0", "seed: 1")
    return r"changes registry/demand/1/version.yaml after its birth"


def a_deleted_verdict(project):
    project.repo.gen({"registry/demand/1/verdicts/regression.yaml": None}, commit="delete")
    return r"deletes registry/demand/1/verdicts/regression.yaml"


def a_lost_version(project):
    project.repo.git("mv", "registry/demand/1", "registry/demand/3")
    project.repo.git("commit", "--quiet", "--message", "move")
    return r"the versions of demand are \[2, 3\]"


def a_doubled_version(project):
    shutil.copytree(project.root / "registry/demand/2", project.root / "registry/demand/3")
    project.repo.git("add", "registry")
    project.repo.git("commit", "--quiet", "--message", "copy")
    return r"2 versions of one fingerprint"


def a_record_that_is_none(project):
    project.edit("registry/demand/deployments/production.yaml", "target:", "goal:")
    return r"deployments/production.yaml: .*'target' is a required property"


def a_lost_package(project):
    objects = project.root.parent / "repo.storage/packages/files/md5"
    shutil.rmtree(objects)
    return r"1/version.yaml: its package is not in the remote"


def a_half_written_object(project):
    objects = sorted((project.root.parent / "repo.storage/packages/files/md5").glob("??/*"))
    objects[0].chmod(0o644)
    objects[0].write_bytes(b"half")
    return r"holds something else than its name says"


def a_file_that_is_not_committed(project):
    project.repo.gen({"notes.txt": "x"})
    return r"not clean: \?\? notes.txt"


def a_temporary_file_in_an_ignored_folder(project):
    (project.root / "deployed/production/demand/versions/.0123456789abcdef.01234567-77-89abcdef").mkdir()
    return r"left behind: deployed/production/demand/versions/.0123456789abcdef.01234567-77-89abcdef"


def a_target_that_runs_something_else(project):
    current = project.root / "deployed/production/demand/current"
    (current.resolve() / "package.json").write_text("{}")
    return r"production runs [0-9a-f]{64} of demand, recorded is [0-9a-f]{64}"


def a_release_of_nothing(project):
    project.repo.gen({"environments/production/demand.yaml": "version: 7\n"}, commit="seven")
    return r"production releases v7 of demand, which does not exist"


def a_step_that_is_left(project):
    project.edit("mlops.yaml", "bias: 2.0", "bias: 3.0")
    return r"still planned: train:demand"


def a_commit_that_was_not_pushed(project):
    project.repo.gen({"notes.txt": "x"}, commit="a note")
    return r"not at the remote: refs/heads/main"


def a_missing_git_object(project):
    blob = project.repo.git("rev-parse", "HEAD:mlops.yaml")
    (project.root / ".git/objects" / blob[:2] / blob[2:]).unlink()
    return rf"missing blob {blob}"


BREAKS = (
    a_changed_birth,
    a_deleted_verdict,
    a_lost_version,
    a_doubled_version,
    a_record_that_is_none,
    a_lost_package,
    a_half_written_object,
    a_file_that_is_not_committed,
    a_temporary_file_in_an_ignored_folder,
    a_target_that_runs_something_else,
    a_release_of_nothing,
    a_step_that_is_left,
    a_commit_that_was_not_pushed,
    a_missing_git_object,
)


@pytest.mark.parametrize("change", BREAKS, ids=lambda change: change.__name__)
def test_a_broken_promise_is_found(released, change):
    bare = released.repo.remote()
    expected = change(released)
    with pytest.raises(AssertionError) as said:
        check_repository(released.root, remote=bare, fsck=change is a_missing_git_object)
    assert re.search(expected, str(said.value)), said.value


def test_a_fact_that_a_clone_had_seen_and_that_is_gone_is_found(released):
    kept = facts(released.root)
    released.repo.git("reset", "--quiet", "--hard", "HEAD~4")
    with pytest.raises(AssertionError, match=r"a fact is gone: 2/verdicts/regression.yaml"):
        check_repository(released.root, settled=False, kept=kept)
