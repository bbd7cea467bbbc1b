"""Who decides and who answers: approvals that can be given, owners that can be reached."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stellwerk.model.declared import Purpose
from stellwerk.model.findings import Severity
from stellwerk.planning.rules.names import team_uses
from stellwerk.planning.rules.rule import Problem, Rule, RuleInput, declared

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stellwerk.model.declared import ApprovalRule, Team
    from stellwerk.model.findings import Place


def _approvals(given: RuleInput) -> Iterator[tuple[ApprovalRule, Team, Place]]:
    for environment in given.project.environments:
        for index, rule in enumerate(environment.approval):
            team = given.teams.get(rule.by)
            if team is not None and (team.members or team.github is None):
                yield rule, team, given.place("environments", environment.name, "approval", index)


def _people(count: int) -> str:
    return "1 person" if count == 1 else f"{count} people"


def _too_many(given: RuleInput) -> Iterator[Problem]:
    for rule, team, place in _approvals(given):
        if rule.count > len(team.members):
            yield Problem(
                place=place,
                message=f"{_people(rule.count)} of '{team.name}' must approve, but it has {len(team.members)}",
                hint=f"add people to teams.{team.name}.members, or lower count",
            )


def _four_eyes(given: RuleInput) -> Iterator[Problem]:
    for rule, team, place in _approvals(given):
        if rule.four_eyes and rule.count == len(team.members):
            yield Problem(
                place=place,
                message=f"all {_people(rule.count)} of '{team.name}' must approve, and who made the change may not"
                if rule.count > 1
                else f"only 1 person of '{team.name}' can approve, and may not approve their own work",
                hint=f"add somebody to teams.{team.name}.members, or let another team approve",
            )


def _unaccounted(given: RuleInput) -> Iterator[Problem]:
    if not given.teams:
        return
    production = [
        environment.name for environment in given.project.environments if environment.purpose is Purpose.PRODUCTION
    ]
    for model in given.project.models:
        if model.owners.accountable is not None:
            continue
        reached = [name for name in production if model.environments is None or name in model.environments]
        if reached:
            yield Problem(
                place=given.place("models", model.name),
                message=f"'{model.name}' reaches '{reached[0]}', but nobody is accountable for it",
                hint=f"models.{model.name}.owners: {{accountable: TEAM}}, or owners.accountable for the whole project",
            )


def _unreachable(given: RuleInput) -> Iterator[Problem]:
    owning = {team for team, keys in team_uses(given) if keys[-1] != "by"}
    for name in sorted(owning):
        team = given.teams.get(name)
        if team is not None and not team.contact:
            yield Problem(
                place=given.place("teams", name),
                message=f"'{name}' owns something here, but nobody knows how to reach it",
                hint=f"teams.{name}.contact: an address, a channel or a telephone number",
            )


_PROJECT = "datasets: {customers: {path: data/customers.csv}}\n"
_TEAM = "teams: {risk: {members: {%s}, contact: risk@example.com}}\n"
_CHURN = "models: {churn: {source: churn.py, target: churned, train: {data: customers}%s}}"

RULES = (
    Rule(
        id="SW310",
        title="more approvals than people",
        severity=Severity.ERROR,
        explanation="An approval rule asks `count` people of a team. A team with fewer members can never give it.",
        failing=declared(
            _PROJECT + _TEAM % "Ada: {}, Grace: {}",
            production="purpose: production\napproval: [{by: risk, count: 3}]",
        ),
        passing=declared(
            _PROJECT + _TEAM % "Ada: {}, Grace: {}, Edsger: {}, Barbara: {}",
            production="purpose: production\napproval: [{by: risk, count: 3}]",
        ),
        check=_too_many,
    ),
    Rule(
        id="SW311",
        title="four eyes that nobody can give",
        severity=Severity.WARNING,
        explanation="With `four_eyes` (the default) who trained a version or edited its thresholds may not approve"
        " it. A team of exactly as many people as must approve is stuck as soon as one of them works on the model.",
        failing=declared(_PROJECT + _TEAM % "Ada: {}", production="purpose: production\napproval: [{by: risk}]"),
        passing=declared(
            _PROJECT + _TEAM % "Ada: {}, Grace: {}", production="purpose: production\napproval: [{by: risk}]"
        ),
        check=_four_eyes,
    ),
    Rule(
        id="SW316",
        title="production model without anybody accountable",
        severity=Severity.WARNING,
        explanation="Where a project declares teams, a model that reaches production needs one that is accountable"
        " for it: `owners.accountable`, in the model or for the whole project.",
        failing=declared(_PROJECT + _TEAM % "Ada: {}" + _CHURN % "", production="purpose: production"),
        passing=declared(
            _PROJECT + _TEAM % "Ada: {}" + _CHURN % ", owners: {accountable: risk}", production="purpose: production"
        ),
        check=_unaccounted,
    ),
    Rule(
        id="SW317",
        title="owner without contact",
        severity=Severity.WARNING,
        explanation="An incident is sent to the `contact` of the team that owns the model. Without one it reaches"
        " nobody.",
        failing=declared(_PROJECT + "teams: {risk: {members: {Ada: {}}}}\nowners: {accountable: risk}"),
        passing=declared(_PROJECT + _TEAM % "Ada: {}" + "owners: {accountable: risk}"),
        check=_unreachable,
    ),
)
