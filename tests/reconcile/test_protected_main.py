"""Where nobody may push to main, the machine's records land on a ref of their own."""

from __future__ import annotations

import subprocess

import pytest
from projects import Project, racing

RECORDS = "records: {ref: stellwerk/records}\n"
HOOK = """\
#!/bin/sh
while read -r old new ref; do
  [ "$ref" = refs/heads/main ] && [ -e protected ] && { echo "main is protected: open a pull request" >&2; exit 1; }
done
exit 0
"""


@pytest.fixture
def protected(small):
    """A project whose remote refuses pushes to main; `merge(...)` is what a pull request would do."""
    bare = small.repo.remote()
    hook = bare / "hooks/pre-receive"
    hook.write_text(HOOK)
    hook.chmod(0o755)
    (bare / "protected").touch()
    small.bare = bare
    return small


def merge_to_main(project, repo, files, message):
    """Commit on main and bring it to the remote the way a merged pull request does."""
    repo.gen(files, commit=message)
    (project.bare / "protected").unlink()
    repo.git("push", "--quiet", "origin", "main")
    (project.bare / "protected").touch()


def remote_ref(project, name):
    return subprocess.run(
        ["git", "rev-parse", "--verify", "--quiet", f"refs/heads/{name}"],
        cwd=project.bare,
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()


def test_without_a_records_ref_the_refusal_is_said_and_nothing_is_lost(protected):
    main = remote_ref(protected, "main")
    done = protected.repo.stellwerk("reconcile")
    assert done.returncode == 1
    assert "refused the push to main: main is protected: open a pull request" in " ".join(done.stderr.split()).replace(
        "remote: ", ""
    )
    assert "records: {ref: stellwerk/records}" in done.stderr
    assert "Traceback" not in done.stderr
    assert remote_ref(protected, "main") == main
    assert protected.trainings() == ["train: demand v1"]
    assert protected.steps() == []


def test_records_land_on_their_ref_and_main_is_never_pushed(protected):
    merge_to_main(protected, protected.repo, {"mlops.yaml": protected.repo.read("mlops.yaml") + RECORDS}, "records")
    main = remote_ref(protected, "main")
    outcome = protected.reconcile()
    assert outcome.problems == ()
    assert outcome.pushed == "stellwerk/records to origin"
    assert remote_ref(protected, "main") == protected.repo.head() == main
    assert remote_ref(protected, "stellwerk/records") == protected.repo.git("rev-parse", "stellwerk/records")
    assert protected.trainings("stellwerk/records") == ["train: demand v1"]
    assert protected.repo.status() == ""
    assert protected.steps() == []
    assert {name: number for name, number, _ in protected.workspace.status(live=False).models} == {"demand": 1}


def test_a_fresh_clone_sees_the_records_and_main_is_merged_into_them(protected):
    merge_to_main(protected, protected.repo, {"mlops.yaml": protected.repo.read("mlops.yaml") + RECORDS}, "records")
    protected.reconcile()

    other = Project(protected.repo.clone())
    assert other.repo.git("for-each-ref", "--format=%(refname)", "refs/heads") == "refs/heads/main"
    assert other.steps() == []
    assert [number for _, number, _ in other.workspace.status(live=False).models] == [1]
    assert other.repo.git("for-each-ref", "--format=%(refname)", "refs/heads") == "refs/heads/main"

    text = other.repo.read("mlops.yaml").replace("train: {data: sales}", "train: {data: sales, params: {bias: 3.0}}")
    merge_to_main(protected, other.repo, {"mlops.yaml": text}, "a worse model")
    assert other.steps() == ["render:models/demand/params.yaml", "train:demand"]
    outcome = other.reconcile()
    assert outcome.problems == ()
    assert other.trainings("stellwerk/records") == ["train: demand v2", "train: demand v1"]
    assert "a worse model" in other.repo.log("stellwerk/records")
    assert remote_ref(protected, "main") == other.repo.head()
    assert other.steps() == []

    assert protected.repo.log("stellwerk/records")[0] == "train: demand v1"
    protected.repo.git("pull", "--quiet", "origin", "main")
    assert protected.reconcile().done == ()
    assert protected.trainings("stellwerk/records") == ["train: demand v2", "train: demand v1"]


def test_a_new_snapshot_lands_on_the_records_and_leaves_main_s_files_alone(protected):
    merge_to_main(protected, protected.repo, {"mlops.yaml": protected.repo.read("mlops.yaml") + RECORDS}, "records")
    protected.reconcile()
    (protected.root / "data/sales.csv").write_text(protected.repo.read("data/sales.csv") + "120,1,a,2\n")
    decision = protected.workspace.snapshot("sales", because="a new day", push=None)
    assert decision.pushed
    assert protected.repo.status() == ""
    assert protected.steps() == ["train:demand"]
    assert protected.reconcile().problems == ()
    assert protected.trainings("stellwerk/records") == ["train: demand v2", "train: demand v1"]
    assert protected.steps() == []


def test_two_clones_race_for_the_records(protected):
    merge_to_main(protected, protected.repo, {"mlops.yaml": protected.repo.read("mlops.yaml") + RECORDS}, "records")
    other = Project(protected.repo.clone())
    (other.root / "data/sales.csv").write_bytes((protected.root / "data/sales.csv").read_bytes())
    (protected.root / ".dvc/cache").mkdir()
    (other.root / ".dvc/cache").symlink_to(protected.root / ".dvc/cache")
    protected.reconcile()
    assert other.reconcile().problems == ()
    assert other.trainings("stellwerk/records") == ["train: demand v1"]
    assert other.repo.git("rev-parse", "stellwerk/records") == protected.repo.git("rev-parse", "stellwerk/records")


def test_the_loser_of_a_race_for_the_records_merges_main_anew(protected):
    merge_to_main(protected, protected.repo, {"mlops.yaml": protected.repo.read("mlops.yaml") + RECORDS}, "records")
    protected.reconcile()
    other = Project(protected.repo.clone())
    text = protected.repo.read("mlops.yaml").replace("{data: sales}", "{data: sales, params: {bias: 3.0}}")
    merge_to_main(protected, protected.repo, {"mlops.yaml": text}, "a worse model")
    other.repo.git("pull", "--quiet")
    outcome, said = racing(other, protected, "train:demand")
    assert outcome.problems == ()
    assert [event.text for event in said if "another run was faster" in event.text]
    assert other.trainings("stellwerk/records") == ["train: demand v2", "train: demand v1"]
    assert other.repo.git("rev-parse", "stellwerk/records") == remote_ref(protected, "stellwerk/records")
    assert (other.steps(), other.repo.status()) == ([], "")
