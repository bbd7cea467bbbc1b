import dataclasses
import json
from pathlib import Path

import msgspec
import pytest

from stellwerk.model.actions import Plan, Render, Step, Train, Wait, WaitKind
from stellwerk.model.findings import DeclarationsError, Finding, Place, Severity
from stellwerk.model.records import CheckResult
from stellwerk.model.views import Decision, Done, Outcome, Rendered

SCHEMAS = Path(__file__).resolve().parents[2] / "schemas"
STEP = Step(action=Train(model="shoe-demand", fingerprint="f"), reason="sales changed", seconds=8)
DONE = Done(step=STEP, summary="train: shoe-demand v3", commit="1a2b3c4d5e6f")


def last(workspace):
    return workspace.calls[-1]


def test_plan_shows_steps_and_what_to_type_next(run, workspace):
    result = run("plan")
    assert result.exit_code == 0
    assert result.stdout == (
        "shoe-demand\n"
        "  +  train a new version (about 8 s)\n"
        "       sales changed\n"
        "\n"
        "Waiting\n"
        "  !  shoe-demand in production: soaks until noon\n"
        "\n"
        "Plan: 1 to train; 1 waiting. About 8 s.\n"
        "Next: stellwerk reconcile does exactly this.\n"
    )


@pytest.mark.parametrize("args", [("--quiet", "plan"), ("plan", "--quiet"), ("plan", "-q"), ("-q", "plan", "-q")])
def test_quiet_drops_what_is_only_helpful_before_and_after_the_verb(run, workspace, args):
    assert "Next" not in run(*args).stdout


def test_a_switch_after_the_verb_keeps_the_one_before_it(run, workspace):
    text = run("--quiet", "plan", "--no-color", env={"FORCE_COLOR": "1"}).stdout
    assert "Next" not in text
    assert "\x1b[" not in text


@pytest.mark.parametrize(("args", "colored"), [(("plan",), True), (("plan", "--no-color"), False)])
def test_mistakes_are_shown_without_colours_when_asked_after_the_verb(run, workspace, monkeypatch, args, colored):
    workspace.answers["plan"] = DeclarationsError((), {})
    asked = []
    monkeypatch.setattr("stellwerk.report.findings.findings_text", lambda *_, color, **__: asked.append(color) or "")
    assert run(*args, env={"FORCE_COLOR": "1"}).exit_code == 1
    assert asked == [colored]


def test_the_directory_is_given_before_the_verb_only(run, workspace, tmp_path):
    assert run("plan", "-C", str(tmp_path)).exit_code == 64


@pytest.mark.parametrize(("steps", "code"), [((STEP,), 2), ((), 0)])
def test_the_detailed_exit_code_of_plan_is_2_only_when_there_is_something_to_do(run, workspace, steps, code):
    workspace.answers["plan"] = msgspec.structs.replace(workspace.answers["plan"], steps=steps)
    assert run("plan", "--detailed-exitcode").exit_code == code
    assert run("plan").exit_code == 0


def test_plan_passes_its_options_on(run, workspace):
    run("plan", "--at", "HEAD~1", "--model", "m", "--environment", "e", "--confirm-trainings", "9")
    expected = {
        "at": "HEAD~1",
        "model": "m",
        "environment": "e",
        "confirm_trainings": 9,
        "confirm_removals": None,
        "shard": None,
    }
    assert last(workspace) == ("plan", (), expected)


def test_the_plan_that_is_written_is_the_plan_that_is_reconciled(run, workspace, tmp_path):
    assert run("-C", str(tmp_path), "plan", "--out", "plan.json").exit_code == 0
    text = (tmp_path / "plan.json").read_text()
    assert json.loads(text)["steps"][0]["action"] == "train"
    assert run("-C", str(tmp_path), "reconcile", "plan.json").exit_code == 0
    assert last(workspace)[1][0].plan_text == text


def test_a_plan_is_read_from_standard_input(run, workspace):
    run("reconcile", "-", input="{}")
    assert last(workspace)[1][0].plan_text == "{}"


def test_a_plan_file_that_is_not_there_is_an_error_with_a_way_out(run, workspace, tmp_path):
    result = run("-C", str(tmp_path), "reconcile", "absent.json")
    assert result.exit_code == 1
    assert "stellwerk plan --out plan.json" in result.stderr


@pytest.mark.parametrize("form", ["json", "markdown"])
def test_plan_speaks_to_machines_and_pull_requests(run, workspace, form):
    text = run("plan", "--format", form).stdout
    assert text.startswith("{" if form == "json" else "<!-- stellwerk plan -->\n### Stellwerk plan")


def wait(kind):
    return Wait(kind=kind, reason="r", unblock="u", model="m", environment="e")


