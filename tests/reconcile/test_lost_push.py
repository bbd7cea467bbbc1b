"""Two machines reconcile the same repository: the push decides, the loser plans again."""

from __future__ import annotations

import pytest
import yaml
from projects import Project, racing

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

    from stellwerk.app import ReconcileRequest

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
