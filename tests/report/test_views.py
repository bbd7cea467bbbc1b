import msgspec
import pytest

from stellwerk.model.actions import Check, Plan, Step, Train, Wait, WaitKind
from stellwerk.model.records import (
    CheckResult,
    DataRecord,
    HoldoutRecord,
    Measurement,
    PackageRecord,
    Verdict,
    VersionRecord,
)
from stellwerk.model.views import (
    Change,
    Condition,
    Decision,
    Done,
    Explanation,
    Health,
    HistoryEntry,
    Outcome,
    Status,
    StatusRow,
    VersionDiff,
)
from stellwerk.report.checks import checks_json, checks_text
from stellwerk.report.decision import decision_text
from stellwerk.report.history import log_json, log_text
from stellwerk.report.outcome import done_line, outcome_json, outcome_text
from stellwerk.report.status import status_json, status_text
from stellwerk.report.terminal import cells
from stellwerk.report.version_diff import diff_json, diff_text
from stellwerk.report.why import why_json, why_text

PASSED = CheckResult(
    name="rmse",
    passed=True,
    limit="at most 12",
    measured=Measurement(value=10.25, n=1204, low=9.1, high=11.4),
    champion=Measurement(value=10.5, n=1204),
)
REFUSED = CheckResult(
    name="rmse",
    passed=False,
    slice="workingday=0",
    limit="at most 12",
    detail="14 is more than 12",
    measured=Measurement(value=14.0, n=311, low=12.9, high=15.2),
)
WAIT = Wait(
    kind=WaitKind.APPROVAL,
    reason="0 of 1 approvals by credit-risk",
    unblock="stellwerk approve credit production",
    model="credit",
    environment="production",
    version=3,
)
VERDICT = Verdict(
    model="shoe-demand",
    version=3,
    environment="regression",
    key="k",
    package="p",
    policy="q",
    evaluation="e",
    passed=False,
    checks=(PASSED, REFUSED),
    at="2026-01-31T12:00:00Z",
    actor="ada",
    champion=2,
)


def row(environment, version, health, **rest):
    return StatusRow(
        model="shoe-demand", environment=environment, version=version, health=health, **{"candidate": version, **rest}
    )


STATUS = Status(
    basis="1a2b3c4d",
    environments=("integration", "regression", "production"),
    rows=(
        row("integration", None, Health.CHECKED, candidate=3),
        row("regression", None, Health.FAILED, candidate=3),
        row("production", 2, Health.HEALTHY, candidate=3, waits=("regression refuses v3",), live="runs v2"),
    ),
    models=(("shoe-demand", 3, ""),),
    datasets=(("sales", "9c1f02a6d3"), ("returns", None)),
)


def test_status_says_what_keeps_a_model_from_a_new_version_beside_what_waits_in_environments():
    failed = msgspec.structs.replace(STATUS, models=(("shoe-demand", None, "training failed before: no luck"),))
    told = status_text(failed, color=False, width=80).split("Waiting\n")[1].splitlines()
    assert told[:2] == [
        "  ! shoe-demand: training failed before: no luck",
        "  ! shoe-demand in production: regression refuses v3",
    ]


def test_status_is_a_table_of_models_and_environments_with_words_for_every_state():
    assert status_text(STATUS, color=False, width=80) == (
        "As of 1a2b3c4\n"
        "\n"
        "model        integration   regression   production\n"
        "shoe-demand  ✓ v3 checked  ✗ v3 failed  ✓ v2 ok → v3\n"
        "\n"
        "Waiting\n"
        "  ! shoe-demand in production: regression refuses v3\n"
        "\n"
        "Seen at the targets\n"
        "  shoe-demand in production: runs v2\n"
        "\n"
        "dataset  snapshot\n"
        "sales    9c1f02a\n"
        "returns  –\n"
    )


def test_status_fits_any_terminal_by_eliding_and_then_by_stacking():
    model = "a-model-with-a-name-that-is-" + "very-" * 30 + "long"
    rows = tuple(msgspec.structs.replace(item, model=model) for item in STATUS.rows)
    status = msgspec.structs.replace(STATUS, rows=rows, environments=tuple(item.environment for item in rows))
    for width in (100, 60, 40, 24):
        table = status_text(status, color=False, width=width).split("\n\n")[1]
        assert all(cells(line) <= width for line in table.splitlines())
        assert "a-" in table
    assert "model" not in status_text(status, color=False, width=24).split("\n\n")[1].splitlines()[0].split()


