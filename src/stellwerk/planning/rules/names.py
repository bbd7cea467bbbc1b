"""SW20x: a name that is used must be declared."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stellwerk.model.declared import Owners
from stellwerk.model.findings import Severity
from stellwerk.planning.rules.nearest import ValidNames
from stellwerk.planning.rules.rule import Problem, Rule, RuleInput, declared

if TYPE_CHECKING:
    from collections.abc import Iterator

ROLES = ("accountable", "develops", "operates", "monitors", "retrains")

Use = tuple[str, tuple[str | int, ...]]


def _named(owners: Owners) -> tuple[str | None, ...]:
    return (owners.accountable, owners.develops, owners.operates, owners.monitors, owners.retrains)


def _roles(owners: Owners, inherited: Owners, *keys: str) -> Iterator[Use]:
    for role, team, above in zip(ROLES, _named(owners), _named(inherited), strict=True):
        if team is not None and team != above:
            yield team, (*keys, "owners", role)


def team_uses(given: RuleInput) -> Iterator[Use]:
    """Every team that is named, with the keys of the place. A model's inherited owners are the project's own use."""
    project = given.project
    yield from _roles(project.owners, Owners())
    for dataset in project.datasets:
        if dataset.owner is not None:
            yield dataset.owner, ("datasets", dataset.name, "owner")
    for model in project.models:
        if model.owners != project.owners:
            yield from _roles(model.owners, project.owners, "models", model.name)
    for environment in project.environments:
        if environment.owner is not None:
            yield environment.owner, ("environments", environment.name, "owner")
        for index, rule in enumerate(environment.approval):
            yield rule.by, ("environments", environment.name, "approval", index, "by")


def _teams(given: RuleInput) -> Iterator[Problem]:
    valid = ValidNames(given.teams)
    for team, keys in team_uses(given):
        if team not in given.teams:
            yield Problem(
                place=given.place(*keys),
                message=f"there is no team '{team}'",
                hint=valid.hint(team, otherwise=f"declare it: teams: {{{team}: {{contact: ...}}}}"),
            )


def _datasets(given: RuleInput) -> Iterator[Problem]:
    uses: list[Use] = [
        (dataset.stand_in, ("datasets", dataset.name, "stand_in"))
        for dataset in given.project.datasets
        if dataset.stand_in is not None
    ]
    uses += [
        (model.train.data, ("models", model.name, "train", "data"))
        for model in given.project.models
        if model.train is not None
    ]
    valid = ValidNames(given.datasets)
    for dataset_name, keys in uses:
        if dataset_name not in given.datasets:
            yield Problem(
                place=given.place(*keys),
                message=f"there is no dataset '{dataset_name}'",
                hint=valid.hint(
                    dataset_name,
                    otherwise=f"declare it: datasets: {{{dataset_name}: {{path: data/{dataset_name}.csv}}}}",
                ),
            )


def _environment_uses(given: RuleInput) -> Iterator[Use]:
    for model in given.project.models:
        for index, name in enumerate(model.environments or ()):
            yield name, ("models", model.name, "environments", index)
        if model.trains_in is not None:
            yield model.trains_in, ("models", model.name, "trains_in")
    for environment in given.project.environments:
        if environment.after is not None:
            yield environment.after, ("environments", environment.name, "after")
        if environment.clone_of is not None:
            yield environment.clone_of, ("environments", environment.name, "clone_of")


def _environments(given: RuleInput) -> Iterator[Problem]:
    valid = ValidNames(given.environments)
    for name, keys in _environment_uses(given):
        if name not in given.environments:
            yield Problem(
                place=given.place(*keys),
                message=f"there is no environment '{name}'",
                hint=valid.hint(name, otherwise=f"declare it in environments/{name}.yaml"),
            )


def _classifications(given: RuleInput) -> Iterator[Problem]:
    ordered = given.project.classifications
    uses: list[Use] = [
        (dataset.classification, ("datasets", dataset.name, "classification"))
        for dataset in given.project.datasets
        if dataset.classification is not None
    ]
    uses += [
        (name, ("environments", environment.name, "data", "allows", index))
        for environment in given.project.environments
        for index, name in enumerate(environment.allows or ())
    ]
    valid = ValidNames(ordered)
    for name, keys in uses:
        if name not in ordered:
            yield Problem(
                place=given.place(*keys),
                message=f"there is no classification '{name}'",
                hint=valid.hint(name, otherwise=f"declare them, least sensitive first: classifications: [{name}]"),
            )


def _renames(given: RuleInput) -> Iterator[Problem]:
    heirs: dict[str, str] = {}
    for model in given.project.models:
        if model.previously is None:
            continue
        place = given.place("models", model.name, "previously")
        if model.previously in given.models:
            yield Problem(
                place=place,
                message=f"'{model.previously}' still exists, so '{model.name}' cannot be its new name",
                hint=f"delete the model '{model.previously}', or this line",
            )
        elif model.previously in heirs:
            yield Problem(
                place=place,
                message=f"'{model.name}' and '{heirs[model.previously]}' both claim to be '{model.previously}' renamed",
                hint="a history has one heir: keep the line in one of them",
            )
        elif given.observed and {model.previously, model.name} <= given.observed.models.keys():
            yield Problem(
                place=place,
                message=f"registry/{model.name} holds another model that once had this name, so the history of"
                f" '{model.previously}' cannot move there",
                hint="choose a name that was never used, or delete this line: then both histories stay as they are",
            )
        heirs.setdefault(model.previously, model.name)


def _own_stand_in(given: RuleInput) -> Iterator[Problem]:
    for dataset in given.project.datasets:
        if dataset.stand_in == dataset.name:
            yield Problem(
                place=given.place("datasets", dataset.name, "stand_in"),
                message=f"'{dataset.name}' stands in for itself",
                hint="name another dataset, with synthetic or anonymised rows",
            )


_CHURN = "models: {churn: {source: churn.py, target: churned, train: {data: customers}}}"
_CUSTOMERS = "datasets: {customers: {path: data/customers.csv}}"

RULES = (
    Rule(
        id="SW201",
        title="unknown team",
        severity=Severity.ERROR,
        explanation="Owners and approvals name teams, and a team is declared under `teams`. A name nobody declared"
        " would leave a model without an owner, or a promotion waiting for people who do not exist.",
        failing=declared("teams: {forecasting: {contact: forecasting@example.com}}\nowners: {develops: forecastin}"),
        passing=declared("teams: {forecasting: {contact: forecasting@example.com}}\nowners: {develops: forecasting}"),
        check=_teams,
    ),
    Rule(
        id="SW202",
        title="unknown dataset",
        severity=Severity.ERROR,
        explanation="A model trains on a declared dataset, and a stand-in is a declared dataset too.",
        failing=declared(f"{_CUSTOMERS}\n{_CHURN.replace('data: customers', 'data: custmers')}"),
        passing=declared(f"{_CUSTOMERS}\n{_CHURN}"),
        check=_datasets,
    ),
    Rule(
        id="SW203",
        title="unknown environment",
        severity=Severity.ERROR,
        explanation="`environments`, `trains_in`, `after` and `clone_of` name environments, each a file"
        " `environments/<name>.yaml`.",
        failing=declared(
            _CUSTOMERS,
            staging="purpose: integration",
            production="purpose: production\nafter: stagin",
        ),
        passing=declared(
            _CUSTOMERS,
            staging="purpose: integration",
            production="purpose: production\nafter: staging",
        ),
        check=_environments,
    ),
    Rule(
        id="SW206",
        title="dataset standing in for itself",
        severity=Severity.ERROR,
        explanation="A stand-in replaces a dataset where it is forbidden, so it must be another one.",
        failing=declared("datasets: {customers: {path: data/customers.csv, stand_in: customers}}"),
        passing=declared(
            "datasets:\n"
            "  customers: {path: data/customers.csv, stand_in: customers-synthetic}\n"
            "  customers-synthetic: {path: data/synthetic.csv}"
        ),
        check=_own_stand_in,
    ),
    Rule(
        id="SW207",
        title="unknown classification",
        severity=Severity.ERROR,
        explanation="Datasets carry a classification and environments list those they allow. Both must come from"
        " `classifications`, which stands in order from the least to the most sensitive.",
        failing=declared(
            "classifications: [public, internal]\n"
            "datasets: {customers: {path: data/customers.csv, classification: intern}}"
        ),
        passing=declared(
            "classifications: [public, internal]\n"
            "datasets: {customers: {path: data/customers.csv, classification: internal}}"
        ),
        check=_classifications,
    ),
    Rule(
        id="SW209",
        title="rename from a name that is still used, or to one that was",
        severity=Severity.ERROR,
        explanation="`previously: old-name` moves the history of a model to its new name. That needs the old name to"
        " be gone, one heir, and a new name under which nothing is recorded.",
        failing=declared(
            f"{_CUSTOMERS}\n"
            "models:\n"
            "  attrition: {source: churn.py, target: churned, train: {data: customers}}\n"
            "  churn: {previously: attrition, source: new.py, target: churned, train: {data: customers}}"
        ),
        passing=declared(
            f"{_CUSTOMERS}\n"
            "models:\n"
            "  churn: {previously: attrition, source: new.py, target: churned, train: {data: customers}}"
        ),
        check=_renames,
    ),
)