@pytest.mark.parametrize("kind", WaitKind)
def test_reconcile_exits_with_3_only_for_gates_and_for_what_a_person_must_give(run, workspace, kind):
    workspace.answers["reconcile"] = Outcome(done=(), problems=(), remaining=Plan(basis="", waits=(wait(kind),)))
    asks = kind.name in {"CONFIRMATION", "APPROVAL", "REJECTED", "VERDICT", "TRAINING", "RENDER", "EDITED"}
    assert run("reconcile").exit_code == (3 if asks else 0)


def test_a_failed_operation_outweighs_a_wait(run, workspace):
    problem = ("deploy m to e", "the target is away", "")
    remaining = Plan(basis="", waits=(wait(WaitKind.APPROVAL),))
    workspace.answers["reconcile"] = Outcome(done=(), problems=(problem,), remaining=remaining)
    result = run("reconcile")
    assert result.exit_code == 1
    assert "the target is away" in result.stdout
    assert "the target is away" in run("--quiet", "reconcile").stdout


def events(workspace, *items):
    from stellwerk.app import Event

    workspace.events = tuple(Event(**item) for item in items)


def test_reconcile_prints_one_line_per_finished_action_and_nothing_else_while_it_runs(run, workspace):
    events(
        workspace,
        {"kind": "observe", "text": "reading"},
        {"kind": "start", "step": STEP},
        {"kind": "line", "text": "epoch 1"},
        {"kind": "done", "done": DONE, "step": STEP},
        {"kind": "failed", "done": msgspec.structs.replace(DONE, summary="check: refused", passed=False), "step": STEP},
        {"kind": "failed", "text": "no space left", "step": STEP},
        {"kind": "push", "text": "pushing"},
    )
    result = run("reconcile")
    assert result.exit_code == 0
    lines = (
        "✓ 1a2b3c4  train: shoe-demand v3\n"
        "✗ 1a2b3c4  check: refused\n"
        "✗ ·······  shoe-demand: train a new version failed\n"
    )
    assert result.stdout == f"{lines}\nDone: 1 action. Pushed main to origin.\n"
    assert result.stderr == ""
    assert run("--quiet", "reconcile").stdout == lines


def test_reconcile_passes_its_options_on(run, workspace):
    run("reconcile", "--model", "m", "--environment", "e", "--no-push", "--confirm-removals", "4", "--retry")
    request = last(workspace)[1][0]
    assert dataclasses.asdict(request) == {
        "plan_text": None,
        "model": "m",
        "environment": "e",
        "push": False,
        "confirm_trainings": None,
        "confirm_removals": 4,
        "retry": True,
        "jobs": 1,
        "shard": None,
        "portion": None,
    }


def test_reconcile_tells_machines_what_it_did(run, workspace):
    content = json.loads(run("reconcile", "--format", "json").stdout)
    assert content["done"][0]["commit"] == "1a2b3c4d5e6f"


@pytest.mark.parametrize(("passed", "code"), [(True, 0), (False, 1)])
def test_check_fails_when_a_check_fails(run, workspace, passed, code):
    workspace.answers["check"] = (CheckResult(name="rmse", passed=passed),)
    result = run("check", "shoe-demand", "regression")
    assert result.exit_code == code
    assert "rmse" in result.stdout
    assert last(workspace)[1][:2] == ("shoe-demand", "regression")


@pytest.mark.parametrize(("severity", "code"), [(Severity.ERROR, 1), (Severity.WARNING, 0), (Severity.NOTE, 0)])
@pytest.mark.parametrize("form", ["text", "json", "github", "sarif"])
def test_validate_fails_on_errors_only_in_every_format(run, workspace, severity, code, form):
    finding = Finding(rule="SW201", severity=severity, place=Place(path="mlops.yaml"), message="no team 'x'")
    workspace.answers["validate"] = ((finding,), {"mlops.yaml": "version: 1\n"})
    result = run("validate", "--format", form, "--base", "main")
    assert result.exit_code == code
    assert "no team" in result.stdout
    assert last(workspace) == ("validate", (), {"base": "main"})


def test_validate_says_that_there_is_no_mistake(run, workspace):
    result = run("validate")
    assert (result.exit_code, result.stdout) == (0, "No mistakes found.\n")


@pytest.mark.parametrize(
    ("args", "call"),
    [
        (("snapshot", "sales", "--because", "b"), ("snapshot", ("sales",), {"because": "b", "push": None})),
        (("promote", "m", "e", "--version", "3"), ("promote", ("m", "e"), {"version": 3, "push": None})),
        (
            ("approve", "m", "e", "--as", "ada", "--push"),
            ("approve", ("m", "e"), {"version": None, "because": None, "reject": False, "by": "ada", "push": True}),
        ),
        (
            ("reject", "m", "e", "--because", "b"),
            ("approve", ("m", "e"), {"version": None, "because": "b", "reject": True, "by": None, "push": None}),
        ),
        (
            ("hold", "m", "e", "--because", "b", "--until", "2026-12-01"),
            ("hold", ("m", "e"), {"because": "b", "until": "2026-12-01", "release": False, "push": None}),
        ),
        (
            ("hold", "m", "e", "--end"),
            ("hold", ("m", "e"), {"because": "", "until": None, "release": True, "push": None}),
        ),
        (
            ("rollback", "m", "e", "--because", "b", "--to", "2", "--no-push"),
            ("rollback", ("m", "e"), {"because": "b", "version": 2, "until": None, "push": False}),
        ),
        (("withdraw", "m", "e", "--because", "b"), ("withdraw", ("m", "e"), {"because": "b", "push": None})),
    ],
)
def test_a_decision_reaches_the_workspace_and_its_commit_is_shown(run, workspace, args, call):
    result = run(*args)
    assert result.exit_code == 0
    assert last(workspace) == call
    assert result.stdout == "✓ 1a2b3c4  hold: shoe-demand in production (pushed)\n"
    assert run("--quiet", *args).stdout == ""


