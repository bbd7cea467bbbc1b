"""SW6xx: what git records against what is declared: releases, records, and what was deleted while in use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stellwerk.model.declared import Purpose
from stellwerk.model.findings import Place, Severity
from stellwerk.planning.policy import Route
from stellwerk.planning.rules.nearest import ValidNames
from stellwerk.planning.rules.release_examples import born, registry
from stellwerk.planning.rules.rule import Example, Problem, Rule, RuleInput, declared

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from stellwerk.model.declared import Environment, Model
    from stellwerk.model.observed import Observed, Version
    from stellwerk.model.records import Release

Named = tuple[str, str, "Release", Place]


def _releases(given: RuleInput) -> Iterator[Named]:
    """Every release as (environment, model, release, place)."""
    if given.observed is None:
        return
    for (environment, model), release in given.observed.releases.items():
        path = f"environments/{environment}/{model}.yaml"
        yield environment, model, release, given.observed.release_places.get((environment, model)) or Place(path=path)


def _versions(observed: Observed, model: str) -> Mapping[int, Version]:
    return observed.models[model].versions if model in observed.models else {}


def _renamed(given: RuleInput) -> dict[str, str]:
    return {model.previously: model.name for model in given.project.models if model.previously is not None}


def _unborn(given: RuleInput) -> Iterator[Problem]:
    if given.observed is None:
        return
    for environment, name, release, place in _releases(given):
        versions = _versions(given.observed, name)
        if name in given.models and release.version not in versions:
            newest = f"the newest is {max(versions)}" if versions else "none was born yet; delete this file"
            yield Problem(
                place=place,
                message=f"'{environment}' wants version {release.version} of '{name}', which does not exist",
                hint=newest,
            )


class _Asking:
    """Which environment on a model's way asks something of a version before it is released."""

    __slots__ = ("_known", "_route")

    def __init__(self, route: Route) -> None:
        self._route = route
        self._known: dict[tuple[str, bool], bool] = {}

    def before_release(self, model: Model, environment: Environment) -> Environment | None:
        """The nearest one, the environment itself included."""
        current: Environment | None = environment
        walked: set[str] = set()
        while current is not None and current.name not in walked:
            if self._asks(model, current):
                return current
            walked.add(current.name)
            current = self._route.before(model, current)
        return None

    def _asks(self, model: Model, environment: Environment) -> bool:
        # A policy is a digest, too much for each of a thousand models. Only thresholds make one differ in this.
        key = (environment.name, bool(model.thresholds))
        if key not in self._known:
            certain = environment.purpose is not Purpose.PRODUCTION or bool(environment.checks)
            self._known[key] = certain or not self._route.policy(model, environment).empty
        return self._known[key]


def _unchecked(given: RuleInput) -> Iterator[Problem]:
    if given.observed is None:
        return
    asking = _Asking(Route(given.project, given.observed.metric_code))
    for environment_name, name, release, place in _releases(given):
        model, environment = given.models.get(name), given.environments.get(environment_name)
        version = _versions(given.observed, name).get(release.version)
        if model is None or environment is None or version is None or release.withdrawn is not None:
            continue
        judging = asking.before_release(model, environment)
        verdict = version.verdicts.get(judging.name) if judging is not None else None
        if judging is not None and (verdict is None or not verdict.passed):
            what = "was never checked" if verdict is None else "did not pass its checks"
            yield Problem(
                place=place,
                message=f"'{environment_name}' wants version {release.version} of '{name}', which {what}"
                f" in '{judging.name}'",
                hint="a release file alone is no permission; `stellwerk reconcile` checks the version first",
            )


def _strangers(given: RuleInput) -> Iterator[Problem]:
    if given.observed is None:
        return
    renamed = _renamed(given)
    for environment, name, _, place in _releases(given):
        if environment not in given.environments:
            yield Problem(
                place=place,
                message=f"a release for the environment '{environment}', which is not declared",
                hint=ValidNames(given.environments).hint(
                    environment, otherwise=f"declare it in environments/{environment}.yaml"
                ),
            )
        elif name not in given.models and name not in given.observed.models and name not in renamed:
            yield Problem(
                place=place,
                message=f"a release of the model '{name}', which is not declared",
                hint=ValidNames(given.models).hint(name, otherwise="declare the model, or delete this file"),
            )


def _unreadable(given: RuleInput) -> Iterator[Problem]:
    if given.observed is None:
        return
    for path, problem in given.observed.unreadable:
        yield Problem(
            place=Place(path=path),
            message=f"the record cannot be read: {problem.removeprefix(f'{path}: ')}",
            hint=f"`git log {path}` shows who changed it last; restore it from there",
        )


