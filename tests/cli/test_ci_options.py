"""What CI asks of `jobs` and `reconcile`."""

import pytest
from msgspec.structs import replace

from stellwerk.errors import StellwerkError
from stellwerk.model.actions import Plan, Wait, WaitKind
from stellwerk.model.views import Outcome
from stellwerk.planning.portion import Portion


def asked(workspace):
    """What the last reconcile was asked for."""
    return [request.portion for name, (request, *_), _ in (c for c in workspace.calls if c[0] == "reconcile")][-1]


def test_without_an_option_the_whole_plan_is_asked_for(run, workspace):
    run("reconcile")
    assert asked(workspace) is None


@pytest.mark.parametrize(
    ("args", "portion"),
    [
        (["--no-render"], Portion(render=False)),
        (["--training"], Portion(training=True)),
        (["--training", "regression"], Portion(training=True, place="regression")),
        (["--training", ""], Portion(training=True, place="")),
        (["--training", "--no-render"], Portion(render=False, training=True)),
        (["--models", " a  b "], Portion(models=("a", "b"))),
        (["--no-render", "--models", ""], Portion(render=False)),
        (["--models", "", "--confirm-trainings", "", "--confirm-removals", ""], None),
    ],
)
def test_a_job_asks_for_its_part(run, workspace, args, portion):
    assert run("reconcile", *args).exit_code == 0
    assert asked(workspace) == portion


def waiting(kind, environment="production"):
    wait = Wait(kind=kind, reason="it waits", unblock="do it", model="churn", environment=environment)
    return Outcome(done=(), problems=(), remaining=Plan(basis=""), waits=(wait,))


@pytest.mark.parametrize(
    ("kind", "usual", "accepted"),
    [
        (WaitKind.APPROVAL, 3, 0),
        (WaitKind.CONFIRMATION, 3, 0),
        (WaitKind.RENDER, 3, 0),
        (WaitKind.PULL_REQUEST, 0, 0),
        (WaitKind.SOAK, 0, 0),
        (WaitKind.REJECTED, 3, 3),
        (WaitKind.VERDICT, 3, 3),
        (WaitKind.TRAINING, 3, 3),
    ],
)
def test_what_waits_for_a_person_may_be_accepted_and_what_was_refused_may_not(run, workspace, kind, usual, accepted):
    workspace.answers["reconcile"] = waiting(kind)
    assert run("reconcile").exit_code == usual
    assert run("reconcile", "--accept-waiting").exit_code == accepted
    assert run("reconcile", "--accept-waiting", "--environment", "production").exit_code == accepted
    assert run("reconcile", "--accept-waiting", "--environment", "integration").exit_code == 0


def test_a_failure_is_never_accepted(run, workspace):
    workspace.answers["reconcile"] = replace(waiting(WaitKind.APPROVAL), problems=(("deploy:a", "refused", ""),))
    assert run("reconcile", "--accept-waiting").exit_code == 1


def test_a_summary_is_appended_where_the_service_collects_them(run, workspace, tmp_path):
    file = tmp_path / "summary.md"
    file.write_text("before\n")
    there = {"GITHUB_STEP_SUMMARY": str(file)}
    assert run("reconcile", "--environment", "production", "--summary", env=there).exit_code == 0
    assert run("reconcile", env=there).exit_code == 0
    text = file.read_text()
    assert text.startswith("before\n### Stellwerk reconcile: production\n")
    assert text.count("train: shoe") == 1
    workspace.answers["reconcile"] = StellwerkError("the remote is <gone>", hint="call @ada")
    assert run("reconcile", "--summary", env=there).exit_code == 1
    assert "the remote is &lt;gone&gt; → call @<!-- -->ada" in file.read_text()
    assert run("reconcile", "--summary").exit_code == 1  # there is no such file: nothing to write


def test_jobs_are_those_of_a_difference_or_of_the_plan(run, workspace):
    assert run("jobs").output.startswith('{\n  "version": 1,\n  "check": []')
    assert run("jobs", "--base", "main", "--format", "github").output == "check=[]\ntraining={}\nenvironments=[]\n"
    run("jobs", "--base", "", "--confirm-trainings", "20", "--confirm-removals", "")
    assert [kwargs for name, _, kwargs in workspace.calls if name == "jobs"] == [
        {"base": None, "trainings": None, "removals": None},
        {"base": "main", "trainings": None, "removals": None},
        {"base": None, "trainings": 20, "removals": None},
    ]