def test_status_why_and_log_pass_their_arguments_on(run, workspace):
    assert run("status", "--live").exit_code == 0
    assert last(workspace) == ("status", (), {"live": True})
    assert run("why", "m").exit_code == 0
    assert last(workspace) == ("why", ("m", None), {})
    assert run("log", "m", "--limit", "5").exit_code == 0
    assert last(workspace) == ("log", ("m",), {"limit": 5})


@pytest.mark.parametrize("verb", [("status",), ("why", "m"), ("log", "m"), ("check", "m")])
def test_what_machines_read_is_versioned_json(run, workspace, verb):
    assert json.loads(run(*verb, "--format", "json").stdout)["version"] == 1


def test_render_check_fails_when_a_file_differs(run, workspace):
    workspace.answers["render"] = Rendered(renders=(Render(path="models/churn/dvc.yaml", text="x"),))
    result = run("render", "--check", "--force", "a", "--force", "b")
    assert (result.exit_code, result.stdout) == (1, "~ update models/churn/dvc.yaml\n")
    assert last(workspace) == ("render", (), {"check": True, "force": ("a", "b"), "directory": Path()})
    assert run("render").exit_code == 0


def test_render_shows_the_difference_of_what_it_leaves_alone(run, workspace):
    wait = Wait(
        kind=WaitKind.EDITED, model="churn", reason="dvc.yaml was edited", unblock="undo it", diff="-mine\n+ours"
    )
    workspace.answers["render"] = Rendered(left=(wait,))
    result = run("render")
    assert result.exit_code == 1
    assert "churn: dvc.yaml was edited\n       → undo it\n       -mine\n       +ours\n" in result.stdout


def test_init_lists_what_it_made_and_the_next_step(run, workspace, tmp_path):
    result = run("-C", str(tmp_path), "init", "shop", "--yes")
    assert (result.exit_code, result.stdout) == (0, "+ mlops.yaml\nNext: stellwerk plan\n")
    assert last(workspace) == ("init", (tmp_path / "shop",), {"yes": True})


def test_paths_start_where_dash_c_says(run, workspace, tmp_path):
    run("-C", str(tmp_path), "status")
    assert workspace.calls[0] == ("open", (tmp_path,), {})


@pytest.mark.parametrize(
    ("environ", "args", "colored"),
    [
        ({}, (), False),
        ({"FORCE_COLOR": "1"}, (), True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, (), False),
        ({"FORCE_COLOR": "1", "NO_COLOR": ""}, (), True),
        ({"FORCE_COLOR": "1"}, ("--no-color",), False),
    ],
)
def test_colour_follows_the_terminal_and_the_agreed_variables(run, workspace, environ, args, colored):
    assert ("\x1b[" in run(*args, "plan", env=environ).stdout) == colored


def test_rule_explains_a_rule_and_refuses_an_unknown_one(run):
    from stellwerk.planning.rules.catalogue import RULES

    result = run("rule", RULES[0].id)
    assert result.exit_code == 0
    assert RULES[0].id in result.stdout
    assert run("rule", "SW000").exit_code == 64


def test_decisions_without_a_commit_say_that_nothing_changed(run, workspace):
    workspace.answers["hold"] = Decision(summary="already held", commit=None, pushed=False)
    assert "nothing changed" in run("hold", "m", "e", "--because", "b").stdout


@pytest.mark.parametrize("path", sorted(SCHEMAS.glob("*.schema.json")), ids=lambda path: path.name)
def test_schema_prints_every_schema_that_is_shipped(run, path):
    result = run("schema", path.name.removesuffix(".schema.json"))
    assert (result.exit_code, result.stdout) == (0, path.read_text())


def test_the_help_of_schema_names_every_kind(run):
    words = set(run("schema", "--help").stdout.replace(",", " ").replace("(", " ").replace(")", " ").split())
    assert {path.name.removesuffix(".schema.json") for path in SCHEMAS.glob("*.schema.json")} <= words


def test_a_kind_without_a_schema_is_wrong_usage(run):
    assert run("schema", "../mlops").exit_code == 64