def test_every_health_is_told_apart_without_colour():
    shown = set()
    for health in Health:
        status = msgspec.structs.replace(STATUS, rows=(row("production", 2, health),), environments=("production",))
        shown.add(status_text(status, color=False, width=80).splitlines()[3])
    assert len(shown) == len(Health)


def test_status_without_environments_lists_versions_and_snapshots():
    status = Status(
        basis="", environments=(), rows=(), models=(("churn", 1, "current"),), datasets=(("customers", "ab" * 16),)
    )
    assert status_text(status, color=False, width=80) == (
        "Before the first commit\n\nmodel  version\nchurn  v1       current\n\ndataset    snapshot\ncustomers  abababa\n"
    )


def test_status_json_is_valid(assert_valid):
    content = assert_valid("status", status_json(STATUS))
    assert content["rows"][2]["health"] == "healthy"
    assert content["datasets"][1] == {"dataset": "returns", "md5": None}


def test_checks_show_value_rows_interval_limit_and_champion():
    assert checks_text((PASSED, REFUSED), color=False, width=100) == (
        "          check                    value  rows   interval            limit       champion\n"
        "✓ ok      rmse                     10.25  1,204  9.1 to 11.4 (95%)   at most 12  10.5\n"
        "✗ failed  rmse where workingday=0  14     311    12.9 to 15.2 (95%)  at most 12\n"
        "  rmse where workingday=0: 14 is more than 12\n"
        "\n"
        "1 of 2 checks failed.\n"
    )


def test_columns_that_no_check_fills_are_left_out():
    text = checks_text((CheckResult(name="unit tests", passed=True),), color=False, width=80)
    assert text == "      check\n✓ ok  unit tests\n\nThe check passed.\n"


def test_checks_json_is_valid_even_where_a_number_is_not_finite(assert_valid):
    odd = msgspec.structs.replace(PASSED, measured=Measurement(value=float("nan"), n=0, problem="one class only"))
    content = assert_valid("checks", checks_json((odd, REFUSED), "shoe-demand", None))
    assert content["passed"] is False
    assert content["checks"][0]["measured"]["value"] is None


EXPLANATION = Explanation(
    model="shoe-demand",
    environment="production",
    version=3,
    released=2,
    conditions=(
        Condition(text="trained", met=True),
        Condition(text="regression passes", met=False, unblock="lower rmse or change its threshold"),
    ),
    verdict=VERDICT,
    next_steps=(
        Step(action=Check(model="shoe-demand", environment="regression", version=3), reason="thresholds changed"),
    ),
)


def test_why_lists_every_condition_what_would_meet_it_and_the_failed_checks():
    text = why_text((EXPLANATION,), color=False, width=100)
    assert text.startswith(
        "shoe-demand → production: v2 is released; v3 is next, 1 of 2 conditions unmet\n"
        "  ✓ trained\n"
        "  ✗ regression passes\n"
        "      → lower rmse or change its threshold\n"
    )
    assert "rmse where workingday=0: 14 is more than 12" in text
    assert "✓ ok" not in text
    assert text.endswith("  Next reconcile:\n  =  check v3 in regression\n       thresholds changed\n")


def test_why_without_environments_says_so():
    assert "nothing is promoted" in why_text((), color=False, width=80)


def test_why_json_is_valid(assert_valid):
    content = assert_valid("why", why_json((EXPLANATION,)))
    assert content["explanations"][0]["next_steps"][0]["action"] == "check"


def version(number, reason):
    return VersionRecord(
        model="shoe-demand",
        number=number,
        origin="trained",
        trigger="change",
        reason=reason,
        fingerprint="f" * 64,
        parts={},
        data=DataRecord(dataset="sales", path="data/sales.csv", md5="m", sha256="s", size=1, rows=1, columns=()),
        holdout=HoldoutRecord(seed=0, rows=1, digest="d", train_rows=1),
        task="regression",
        params={},
        seed=0,
        metrics={},
        package=PackageRecord(md5="m.dir", sha256="s", size=1, files=1, format="joblib"),
        parent=number - 1 or None,
        python="3.12",
        packages={},
        isolation="namespace",
        duration=1.0,
        cpu=1.0,
        peak_memory=1,
        actor="ada",
    )


