"""Measuring a metric on scored rows: its estimate, its bootstrap interval, or the reason why it has no value."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from stellwerk.metrics import catalogue
from stellwerk.metrics.classification import classification_statistic
from stellwerk.metrics.probability import probability_statistic
from stellwerk.metrics.regression import mean_of, regression_statistic
from stellwerk.metrics.resampling import RESAMPLES, estimate, interval
from stellwerk.metrics.scored import NotComputableError, Scored, numbers
from stellwerk.model.records import Measurement

if TYPE_CHECKING:
    from stellwerk.metrics.resampling import Statistic
    from stellwerk.metrics.scored import Values

__all__ = ["Scored", "measure", "measure_mean", "measure_point", "measure_statistic", "statistic_of"]


def measure(
    name: str, data: Scored, *, confidence: float = 0.95, seed: int = 0, resamples: int = RESAMPLES
) -> Measurement:
    """The metric (name or alias) on these rows. Never raises for the rows' sake: `problem` says why there is no value.

    The interval is the percentile bootstrap of Efron and Tibshirani (1993); `resampling` says how many resamples.
    """
    try:
        statistic = statistic_of(name, data)
    except NotComputableError as error:
        return Measurement(value=None, n=len(data), confidence=confidence, problem=str(error))
    return measure_statistic(statistic, len(data), confidence=confidence, seed=seed, resamples=resamples)


def measure_point(name: str, data: Scored) -> Measurement:
    """The metric on these rows without an interval; otherwise as `measure`."""
    try:
        value = estimate(statistic_of(name, data), len(data))
    except NotComputableError as error:
        return Measurement(value=None, n=len(data), problem=str(error))
    if not math.isfinite(value):
        return Measurement(value=None, n=len(data), problem="it has no finite value on these rows")
    return Measurement(value=value, n=len(data))


def measure_mean(values: Values, *, confidence: float = 0.95, seed: int = 0, resamples: int = RESAMPLES) -> Measurement:
    """The mean of a column over its rows, such as one that `decide` computes."""
    try:
        statistic = mean_statistic(values)
    except NotComputableError as error:
        return Measurement(value=None, n=len(values), confidence=confidence, problem=str(error))
    return measure_statistic(statistic, len(values), confidence=confidence, seed=seed, resamples=resamples)


def mean_statistic(values: Values) -> Statistic:
    """The mean as a function of row weights; NotComputableError without rows or with a value that is no number."""
    if not len(values):
        raise NotComputableError("there are no rows")
    return mean_of(numbers(values, "value"))


def statistic_of(name: str, data: Scored) -> Statistic:
    """The metric as a function of row weights; NotComputableError where it has no value on these rows."""
    if not catalogue.known(name):
        raise NotComputableError(f"there is no metric {name}")
    metric = catalogue.get(name)
    if metric.task != data.task:
        raise NotComputableError(f"{metric.name} is a metric of {metric.task}, the model's task is {data.task}")
    if not len(data):
        raise NotComputableError("there are no rows")
    if len(data.prediction) != len(data):
        raise NotComputableError(f"there are {len(data.prediction)} predictions for {len(data)} rows")
    if metric.task == catalogue.REGRESSION:
        return regression_statistic(metric.name, data)
    if metric.needs == "probability":
        return probability_statistic(metric.name, data)
    return classification_statistic(metric.name, data)


def measure_statistic(
    statistic: Statistic, rows: int, *, confidence: float, seed: int, resamples: int = RESAMPLES
) -> Measurement:
    """A statistic's value and interval as a record."""
    value = estimate(statistic, rows)
    if not math.isfinite(value):
        return Measurement(value=None, n=rows, confidence=confidence, problem="it has no finite value on these rows")
    bounds = interval(statistic, rows, confidence=confidence, seed=seed, resamples=resamples)
    low, high = bounds or (None, None)
    return Measurement(value=value, n=rows, low=low, high=high, confidence=confidence)
