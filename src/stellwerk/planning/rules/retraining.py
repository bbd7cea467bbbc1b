"""Data that are taken unasked, and the workflows that take them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stellwerk.model.findings import Severity
from stellwerk.planning.cron import cron_problem, shortest_interval
from stellwerk.planning.rules.nearest import ValidNames
from stellwerk.planning.rules.rule import Problem, Rule, RuleInput, declared
from stellwerk.render.actions import ACTIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stellwerk.model.declared import Model

MOST_OFTEN = 5  # minutes; GitHub starts no schedule more often


def _retrained(given: RuleInput) -> Iterator[Model]:
    for model in given.project.models:
        if model.retrain.schedule is not None or model.retrain.on:
            yield model


def _no_source(given: RuleInput) -> Iterator[Problem]:
    for model in _retrained(given):
        dataset = given.datasets.get(model.train.data) if model.train is not None else None
        if dataset is not None and dataset.source is None:
            yield Problem(
                place=given.place("models", model.name, "retrain"),
                message=f"'{model.name}' is to be trained on new data, but nobody knows where those of '{dataset.name}'"
                " come from",
                hint=f"datasets.{dataset.name}.source: {{command: ...}}, {{url: ...}} or {{file: ...}}",
            )


def _schedules(given: RuleInput) -> Iterator[tuple[tuple[str, ...], str]]:
    """Every schedule that is declared, with its key path."""
    for model in given.project.models:
        if model.retrain.schedule is not None:
            yield ("models", model.name, "retrain", "schedule"), model.retrain.schedule
    if given.project.workflows is not None:
        yield ("workflows", "drift"), given.project.workflows.drift


def _wrong_schedule(given: RuleInput) -> Iterator[Problem]:
    for keys, text in _schedules(given):
        problem = cron_problem(text)
        if problem:
            yield Problem(
                place=given.place(*keys),
                message=f"'{text}' is no schedule: {problem}",
                hint="minute hour day-of-month month day-of-week in UTC, such as '0 3 * * 1' (Mondays at 3:00)",
            )


def _too_often(given: RuleInput) -> Iterator[Problem]:
    workflows = given.project.workflows
    if workflows is None or workflows.provider != "github":
        return
    for keys, text in _schedules(given):
        if not cron_problem(text) and shortest_interval(text) < MOST_OFTEN:
            yield Problem(
                place=given.place(*keys),
                message=f"'{text}' asks for runs {shortest_interval(text)} minutes apart; GitHub starts them every"
                f" {MOST_OFTEN} minutes at most",
                hint=f"*/{MOST_OFTEN} in the first field, or less often",
            )


def _no_workflows(given: RuleInput) -> Iterator[Problem]:
    if given.project.workflows is not None:
        return
    for model in _retrained(given):
        yield Problem(
            place=given.place("models", model.name, "retrain"),
            message=f"'{model.name}' is to be trained on new data unasked, but no workflow is declared that does it",
            hint="workflows: {}, or call `stellwerk snapshot --due` and `stellwerk reconcile` from a job of your own",
        )


def _unknown_action(given: RuleInput) -> Iterator[Problem]:
    workflows, known = given.project.workflows, ValidNames(ACTIONS)
    for name in workflows.actions if workflows is not None else ():
        if name not in ACTIONS:
            yield Problem(
                place=given.place("workflows", "actions", name),
                message=f"no rendered workflow uses the action '{name}'",
                hint=known.hint(name, otherwise=f"one of {', '.join(sorted(ACTIONS))}"),
            )


def _shop(retrain: str, *, source: str = ", source: {url: 'https://example.com/sales.csv'}", more: str = "") -> str:
    return (
        f"datasets:\n  sales: {{path: data/sales.csv{source}}}\n"
        "models:\n"
        "  demand:\n"
        "    source: demand.py\n"
        "    target: sold\n"
        "    train: {data: sales}\n"
        f"    retrain: {retrain}\n"
        f"workflows: {{{more}}}\n"
    )


_MONDAYS = "{schedule: '0 3 * * 1'}"
_PIN = "08c6903cd8c0fde910a37f88322edcfb5dd907a8 # v5.0.0"

RULES = (
    Rule(
        id="SW701",
        title="new data from nowhere",
        severity=Severity.WARNING,
        explanation="`retrain` takes new snapshots of the training data from their `source`. Without one"
        " it does nothing.",
        failing=declared(_shop(_MONDAYS, source="")),
        passing=declared(_shop(_MONDAYS)),
        check=_no_source,
    ),
    Rule(
        id="SW702",
        title="schedule that never comes",
        severity=Severity.ERROR,
        explanation="A schedule is five fields of cron in UTC: minute (0-59), hour (0-23), day of the month (1-31),"
        " month (1-12 or JAN-DEC) and day of the week (0-6 or SUN-SAT), each with `*`, `,`, `-` and `/`. A field out of"
        " its range, and a day that no month has, never come to pass.",
        failing=declared(_shop("{schedule: '0 25 * * 1'}")),
        passing=declared(_shop(_MONDAYS)),
        check=_wrong_schedule,
    ),
    Rule(
        id="SW703",
        title="schedule that comes too often",
        severity=Severity.WARNING,
        explanation="GitHub starts scheduled workflows at most every five minutes, and leaves out the others.",
        failing=declared(_shop("{schedule: '*/2 * * * *'}")),
        passing=declared(_shop("{schedule: '*/5 * * * *'}")),
        check=_too_often,
    ),
    Rule(
        id="SW704",
        title="nobody takes new data",
        severity=Severity.WARNING,
        explanation="`retrain` says when new data are taken, and the rendered workflows take them. Without `workflows`"
        " none is rendered.",
        failing=declared(_shop(_MONDAYS).replace("workflows: {}\n", "")),
        passing=declared(_shop(_MONDAYS)),
        check=_no_workflows,
    ),
    Rule(
        id="SW705",
        title="unknown action",
        severity=Severity.ERROR,
        explanation="`workflows.actions` replaces the commits of the actions that rendered workflows use. A name that"
        " none of them uses is most likely misspelt, and the action that was meant keeps its commit.",
        failing=declared(_shop(_MONDAYS, more=f"actions: {{actions/check-out: '{_PIN}'}}")),
        passing=declared(_shop(_MONDAYS, more=f"actions: {{actions/checkout: '{_PIN}'}}")),
        check=_unknown_action,
    ),
)