DIFF = VersionDiff(
    model="shoe-demand",
    left=version(2, "first"),
    right=version(3, "depth changed: 3 → 4"),
    changes=(
        Change(part="metrics", name="rmse", old=10.5, new=10.25),
        Change(part="params", name="depth", old=3, new=4),
        Change(part="data", name="sales", old="9c1f" * 8, new="03ab" * 8),
    ),
    code="--- a/demand.py\n+++ b/demand.py\n@@ -1 +1 @@\n-depth = 3\x1b[2J\n+depth = 4\n",
)


def test_a_diff_goes_part_by_part_from_old_to_new_and_ends_with_the_code():
    assert diff_text(DIFF, color=False, width=100) == (
        "shoe-demand v2 → v3\n"
        "  depth changed: 3 → 4\n"
        "\n"
        "data\n"
        "  sales  9c1f9c1… → 03ab03a…\n"
        "\n"
        "params\n"
        "  depth  3 → 4\n"
        "\n"
        "metrics\n"
        "  rmse  10.5 → 10.25 (-0.25)\n"
        "\n"
        "--- a/demand.py\n"
        "+++ b/demand.py\n"
        "@@ -1 +1 @@\n"
        "-depth = 3\\x1b[2J\n"
        "+depth = 4\n"
    )


def test_a_diff_leaves_out_a_reason_that_compares_with_another_version():
    told = diff_text(msgspec.structs.replace(DIFF, left=version(1, "first")), color=False, width=100)
    assert told.startswith("shoe-demand v1 → v3\n\ndata\n")


def test_diff_json_is_valid(assert_valid):
    content = assert_valid("diff", diff_json(DIFF))
    assert content["left"]["version"] == 2
    assert content["changes"][1] == {"part": "params", "name": "depth", "old": 3, "new": 4}


ENTRY = HistoryEntry(
    commit="1a2b3c4d5e6f",
    at="2026-01-31T12:00:00Z",
    author="Ada <ada@example.com>",
    action="promote",
    summary="promote: shoe-demand v3 to production",
    body="because: every gate is open\nrmse 10.25\n\nStellwerk-Action: promote\nStellwerk-Version: 3\n",
)


def test_the_log_shows_commit_summary_day_author_and_reason():
    assert log_text((ENTRY,), color=False, width=100) == (
        "1a2b3c4  promote: shoe-demand v3 to production  2026-01-31 Ada <ada@example.com>\n"
        "         because: every gate is open\n"
    )


def test_the_long_log_shows_the_evidence_without_trailers():
    shown = log_text((ENTRY,), color=False, width=100, bodies=True)
    assert "         rmse 10.25\n" in shown
    assert "Stellwerk-Action" not in shown


def test_log_json_is_valid(assert_valid):
    assert assert_valid("log", log_json((ENTRY,)))["entries"][0]["action"] == "promote"


TRAINED = Step(action=Train(model="shoe-demand", fingerprint="f"), reason="new")
OUTCOME = Outcome(
    done=(
        Done(step=TRAINED, summary="train: shoe-demand v3", commit="1a2b3c4d5e6f", detail="because: first version"),
        Done(
            step=EXPLANATION.next_steps[0],
            summary="check: shoe-demand v3 in regression",
            commit="2b3c4d5e",
            passed=False,
            detail="- passed rmse 10.25\n- FAILED rmse (workingday=0) 14\n",
        ),
    ),
    problems=(("deploy:shoe-demand:production", "the target is read-only:\nerrno 30", "make it writable"),),
    remaining=Plan(basis="2b3c", waits=(WAIT,)),
    waits=(WAIT,),
    pushed="main to origin",
)


def test_an_outcome_tells_what_was_done_what_failed_and_each_wait_once():
    assert outcome_text(OUTCOME, color=False, width=100) == (
        "✓ 1a2b3c4  train: shoe-demand v3\n"
        "  because: first version\n"
        "✗ 2b3c4d5  check: shoe-demand v3 in regression\n"
        "  - passed rmse 10.25\n"
        "  - FAILED rmse (workingday=0) 14\n"
        "\n"
        "✗ deploy shoe-demand production failed:\n"
        "    the target is read-only:\n"
        "    errno 30\n"
        "    → make it writable\n"
        "\n"
        "Waiting\n"
        "  !  credit v3 in production: 0 of 1 approvals by credit-risk\n"
        "       → stellwerk approve credit production\n"
        "\n"
        "Done: 2 actions; 1 failed; 1 waiting. Pushed main to origin.\n"
    )


