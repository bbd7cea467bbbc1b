"""Every text report at the widths of a narrow, a usual and a wide terminal, and through a pipe."""

import pytest

from stellwerk.model.actions import Check, Deploy, Plan, Step, Train, Wait, WaitKind
from stellwerk.model.records import CheckResult, Measurement, Verdict
from stellwerk.model.views import (
    Condition,
    Decision,
    Done,
    Explanation,
    Health,
    HistoryEntry,
    Outcome,
    Status,
    StatusRow,
)
from stellwerk.report.checks import checks_text
from stellwerk.report.decision import decision_text
from stellwerk.report.history import log_text
from stellwerk.report.outcome import outcome_text
from stellwerk.report.plan_text import plan_text
from stellwerk.report.status import status_text
from stellwerk.report.terminal import UNBOUNDED, cells
from stellwerk.report.why import why_text

LONG = (
    "wape is 0.1189 on 504 rows, asked is wape <= 0.05; bias is 0.9777 on 504 rows, asked is |bias| <= 0.1; and 8 more"
)
COMMIT = "1a2b3c4d5e6f"
ENVIRONMENTS = ("development", "integration-test", "regression", "production")
CHECKS = tuple(
    CheckResult(
        name="wape",
        slice=f"part_of_week={day}",
        passed=False,
        limit="wape worsens by at most 5 %",
        detail=LONG,
        measured=Measurement(value=0.12345, n=504, low=0.11, high=0.13),
        champion=Measurement(value=0.1, n=504),
    )
    for day in ("week", "weekend")
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
    checks=CHECKS,
    at="2026-01-31T12:00:00Z",
    actor="ada",
)
WAIT = Wait(kind=WaitKind.VERDICT, reason=LONG, unblock=LONG, model="shoe-demand", environment="regression", version=3)
TRAIN = Step(
    action=Train(model="shoe-demand", fingerprint=None), reason=LONG, condition="the snapshot passes its checks"
)
CHECK = Step(action=Check(model="shoe-demand", environment="regression", version=3, champion=2), reason=LONG)
DEPLOY = Step(action=Deploy(model="shoe-demand", environment="production", version=3, previous=2), reason=LONG)
PLAN = Plan(basis=COMMIT, steps=(TRAIN, CHECK, DEPLOY), waits=(WAIT,))
OUTCOME = Outcome(
    done=(Done(step=DEPLOY, summary=f"deploy: {LONG}", commit=COMMIT),),
    problems=(("deploy:shoe-demand:production", "the target is read-only", LONG),),
    remaining=PLAN,
    pushed="main to origin",
)
WHY = Explanation(
    model="shoe-demand",
    environment="production",
    version=3,
    released=2,
    conditions=(Condition(text=LONG, met=False, unblock=LONG),),
    verdict=VERDICT,
    next_steps=(CHECK,),
)
STATUS = Status(
    basis=COMMIT,
    environments=ENVIRONMENTS,
    rows=tuple(
        StatusRow(model="shoe-demand", environment=name, version=3, candidate=4, health=Health.VIOLATED, waits=(LONG,))
        for name in ENVIRONMENTS
    ),
    models=(("shoe-demand", 3, ""),),
    datasets=(("sales", COMMIT),),
)
ENTRY = HistoryEntry(
    commit=COMMIT,
    at="2026-01-31T12:00:00Z",
    author="Ada Lovelace <ada@example.com>",
    action="check",
    summary=f"check: {LONG}",
    body=f"because: {LONG}\n\n- FAILED {LONG}\n\nStellwerk-Action: check\n",
)
DECISION = Decision(summary=f"hold: {LONG}", commit=COMMIT, pushed=True, then=(LONG,), next=LONG)
REPORTS = {
    "plan": lambda **how: plan_text(PLAN, **how),
    "outcome": lambda **how: outcome_text(OUTCOME, **how),
    "why": lambda **how: why_text((WHY,), **how),
    "status": lambda **how: status_text(STATUS, **how),
    "log": lambda **how: log_text((ENTRY,), **how),
    "long log": lambda **how: log_text((ENTRY,), bodies=True, **how),
    "decision": lambda **how: decision_text(DECISION, **how),
    "checks": lambda **how: checks_text(CHECKS, **how),
}


@pytest.mark.parametrize("width", [60, 80, 200])
@pytest.mark.parametrize("report", REPORTS.values(), ids=REPORTS.keys())
def test_no_line_is_wider_than_the_terminal(report, width):
    assert max(map(cells, report(color=False, width=width).splitlines())) <= width


@pytest.mark.parametrize("report", REPORTS.values(), ids=REPORTS.keys())
def test_a_pipe_gets_every_sentence_on_one_line(report):
    text = report(color=False, width=UNBOUNDED)
    assert LONG in text or report is REPORTS["status"]
    assert "…" not in text.replace("… ", "")


def test_a_status_too_narrow_for_its_table_is_a_list_that_says_every_state_in_full():
    text = status_text(STATUS, color=False, width=60)
    for name in ENVIRONMENTS:
        assert any(name in line and "✗ v3 violated → v4" in line for line in text.splitlines())


def test_checks_leave_their_intervals_out_before_they_lose_anything_else():
    assert "95%" in checks_text(CHECKS, color=False, width=200)
    narrow = checks_text(CHECKS, color=False, width=100)
    assert "95%" not in narrow
    assert "wape where part_of_week=weekend" in narrow
    assert "wape worsens by at most 5 %" in narrow
