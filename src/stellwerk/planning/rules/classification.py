"""Data stay where they are allowed: classifications against environments, and stand-ins where they are forbidden."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stellwerk.model.declared import Purpose
from stellwerk.model.findings import Severity
from stellwerk.planning.rules.rule import Problem, Rule, RuleInput, declared
from stellwerk.planning.training_place import covers, first_allowing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stellwerk.model.declared import Dataset, Environment, Model

REAL_DATA = frozenset({Purpose.REGRESSION, Purpose.PRODUCTION})


def _kind(dataset: Dataset) -> str:
    return f"{dataset.classification} data" if dataset.classification is not None else "data without a classification"


def _trained(given: RuleInput) -> Iterator[tuple[Model, Dataset]]:
    for model in given.project.models:
        dataset = given.datasets.get(model.train.data) if model.train is not None else None
        if dataset is not None:
            yield model, dataset


def _forbidding(given: RuleInput, *, real: bool) -> Iterator[tuple[Model, Dataset, Environment]]:
    """Each model with an environment on its way that does not allow its training data."""
    restricted = [
        environment
        for environment in given.project.environments
        if environment.allows is not None and (environment.purpose in REAL_DATA) is real
    ]
    if not restricted:
        return
    for model, dataset in _trained(given):
        for environment in restricted:
            on_the_way = model.environments is None or environment.name in model.environments
            if on_the_way and not covers(environment, dataset):
                yield model, dataset, environment


def _not_allowed(given: RuleInput) -> Iterator[Problem]:
    for model, dataset, environment in _forbidding(given, real=True):
        yield Problem(
            place=given.place("models", model.name, "train", "data"),
            message=f"'{environment.name}' does not allow {_kind(dataset)}, but '{model.name}' is judged and served"
            f" there on '{dataset.name}'",
            hint=_allow(given, environment, dataset) + f", or leave it out of models.{model.name}.environments",
        )


def _allow(given: RuleInput, environment: Environment, dataset: Dataset) -> str:
    if dataset.classification is None:
        return f"declare datasets.{dataset.name}.classification"
    path = given.place("environments", environment.name).path
    return f"add {dataset.classification} to data.allows in {path}"


def _no_stand_in(given: RuleInput) -> Iterator[Problem]:
    for _, dataset, environment in _forbidding(given, real=False):
        if dataset.stand_in is None:
            yield Problem(
                place=given.place("datasets", dataset.name),
                message=f"'{environment.name}' does not allow {_kind(dataset)}, and '{dataset.name}' has no stand-in",
                hint=f"datasets.{dataset.name}.stand_in: a dataset with synthetic or anonymised rows",
            )


def _wrong_stand_in(given: RuleInput) -> Iterator[Problem]:
    for _, dataset, environment in _forbidding(given, real=False):
        stand_in = given.datasets.get(dataset.stand_in or "")
        if stand_in is not None and stand_in.name != dataset.name and not covers(environment, stand_in):
            yield Problem(
                place=given.place("datasets", dataset.name, "stand_in"),
                message=f"'{stand_in.name}' stands in for '{dataset.name}', but '{environment.name}' does not allow"
                f" {_kind(stand_in)} either",
                hint=_allow(given, environment, stand_in),
            )


def _open_development(given: RuleInput) -> Iterator[Problem]:
    ordered = given.project.classifications
    if len(ordered) < 2:  # noqa: PLR2004 - with one level there is nothing to keep out
        return
    for environment in given.project.environments:
        if environment.purpose is not Purpose.DEVELOPMENT:
            continue
        if environment.allows is None or ordered[-1] in environment.allows:
            said = "says nothing about data and so allows" if environment.allows is None else "allows"
            yield Problem(
                place=given.place("environments", environment.name, "data", "allows"),
                message=f"the development environment '{environment.name}' {said} {ordered[-1]} data,"
                " the most sensitive there are",
                hint=f"data: {{allows: [{', '.join(ordered[:-1])}]}}, and declare stand-ins",
            )


def _trains_in(given: RuleInput) -> Iterator[Problem]:
    for model, dataset in _trained(given):
        environment = given.environments.get(model.trains_in or "")
        if environment is not None and not covers(environment, dataset):
            yield Problem(
                place=given.place("models", model.name, "trains_in"),
                message=f"'{model.name}' is to be trained in '{environment.name}', which does not allow"
                f" {_kind(dataset)} ('{dataset.name}')",
                hint=_allow(given, environment, dataset),
            )


def _nowhere(given: RuleInput) -> Iterator[Problem]:
    if not given.project.environments:
        return
    # Where real data are needed on the way, SW304 already says that they are not allowed.
    told = {model.name for model, _, _ in _forbidding(given, real=True)}
    for model, dataset in _trained(given):
        if model.trains_in is not None or model.name in told:
            continue
        if first_allowing(given.project, model, dataset) is None:
            yield Problem(
                place=given.place("models", model.name, "train", "data"),
                message=f"no environment allows {_kind(dataset)}, so '{model.name}' can be trained nowhere"
                f" ('{dataset.name}')",
                hint=f"declare datasets.{dataset.name}.classification"
                if dataset.classification is None
                else f"add {dataset.classification} to data.allows of the environment that may train on it",
            )


def _bank(customers: str, churn: str = "", synthetic: str = "public") -> str:
    return (
        "classifications: [public, internal, secret]\n"
        "datasets:\n"
        f"  customers: {{path: data/customers.csv, classification: secret{customers}}}\n"
        f"  synthetic: {{path: data/synthetic.csv, classification: {synthetic}}}\n"
        "models:\n"
        "  churn:\n"
        "    source: churn.py\n"
        "    target: churned\n"
        "    train: {data: customers}\n"
        "    thresholds: {log_loss: {max: 0.5}}\n"
        f"{churn}"
    )


def _environment(purpose: str, allows: str, after: str = "") -> str:
    order = f"\nafter: {after}" if after else ""
    return f"purpose: {purpose}\ndata: {{allows: [{allows}]}}{order}"


_STAND_IN = ", stand_in: synthetic"
_REGRESSION = _environment("regression", "public, internal, secret")
_LATER_REGRESSION = _environment("regression", "public, internal, secret", "development")

RULES = (
    Rule(
        id="SW304",
        title="data not allowed where they are needed",
        severity=Severity.ERROR,
        explanation="Regression and production environments work on the model's own data, so each of them on the"
        " model's way must allow their classification. An environment that lists what it allows refuses data"
        " without a classification.",
        failing=declared(
            _bank(""),
            regression=_REGRESSION,
            production=_environment("production", "public, internal", "regression"),
        ),
        passing=declared(
            _bank(""),
            regression=_REGRESSION,
            production=_environment("production", "public, internal, secret", "regression"),
        ),
        check=_not_allowed,
    ),
    Rule(
        id="SW305",
        title="no stand-in where data are forbidden",
        severity=Severity.ERROR,
        explanation="Development and integration check a model on a stand-in (synthetic or anonymised rows) where"
        " its own data are not allowed. Where they are allowed no stand-in is needed.",
        failing=declared(_bank(""), development=_environment("development", "public"), regression=_LATER_REGRESSION),
        passing=declared(
            _bank(_STAND_IN), development=_environment("development", "public"), regression=_LATER_REGRESSION
        ),
        check=_no_stand_in,
    ),
    Rule(
        id="SW306",
        title="stand-in that is not allowed either",
        severity=Severity.ERROR,
        explanation="A stand-in must itself be allowed in the environments it is there for.",
        failing=declared(
            _bank(_STAND_IN, synthetic="internal"),
            development=_environment("development", "public"),
            regression=_LATER_REGRESSION,
        ),
        passing=declared(
            _bank(_STAND_IN), development=_environment("development", "public"), regression=_LATER_REGRESSION
        ),
        check=_wrong_stand_in,
    ),
    Rule(
        id="SW307",
        title="most sensitive data in development",
        severity=Severity.WARNING,
        explanation="In development code runs that nobody has reviewed. The most sensitive classification (the last"
        " of `classifications`) does not belong there.",
        failing=declared(
            _bank(_STAND_IN),
            development=_environment("development", "public, secret"),
            regression=_LATER_REGRESSION,
        ),
        passing=declared(
            _bank(_STAND_IN), development=_environment("development", "public"), regression=_LATER_REGRESSION
        ),
        check=_open_development,
    ),
    Rule(
        id="SW308",
        title="trained where the data are not allowed",
        severity=Severity.ERROR,
        explanation="`trains_in` names the environment whose runner reads the training data, so it must allow them.",
        failing=declared(
            _bank(_STAND_IN, "    trains_in: development"),
            development=_environment("development", "public"),
            regression=_LATER_REGRESSION,
        ),
        passing=declared(
            _bank(_STAND_IN, "    trains_in: regression"),
            development=_environment("development", "public"),
            regression=_LATER_REGRESSION,
        ),
        check=_trains_in,
    ),
    Rule(
        id="SW309",
        title="nowhere to train",
        severity=Severity.ERROR,
        explanation="A model is trained in the first environment that allows its training data. If none does, no"
        " version is ever born.",
        failing=declared(_bank(_STAND_IN), development=_environment("development", "public")),
        passing=declared(
            _bank(_STAND_IN), development=_environment("development", "public"), regression=_LATER_REGRESSION
        ),
        check=_nowhere,
    ),
)
