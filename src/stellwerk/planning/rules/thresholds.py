"""Thresholds that can be judged: a known metric that fits the task, and bounds that make sense."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from stellwerk.metrics import catalogue
from stellwerk.model.findings import Severity
from stellwerk.planning.rules.nearest import ValidNames
from stellwerk.planning.rules.rule import Problem, Rule, RuleInput, declared

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stellwerk.model.declared import Model, Threshold

CUSTOM = re.compile(r"[\w./-]+:[A-Za-z_]\w*")
# Their value depends on which of two classes is the positive one; that of roc_auc, say, does not.
OF_POSITIVE = frozenset(
    {
        "precision_score",
        "recall_score",
        "f1_score",
        "specificity",
        "false_positive_rate",
        "false_negative_rate",
        "approval_rate",
        "average_precision_score",
        "lift_at_10",
    }
)


def _thresholds(given: RuleInput) -> Iterator[tuple[Model, Threshold]]:
    for model in given.project.models:
        for threshold in model.thresholds:
            yield model, threshold


def _catalogued(given: RuleInput) -> Iterator[tuple[Model, Threshold, catalogue.Metric]]:
    for model, threshold in _thresholds(given):
        if catalogue.known(threshold.metric):
            yield model, threshold, catalogue.get(threshold.metric)


def _deciding(given: RuleInput, sources: set[str]) -> set[str]:
    """The sources that define `decide`, whose outputs thresholds may name."""
    if given.tree is None or not sources:
        return set()
    contents = given.tree.read(sorted(sources))
    return {path for path, content in contents.items() if b"def decide" in content}


def _unknown(given: RuleInput) -> Iterator[Problem]:
    unknown = [
        (model, threshold)
        for model, threshold in _thresholds(given)
        if not catalogue.known(threshold.metric) and not CUSTOM.fullmatch(threshold.metric)
    ]
    deciding = _deciding(given, {model.source for model, _ in unknown if model.source is not None})
    valid = ValidNames(catalogue.names())
    for model, threshold in unknown:
        if model.source not in deciding:
            yield Problem(
                place=given.place("models", model.name, "thresholds", threshold.metric),
                message=f"there is no metric '{threshold.metric}'",
                hint=valid.hint(
                    threshold.metric,
                    otherwise="write module:function for one of your own, or let decide() return it as a column",
                ),
            )


def _unbound(given: RuleInput) -> Iterator[Problem]:
    for model, threshold in _thresholds(given):
        if threshold.max is None and threshold.min is None and threshold.max_worsening is None:
            yield Problem(
                place=given.place("models", model.name, "thresholds", threshold.metric),
                message=f"the threshold on '{threshold.metric}' bounds nothing, so every value passes",
                hint="set max, min or max_worsening",
            )


def _contradictory(given: RuleInput) -> Iterator[Problem]:
    for model, threshold in _thresholds(given):
        if threshold.max is not None and threshold.min is not None and threshold.max < threshold.min:
            yield Problem(
                place=given.place("models", model.name, "thresholds", threshold.metric, "max"),
                message=f"no value of '{threshold.metric}' is at least {threshold.min:g} and at most {threshold.max:g}",
                hint="exchange min and max, or remove one",
            )


def _unfit(given: RuleInput) -> Iterator[Problem]:
    for model, threshold, metric in _catalogued(given):
        if model.task is not None and metric.task != model.task:
            fitting = [name for name in catalogue.default_metrics(model.task) if catalogue.known(name)]
            yield Problem(
                place=given.place("models", model.name, "thresholds", threshold.metric),
                message=f"'{threshold.metric}' measures {metric.task}, but '{model.name}' does {model.task}",
                hint=f"for example {', '.join(fitting[:3])}",
            )


def _no_positive(given: RuleInput) -> Iterator[Problem]:
    for model, threshold, metric in _catalogued(given):
        if metric.name not in OF_POSITIVE or model.task != catalogue.CLASSIFICATION or model.positive is not None:
            continue
        dataset = given.datasets.get(model.train.data) if model.train is not None else None
        columns = {column.name: column for column in dataset.columns} if dataset is not None else {}
        target = columns.get(model.target or "")
        if target is None or (target.type != "boolean" and set(target.allowed or ()) != {0, 1}):
            yield Problem(
                place=given.place("models", model.name, "thresholds", threshold.metric),
                message=f"'{threshold.metric}' speaks of the positive class, but nobody says which value of"
                f" '{model.target}' that is: the last in sorted order is taken",
                hint=f"models.{model.name}.positive: the value, for example 1",
            )


def _worsening(given: RuleInput) -> Iterator[Problem]:
    for model, threshold in _thresholds(given):
        if threshold.max_worsening is None:
            continue
        keys = ("models", model.name, "thresholds", threshold.metric, "max_worsening")
        if threshold.max_worsening.value < 0:
            yield Problem(
                place=given.place(*keys),
                message=f"max_worsening of {threshold.max_worsening.value:g} is below zero",
                hint="write how much worse is tolerated, as a number from 0 on: 0.02, or 2% of the champion's value",
            )
        elif catalogue.known(threshold.metric) and not catalogue.get(threshold.metric).worsening:
            yield Problem(
                place=given.place(*keys),
                message=f"'{threshold.metric}' has no better and no worse, so it cannot worsen",
                hint="bound it with min and max",
            )


def _wrong_side(given: RuleInput) -> Iterator[Problem]:
    for model, threshold, metric in _catalogued(given):
        if metric.absolute or not metric.worsening:
            continue
        only_max = threshold.max is not None and threshold.min is None
        only_min = threshold.min is not None and threshold.max is None
        if (metric.higher_is_better and only_max) or (not metric.higher_is_better and only_min):
            wrong, right = ("max", "min") if only_max else ("min", "max")
            yield Problem(
                place=given.place("models", model.name, "thresholds", threshold.metric, wrong),
                message=f"'{threshold.metric}' is better when it is {'higher' if only_max else 'lower'}, and {wrong}"
                " refuses exactly the better models",
                hint=f"write {right} instead",
            )


def _churn(thresholds: str, more: str = "") -> str:
    return (
        "datasets: {customers: {path: data/customers.csv}}\n"
        "models:\n  churn:\n    source: churn.py\n    target: churned\n    train: {data: customers}\n"
        f"{more}    thresholds: {{{thresholds}}}"
    )


_CLASSES = "    task: classification\n"
_POSITIVE = "    positive: 1\n"

RULES = (
    Rule(
        id="SW205",
        title="unknown metric",
        severity=Severity.ERROR,
        explanation="A threshold names a metric of the catalogue (scikit-learn's names and some of business), a"
        " function of your own as `module:function`, or a column that the model's `decide` returns. A metric that"
        " nobody can compute is a failure, never a pass.",
        failing=declared(_churn("rocauc: {min: 0.8}")),
        passing=declared(_churn("roc_auc: {min: 0.8}")),
        check=_unknown,
    ),
    Rule(
        id="SW401",
        title="threshold without a bound",
        severity=Severity.ERROR,
        explanation="A threshold needs `max`, `min` or `max_worsening`; without one it looks like a gate and lets"
        " all pass.",
        failing=declared(_churn("log_loss: {min_rows: 100}")),
        passing=declared(_churn("log_loss: {min_rows: 100, max: 0.5}")),
        check=_unbound,
    ),
    Rule(
        id="SW402",
        title="contradictory threshold",
        severity=Severity.ERROR,
        explanation="`min` is the smallest value that passes and `max` the largest, so `max` cannot be below `min`.",
        failing=declared(_churn("approval_rate: {min: 0.7, max: 0.3}", _CLASSES + _POSITIVE)),
        passing=declared(_churn("approval_rate: {min: 0.3, max: 0.7}", _CLASSES + _POSITIVE)),
        check=_contradictory,
    ),
    Rule(
        id="SW404",
        title="metric that does not fit the task",
        severity=Severity.ERROR,
        explanation="Regression is measured by errors, classification by hits. The other kind cannot be computed,"
        " and a metric that cannot be computed is a failure.",
        failing=declared(_churn("rmse: {max: 3}", _CLASSES)),
        passing=declared(_churn("log_loss: {max: 0.5}", _CLASSES)),
        check=_unfit,
    ),
    Rule(
        id="SW405",
        title="no positive class",
        severity=Severity.WARNING,
        explanation="Precision, recall and their like are about one class, and `positive` says which value of the"
        " target is meant. Without it the last of the two in sorted order is taken: `1` of 0 and 1, but also `good` of"
        " `bad` and `good`. A column declared as boolean, or with `allowed: [0, 1]`, needs no such word.",
        failing=declared(_churn("recall: {min: 0.8}", _CLASSES)),
        passing=declared(_churn("recall: {min: 0.8}", _CLASSES + _POSITIVE)),
        check=_no_positive,
    ),
    Rule(
        id="SW406",
        title="worsening that has no meaning",
        severity=Severity.ERROR,
        explanation="`max_worsening` is how much worse than the champion a version may be, from 0 on. A metric of"
        " which neither direction is better, such as `approval_rate`, cannot worsen.",
        failing=declared(_churn("approval_rate: {max_worsening: 0.1}", _CLASSES + _POSITIVE)),
        passing=declared(_churn("roc_auc: {max_worsening: 0.1}", _CLASSES + _POSITIVE)),
        check=_worsening,
    ),
    Rule(
        id="SW407",
        title="bound on the wrong side",
        severity=Severity.WARNING,
        explanation="Of `roc_auc` more is better: `max: 0.8` would refuse the good models and pass the bad ones.",
        failing=declared(_churn("roc_auc: {max: 0.8}")),
        passing=declared(_churn("roc_auc: {min: 0.8}")),
        check=_wrong_side,
    ),
)
