"""Columns: named as the dataset declares them, and none that gives the answer away."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stellwerk.model.findings import Severity
from stellwerk.planning.rules.nearest import ValidNames
from stellwerk.planning.rules.rule import Example, Problem, Rule, RuleInput, declared

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stellwerk.model.declared import Dataset, Model

Use = tuple[str, tuple[str | int, ...]]


def _trained(given: RuleInput) -> Iterator[tuple[Model, Dataset]]:
    for model in given.project.models:
        dataset = given.datasets.get(model.train.data) if model.train is not None else None
        if dataset is not None:
            yield model, dataset


def _model_uses(model: Model) -> Iterator[Use]:
    if model.target is not None:
        yield model.target, ("target",)
    for index, column in enumerate(model.features.include):
        yield column, ("features", "include", index)
    for index, column in enumerate(model.features.exclude):
        yield column, ("features", "exclude", index)
    if model.train is not None:
        for index, column in enumerate(model.train.holdout.by):
            yield column, ("train", "holdout", "by", index)
    for threshold in model.thresholds:
        for index, column in enumerate(threshold.slices):
            yield column, ("thresholds", threshold.metric, "slices", index)


def _dataset_uses(dataset: Dataset) -> Iterator[Use]:
    for index, column in enumerate(dataset.key):
        yield column, ("key", index)
    if dataset.time is not None:
        yield dataset.time, ("time",)
    for index, column in enumerate(dataset.personal):
        yield column, ("personal", index)


def _unknown(given: RuleInput) -> Iterator[Problem]:
    columns = {
        dataset.name: frozenset(column.name for column in dataset.columns)
        for dataset in given.project.datasets
        if dataset.columns
    }
    if not columns:
        return
    uses = [
        (dataset.name, column, ("datasets", dataset.name, *keys))
        for dataset in given.project.datasets
        if dataset.name in columns
        for column, keys in _dataset_uses(dataset)
    ]
    uses += [
        (dataset.name, column, ("models", model.name, *keys))
        for model, dataset in _trained(given)
        if dataset.name in columns
        for column, keys in _model_uses(model)
    ]
    valid = {name: ValidNames(known) for name, known in columns.items()}
    for dataset_name, column, keys in uses:
        if column not in columns[dataset_name]:
            yield Problem(
                place=given.place(*keys),
                message=f"dataset '{dataset_name}' declares no column '{column}'",
                hint=valid[dataset_name].hint(
                    column, otherwise=f"add it to datasets.{dataset_name}.columns if it exists"
                ),
            )


def _target_as_feature(given: RuleInput) -> Iterator[Problem]:
    for model in given.project.models:
        for index, column in enumerate(model.features.include):
            if column == model.target:
                yield Problem(
                    place=given.place("models", model.name, "features", "include", index),
                    message=f"the target '{column}' is listed as a feature: the model would be told the answer",
                    hint=f"take '{column}' out of features.include",
                )


def _candidates(model: Model, dataset: Dataset) -> Iterator[Use]:
    if model.features.include:
        for index, column in enumerate(model.features.include):
            yield column, ("models", model.name, "features", "include", index)
        return
    left_out = {*model.features.exclude, model.target}
    for declared_column in dataset.columns:
        if declared_column.name not in left_out:
            yield declared_column.name, ("models", model.name, "target")


def _named_after_target(given: RuleInput) -> Iterator[Problem]:
    for model, dataset in _trained(given):
        if model.target is None:
            continue
        target = model.target.casefold()
        for column, keys in _candidates(model, dataset):
            folded = column.casefold()
            if (
                target in folded
                and folded != target
                and (folded.startswith(f"{target}_") or folded.endswith(f"_{target}"))
            ):
                yield Problem(
                    place=given.place(*keys),
                    message=f"feature '{column}' is named after the target '{model.target}': it may hold the answer",
                    hint=f"if it is only known afterwards: models.{model.name}.features: {{exclude: ['{column}']}}",
                )


def _personal_features(given: RuleInput) -> Iterator[Problem]:
    for model, dataset in _trained(given):
        if not dataset.personal or model.features.include:
            continue
        left_out = {*model.features.exclude, model.target}
        used = [column for column in dataset.personal if column not in left_out]
        if used:
            named = ", ".join(f"'{column}'" for column in used)
            yield Problem(
                place=given.place("models", model.name, "features", "exclude"),
                message=f"personal data of '{dataset.name}' become features without anybody having said so: {named}",
                hint=f"exclude them (models.{model.name}.features.exclude), or list the features in features.include",
            )


def _churn(dataset: str, features: str = "") -> str:
    return (
        f"datasets:\n  customers: {{path: data/customers.csv, {dataset}}}\n"
        "models:\n  churn:\n    source: churn.py\n    target: churned\n    train: {data: customers}\n"
        f"{f'    features: {features}' if features else ''}"
    )


_COLUMNS = "columns: {age: {type: integer}, plan: {type: string}, churned: {type: boolean}}"

RULES = (
    Rule(
        id="SW204",
        title="unknown column",
        severity=Severity.ERROR,
        explanation="Where a dataset declares its `columns`, every column that is named (target, features, key,"
        " time, personal, slices, holdout) must be one of them. A dataset without `columns` is not judged.",
        failing=declared(_churn(_COLUMNS, "{include: [age, plann]}")),
        passing=declared(_churn(_COLUMNS, "{include: [age, plan]}")),
        check=_unknown,
    ),
    Rule(
        id="SW408",
        title="target among the features",
        severity=Severity.ERROR,
        explanation="A feature that is the target makes every metric perfect and the model useless.",
        failing=declared(_churn("key: id", "{include: [age, churned]}")),
        passing=declared(_churn("key: id", "{include: [age]}")),
        check=_target_as_feature,
    ),
    Rule(
        id="SW409",
        title="feature named after the target",
        severity=Severity.NOTE,
        explanation="A column such as `churned_at` beside the target `churned` is often filled in only when the"
        " answer is known. Exclude it unless it is known at the time of the prediction.",
        failing=declared(_churn("key: id", "{include: [age, churned_at]}")),
        passing=declared(_churn("key: id", "{include: [age, visits]}")),
        check=_named_after_target,
    ),
    Rule(
        id="SW410",
        title="feature that reproduces the target",
        severity=Severity.WARNING,
        explanation="Found on the data, when a version is trained: one feature alone, or a sum of features, gives"
        " the target almost exactly. Such columns are usually parts of the answer (`casual` + `registered` ="
        " `count`) or are written down after it. Exclude them, or the model fails on the first row it is really"
        " asked about.",
        failing=Example(
            files={
                **declared(_churn("key: id")).files,
                "data/customers.csv": "id,age,cancelled,churned\n1,34,yes,1\n2,51,no,0\n3,34,no,0\n4,51,yes,1\n",
            },
            note="`cancelled` says the same as the target in every row",
        ),
        passing=Example(
            files={
                **declared(_churn("key: id", "{exclude: [cancelled]}")).files,
                "data/customers.csv": "id,age,cancelled,churned\n1,34,yes,1\n2,51,no,0\n3,34,no,0\n4,51,yes,1\n",
            },
        ),
    ),
    Rule(
        id="SW504",
        title="personal data used as features unsaid",
        severity=Severity.NOTE,
        explanation="Without `features.include` every column but the target is a feature, personal ones too. Using"
        " them can be right; it should be somebody's decision that a reader can find.",
        failing=declared(_churn("personal: [name]")),
        passing=declared(_churn("personal: [name]", "{exclude: [name]}")),
        check=_personal_features,
    ),
)
