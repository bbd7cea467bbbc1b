"""Two machines reconcile the same repository: the push decides, the loser plans again."""

from __future__ import annotations

import os

import pytest
import yaml
from projects import Project, later, racing

from stellwerk.app import ReconcileRequest
from stellwerk.errors import PushLostError


@pytest.fixture
def twins(small):
    """Two clones of one remote that share a DVC cache, as the runners of one site do."""
    small.repo.remote()
    other = Project(small.repo.clone())
    (other.root / "data/sales.csv").write_bytes((small.root / "data/sales.csv").read_bytes())
    (small.root / ".dvc/cache").mkdir()
    (other.root / ".dvc/cache").symlink_to(small.root / ".dvc/cache")
    return small, other


def test_the_loser_of_a_push_plans_again_and_makes_no_second_version(twins):
    winner, loser = twins
    outcome, said = racing(loser, winner, "train:demand")
    assert outcome.problems == ()
    assert [event.text for event in said if "another run was faster" in event.text]
    assert loser.trainings() == ["train: demand v1"]
    assert loser.repo.head() == winner.repo.head() == loser.repo.git("rev-parse", "origin/main")
    assert (loser.steps(), loser.repo.status()) == ([], "")


def test_a_clone_that_comes_late_takes_over_what_the_first_one_did(twins):
    first, late = twins
    first.reconcile()
    assert late.reconcile().done == ()
    assert late.repo.head() == first.repo.head()
    assert late.repo.stellwerk("plan", "--detailed-exitcode").returncode == 0


def test_a_training_that_was_done_is_not_repeated_after_a_lost_push(twins):
    """Somebody pushes another file meanwhile: the version is born on top of it, from DVC's run cache."""
    first, loser = twins
    trained = []

    def push_a_note(event):
        if event.kind == "line":
            trained.append(event.text)
        if (
            event.kind == "done"
            and event.done.step.key == "train:demand"
            and "notes.txt" not in first.repo.git("ls-files")
        ):
            first.repo.gen({"notes.txt": "hello"}, commit="a note")
            first.repo.git("push", "--quiet", "origin", "main")

    outcome = loser.workspace.reconcile(ReconcileRequest(), push_a_note)
    assert outcome.problems == ()
    assert loser.trainings() == ["train: demand v1"]
    assert "a note" in loser.repo.log()
    assert sum(line.startswith("mean_absolute_error:") for line in trained) == 1


def test_versions_of_two_models_are_numbered_by_the_push_that_wins(twins):
    winner, loser = twins
    winner.edit("mlops.yaml", "train: {data: sales}", "train: {data: sales, params: {bias: 1.0}}")
    loser.repo.git("pull", "--quiet")
    racing(loser, winner, "train:demand")
    record = yaml.safe_load(loser.repo.read("registry/demand/1/version.yaml"))
    assert record["number"] == 1
    assert loser.trainings() == ["train: demand v1"]


def test_a_branch_that_has_diverged_is_an_error_of_its_own(twins):
    first, other = twins
    first.reconcile()
    other.repo.gen({"notes.txt": "hello"}, commit="a note")
    with pytest.raises(PushLostError, match="have diverged") as lost:
        other.reconcile()
    assert lost.value.hint == "git pull --rebase, then run it again"
    assert other.repo.stellwerk("reconcile").returncode == 4
    assert other.repo.log()[0] == "a note"


def losing(project, at, meanwhile):
    """Reconcile; once the step `at` is done, `meanwhile()` happens before the push. Returns the outcome and the events."""
    said, happened = [], []

    def on_event(event):
        said.append(event)
        if event.kind == "done" and event.done.step.key == at and not happened:
            happened.append(at)
            meanwhile()

    return project.workspace.reconcile(ReconcileRequest(), on_event), said


def executions(said) -> int:
    """How often the training script ran: it prints its measurements, DVC's run cache does not."""
    return sum(event.kind == "line" and event.text.startswith("mean_absolute_error:") for event in said)


def starts(said, key: str) -> int:
    return sum(event.kind == "start" and event.step.key == key for event in said)