def test_an_outcome_of_nothing_says_so():
    outcome = Outcome(done=(), problems=(), remaining=Plan(basis=""))
    assert outcome_text(outcome, color=False, width=80) == "Nothing to do: what is declared is what is there.\n"


def test_outcome_json_is_valid(assert_valid):
    content = assert_valid("outcome", outcome_json(OUTCOME))
    assert [done["action"] for done in content["done"]] == ["train", "check"]
    assert len(content["waits"]) == 1


def test_a_decision_shows_its_commit_whether_it_was_pushed_and_what_comes_next():
    decision = Decision(
        summary="approve: credit v3 for production",
        commit="1a2b3c4d5e6f",
        pushed=False,
        paths=("registry/credit/3/approvals/production/ada.yaml",),
        next="git push, then stellwerk reconcile",
    )
    assert decision_text(decision, color=False, width=100) == (
        "✓ 1a2b3c4  approve: credit v3 for production (not pushed)\n"
        "  registry/credit/3/approvals/production/ada.yaml\n"
        "Next: git push, then stellwerk reconcile\n"
    )
    assert "Next" not in decision_text(decision, color=False, width=100, hints=False)
    unchanged = Decision(summary="already approved", commit=None, pushed=False)
    assert decision_text(unchanged, color=False, width=100) == "already approved (nothing changed)\n"


def test_of_a_long_log_only_the_end_is_shown():
    log = "\n".join(f"line {number}" for number in range(1000))
    shown = done_line(
        Done(step=TRAINED, summary="failed", commit=None, passed=False, detail=log), color=False, width=100
    )
    lines = shown.split("\n")
    assert lines[:2] == ["✗ ·······  failed", "  … 970 lines before"]
    assert lines[-1] == "  line 999"


@pytest.mark.parametrize(
    ("version", "candidate", "health", "waits", "cell"),
    [
        (None, None, Health.NONE, (), "–"),
        (None, 1, Health.NONE, ("an approval",), "v1 waits"),
        (None, 1, Health.CHECKED, (), "✓ v1 checked"),
        (2, 2, Health.PENDING, (), "… v2 pending"),
        (2, 3, Health.HELD, (), "‖ v2 held → v3"),
        (None, 3, Health.WITHDRAWN, (), "↓ withdrawn"),
        (2, None, Health.VIOLATED, (), "✗ v2 violated"),
    ],
)
def test_a_cell_names_the_version_its_state_and_what_is_on_its_way(version, candidate, health, waits, cell):
    item = row("production", version, health, candidate=candidate, waits=waits)
    status = msgspec.structs.replace(STATUS, rows=(item,), environments=("production",))
    assert status_text(status, color=False, width=80).splitlines()[3] == f"shoe-demand  {cell}"


def test_a_released_version_that_no_longer_meets_a_condition_is_not_called_fine():
    explanation = msgspec.structs.replace(EXPLANATION, released=3, verdict=None, next_steps=())
    assert why_text((explanation,), color=False, width=100).splitlines()[0] == (
        "shoe-demand → production: v3 is released and is the current version, 1 of 2 conditions unmet"
    )


def test_a_passed_check_without_a_value_says_what_it_found():
    text = checks_text(
        (CheckResult(name="training", passed=True, detail="wape 0.1; suspected"),), color=False, width=80
    )
    assert text == "      check\n✓ ok  training\n  training: wape 0.1; suspected\n\nThe check passed.\n"


def test_what_a_decision_brought_about_at_once_is_not_shown_as_the_next_thing_to_do():
    decision = Decision(summary="rollback: m v2 → v1", commit="1a2b3c4d", pushed=True, then=("deploy: m v1: runs",))
    assert decision_text(decision, color=False, width=100) == (
        "✓ 1a2b3c4  rollback: m v2 → v1 (pushed)\n  then deploy: m v1: runs\n"
    )