def _deleted_models(given: RuleInput) -> Iterator[Problem]:
    if given.observed is None:
        return
    renamed = _renamed(given)
    for environment, name, release, place in _releases(given):
        known = name in given.observed.models and environment in given.environments
        if known and name not in given.models and name not in renamed:
            yield Problem(
                place=place,
                message=f"'{name}' is no longer declared, but version {release.version} is released in '{environment}':"
                " it will be retired there",
                hint=f"declare it again, or if it has a new name write `previously: {name}` under the new one",
            )


def _deleted_datasets(given: RuleInput) -> Iterator[Problem]:
    if given.observed is None:
        return
    paths = {dataset.path for dataset in given.project.datasets}
    for environment, name, release, _ in _releases(given):
        version = _versions(given.observed, name).get(release.version)
        if name not in given.models or version is None:
            continue
        data = version.record.data
        if data.dataset not in given.datasets and data.path not in paths:
            yield Problem(
                place=given.place("models", name, "train", "data"),
                message=f"version {release.version} of '{name}' serves in '{environment}' and was trained on"
                f" '{data.dataset}', which is no longer declared",
                hint=f"keep datasets.{data.dataset} (path: {data.path}) while that version serves: it is judged on it",
            )


_CHURN = (
    "datasets: {customers: {path: data/customers.csv}}\n"
    "models: {churn: {source: churn.py, target: churned, train: {data: customers}"
    ", thresholds: {log_loss: {max: 0.5}}}}"
)
_DECLARED = declared(
    _CHURN, regression="purpose: regression", production="purpose: production\nafter: regression"
).files
_RELEASE = "environments/production/churn.yaml"
_CHECKED = born("churn", 3, "customers", passed="regression")
_CLIENTS = "datasets: {clients: {path: data/clients.csv}}\n"


def _released(version: int, observed: Observed, note: str) -> Example:
    return Example(files={**_DECLARED, _RELEASE: f"version: {version}\n"}, observed=observed, note=note)


_NOW_CHECKED = _released(3, registry(_CHECKED, release=3), "version 3 exists and passed in regression")

RULES = (
    Rule(
        id="SW601",
        title="release of a version that does not exist",
        severity=Severity.ERROR,
        explanation="A release names a version by its number, and `registry/MODEL/NUMBER/` must be there.",
        failing=_released(7, registry(_CHECKED, release=7), "the newest version is 3"),
        passing=_NOW_CHECKED,
        check=_unborn,
    ),
    Rule(
        id="SW602",
        title="release of a version that did not pass",
        severity=Severity.WARNING,
        explanation="A release file alone is no permission: the version must have passed the checks on its way."
        " Until it has, nothing is deployed.",
        failing=_released(3, registry(born("churn", 3, "customers"), release=3), "version 3 has no verdict"),
        passing=_NOW_CHECKED,
        check=_unchecked,
    ),
    Rule(
        id="SW603",
        title="release of something nobody declared",
        severity=Severity.ERROR,
        explanation="`environments/ENVIRONMENT/MODEL.yaml` is a release of a declared model in a declared environment.",
        failing=Example(
            files={**_DECLARED, "environments/production/chrun.yaml": "version: 3\n"},
            observed=registry(_CHECKED, release=3, released="chrun"),
            note="there never was a model chrun",
        ),
        passing=_NOW_CHECKED,
        check=_strangers,
    ),
    Rule(
        id="SW604",
        title="record that cannot be read",
        severity=Severity.ERROR,
        explanation="Records are written by the reconciler and never edited. One that cannot be read hides a"
        " decision, so nothing is decided on top of it.",
        failing=Example(
            files={**_DECLARED, "registry/churn/4/version.yaml": "model: churn\n"},
            observed=registry(_CHECKED, unreadable=("registry/churn/4/version.yaml", "number: is missing")),
        ),
        passing=Example(files=_DECLARED, observed=registry(_CHECKED)),
        check=_unreadable,
    ),
    Rule(
        id="SW605",
        title="model deleted while it is released",
        severity=Severity.WARNING,
        explanation="A model that is no longer declared is retired wherever it runs. Its registry stays.",
        failing=Example(
            files={
                **declared("datasets: {customers: {path: data/customers.csv}}", production="purpose: production").files,
                _RELEASE: "version: 3\n",
            },
            observed=registry(_CHECKED, release=3),
        ),
        passing=_NOW_CHECKED,
        check=_deleted_models,
    ),
    Rule(
        id="SW606",
        title="dataset deleted while a released version needs it",
        severity=Severity.WARNING,
        explanation="A released version is judged again when its thresholds change, on the snapshot it was trained"
        " from. That needs the dataset's declaration.",
        failing=Example(
            files={
                **_DECLARED,
                "mlops.yaml": f"version: 1\n{_CLIENTS}{_CHURN.split(chr(10), 1)[1].replace('customers', 'clients')}\n",
                _RELEASE: "version: 3\n",
            },
            observed=registry(_CHECKED, release=3),
            note="version 3 was trained on `customers`",
        ),
        passing=_NOW_CHECKED,
        check=_deleted_datasets,
    ),
)