def test_commits_are_made_again_as_they_were_where_only_another_model_moved(twins):
    first, loser = twins

    def meanwhile():
        first.repo.gen({"registry/other/notes.txt": "hello"}, commit="another model's")
        first.repo.git("push", "--quiet", "origin", "main")

    outcome, said = losing(loser, "train:demand", meanwhile)
    assert (outcome.problems, executions(said), starts(said, "train:demand")) == ((), 1, 1)
    assert [event.text for event in said if event.kind == "observe" and "made again" in event.text]
    assert loser.repo.log()[0] == "train: demand v1"
    assert "another model's" in loser.repo.log()
    assert loser.repo.head() == loser.repo.git("rev-parse", "origin/main")
    commits = set(loser.repo.git("rev-list", "HEAD").splitlines())
    assert {done.commit for done in outcome.done} <= commits
    assert {done.step.key for done in outcome.done} >= {"train:demand", "snapshot:sales"}
    assert outcome.pushed == "main to origin"
    assert (loser.steps(), loser.repo.status()) == ([], "")


def test_a_training_is_used_again_and_numbered_after_a_version_of_the_same_model_that_won(twins):
    first, loser = twins

    def meanwhile():
        plain = first.repo.read("mlops.yaml")
        first.edit("mlops.yaml", "train: {data: sales}", "train: {data: sales, params: {bias: 1.0}}")
        with later():
            first.reconcile()
        first.repo.gen({"mlops.yaml": plain}, commit="as it was")
        first.repo.git("push", "--quiet", "origin", "main")

    outcome, said = losing(loser, "train:demand", meanwhile)
    assert (outcome.problems, executions(said)) == ((), 1)
    assert loser.trainings() == ["train: demand v2", "train: demand v1"]
    ours, theirs = (yaml.safe_load(loser.repo.read(f"registry/demand/{number}/version.yaml")) for number in (2, 1))
    assert (ours["number"], ours.get("params"), theirs["params"]) == (2, None, {"bias": 1.0})
    assert ours["fingerprint"] != theirs["fingerprint"]
    assert (loser.steps(), loser.repo.status()) == ([], "")


def test_a_second_reconcile_in_the_same_clone_ends_with_the_name_of_the_first(small):
    small.repo.remote()
    refused = []

    def on_event(event):
        if event.kind == "start" and not refused:
            refused.append(small.repo.stellwerk("reconcile"))
            assert small.repo.stellwerk("plan").returncode == 0  # reading stands in no line

    small.workspace.reconcile(ReconcileRequest(), on_event)
    (second,) = refused
    assert second.returncode == 1
    assert f"another reconcile is at work in this clone: process {os.getpid()} on " in second.stderr
    assert small.trainings() == ["train: demand v1"]


def test_a_commit_made_in_the_same_clone_meanwhile_is_neither_lost_nor_overwritten(small):
    small.repo.remote()

    def meanwhile():
        small.repo.gen({"notes.txt": "hello"}, commit="a note")

    outcome, said = losing(small, "snapshot:sales", meanwhile)
    assert (outcome.problems, executions(said)) == ((), 1)
    assert sorted(small.repo.log()) == sorted(
        ["start", *(done.summary.partition(" (")[0] for done in outcome.done), "a note"]
    )
    assert small.repo.head() == small.repo.git("rev-parse", "origin/main")
    assert (small.steps(), small.repo.status()) == ([], "")


def test_what_a_killed_run_left_unpushed_is_carried_over_what_won_meanwhile(twins):
    first, killed = twins
    killed.reconcile(push=False)
    unpushed = killed.repo.log("origin/main..main")
    first.repo.gen({"registry/other/notes.txt": "hello"}, commit="another model's")
    first.repo.git("push", "--quiet", "origin", "main")
    assert killed.reconcile().done == ()
    assert killed.repo.log() == [*unpushed, "another model's", "start"]
    assert killed.repo.head() == killed.repo.git("rev-parse", "origin/main")
    assert killed.repo.status() == ""
