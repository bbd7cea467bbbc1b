"""Environments are the route: one beginning, one order, and clones that carry what they clone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stellwerk.model.declared import Purpose
from stellwerk.model.findings import Severity
from stellwerk.planning.rules.rule import Problem, Rule, RuleInput, declared

if TYPE_CHECKING:
    from collections.abc import Iterator


def _cycles(given: RuleInput) -> Iterator[Problem]:
    settled: set[str] = set()
    for start in given.environments:
        walked: list[str] = []
        name: str | None = start
        while name is not None and name in given.environments and name not in settled:
            settled.add(name)
            walked.append(name)
            name = given.environments[name].after
        if name is not None and name in walked:
            circle = walked[walked.index(name) :]
            yield Problem(
                place=given.place("environments", circle[0], "after"),
                message=f"the environments go in a circle: {' after '.join([*circle, circle[0]])}",
                hint="one environment is the first: take its `after` away",
            )


def _roots(given: RuleInput) -> Iterator[Problem]:
    roots = sorted(environment.name for environment in given.project.environments if environment.after is None)
    for name in roots[1:]:
        yield Problem(
            place=given.place("environments", name),
            message=f"'{name}' stands after nothing, like '{roots[0]}': a route has one beginning",
            hint=f"say where it comes: after: {roots[0]} (or the other way round, in environments/{roots[0]}.yaml)",
        )


def _clones(given: RuleInput) -> Iterator[Problem]:
    for environment in given.project.environments:
        original = given.environments.get(environment.clone_of or "")
        if original is None:
            continue
        if original.name == environment.name:
            yield Problem(
                place=given.place("environments", environment.name, "clone_of"),
                message=f"'{environment.name}' is a clone of itself",
                hint="name the environment whose controls it must carry",
            )
        carried = {control.name for control in environment.controls}
        missing = [control.name for control in original.controls if control.name not in carried]
        if missing:
            yield Problem(
                place=given.place("environments", environment.name, "controls"),
                message=f"'{environment.name}' clones '{original.name}' but lacks its controls: {', '.join(missing)}",
                hint=f"add to controls in {given.place('environments', environment.name).path}: {', '.join(missing)}",
            )


def _unjudged(given: RuleInput) -> Iterator[Problem]:
    judges = {environment.name for environment in given.project.environments if _judges(environment.purpose)}
    ends = [environment for environment in given.project.environments if environment.purpose is Purpose.PRODUCTION]
    for model in given.project.models:
        if not judges or not model.thresholds or model.environments is None or judges & {*model.environments}:
            continue
        reached = [environment.name for environment in ends if environment.name in model.environments]
        if reached:
            yield Problem(
                place=given.place("models", model.name, "environments"),
                message=f"'{model.name}' reaches '{reached[0]}' without an environment that judges its thresholds",
                hint=f"add {min(judges)} to models.{model.name}.environments",
            )


def _judges(purpose: Purpose) -> bool:
    return purpose is Purpose.REGRESSION


def _no_thresholds(given: RuleInput) -> Iterator[Problem]:
    judges = [environment.name for environment in given.project.environments if _judges(environment.purpose)]
    for model in given.project.models:
        if model.thresholds or model.train is None:
            continue
        met = [name for name in judges if model.environments is None or name in model.environments]
        if met:
            yield Problem(
                place=given.place("models", model.name),
                message=f"'{model.name}' has no thresholds, so '{met[0]}' lets every version of it pass",
                hint=f"declare what is good enough: models.{model.name}.thresholds: {{METRIC: {{max: ...}}}}",
            )


_CHURN = (
    "datasets: {customers: {path: data/customers.csv}}\n"
    "models: {churn: {source: churn.py, target: churned, train: {data: customers}%s}}"
)
_JUDGED = ", thresholds: {log_loss: {max: 0.5}}"
_PROJECT = "datasets: {customers: {path: data/customers.csv}}"

RULES = (
    Rule(
        id="SW301",
        title="environments in a circle",
        severity=Severity.ERROR,
        explanation="`after` puts the environments in an order: a version reaches one after it has passed the one"
        " before. In a circle no version would ever start.",
        failing=declared(
            _PROJECT,
            staging="purpose: integration\nafter: production",
            production="purpose: production\nafter: staging",
        ),
        passing=declared(_PROJECT, staging="purpose: integration", production="purpose: production\nafter: staging"),
        check=_cycles,
    ),
    Rule(
        id="SW302",
        title="two beginnings of the route",
        severity=Severity.ERROR,
        explanation="One environment is the first and has no `after`; every other one says what it stands after. A"
        " second beginning would be a way around every check of the first.",
        failing=declared(_PROJECT, staging="purpose: integration", production="purpose: production"),
        passing=declared(_PROJECT, staging="purpose: integration", production="purpose: production\nafter: staging"),
        check=_roots,
    ),
    Rule(
        id="SW303",
        title="clone that lacks a control",
        severity=Severity.ERROR,
        explanation="What passed in a clone is trusted in the original. That holds only if the clone carries every"
        " control (by name) of the environment it clones.",
        failing=declared(
            _CHURN % _JUDGED,
            regression="purpose: regression\nclone_of: production\ncontrols: [encrypted disk]",
            production="purpose: production\nafter: regression\ncontrols: [encrypted disk, no internet]",
        ),
        passing=declared(
            _CHURN % _JUDGED,
            regression="purpose: regression\nclone_of: production\ncontrols: [encrypted disk, no internet]",
            production="purpose: production\nafter: regression\ncontrols: [encrypted disk, no internet]",
        ),
        check=_clones,
    ),
    Rule(
        id="SW312",
        title="thresholds that nobody judges",
        severity=Severity.NOTE,
        explanation="Thresholds are judged in environments of the purpose `regression`, and in production where the"
        " route has none. A model that leaves the regression environment out gets to production without being"
        " measured.",
        failing=declared(
            _CHURN % f"{_JUDGED}, environments: [production]",
            regression="purpose: regression",
            production="purpose: production\nafter: regression",
        ),
        passing=declared(
            _CHURN % f"{_JUDGED}, environments: [regression, production]",
            regression="purpose: regression",
            production="purpose: production\nafter: regression",
        ),
        check=_unjudged,
    ),
    Rule(
        id="SW314",
        title="nothing to judge",
        severity=Severity.NOTE,
        explanation="A regression environment judges thresholds. A model that declares none passes it whatever it"
        " predicts.",
        failing=declared(_CHURN % "", regression="purpose: regression"),
        passing=declared(_CHURN % _JUDGED, regression="purpose: regression"),
        check=_no_thresholds,
    ),
)
