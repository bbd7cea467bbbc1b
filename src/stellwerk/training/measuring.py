"""Measure predictions against the truth: the join of a package's answers and the catalogue of metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stellwerk.errors import StellwerkError
from stellwerk.metrics.catalogue import CLASSIFICATION, REGRESSION, default_metrics, get
from stellwerk.metrics.measure import measure, measure_point
from stellwerk.metrics.scored import Scored, label_text

if TYPE_CHECKING:
    import pandas as pd

    from stellwerk.model.declared import Json
    from stellwerk.model.records import Measurement
    from stellwerk.training.contract import Contract
    from stellwerk.training.predictions import Predictions

TWO = 2


def task_of(target: pd.Series, *, declared: str | None, positive: Json) -> tuple[str, Json]:
    """The task, and for two classes the positive one.

    Where no task is declared: a declared `positive`, values that are no numbers, or at most two different values mean
    classification; everything else is regression. Where `positive` is not: the last of two classes in sorted order.
    """
    import pandas as pd

    values = target.dropna().unique().tolist()
    numeric = pd.api.types.is_numeric_dtype(target.dtype) and not pd.api.types.is_bool_dtype(target.dtype)
    guessed = REGRESSION if positive is None and numeric and len(values) > TWO else CLASSIFICATION
    task = declared or guessed
    if task == REGRESSION:
        if not numeric:
            message = f"the target {target.name} of a regression holds values that are no numbers"
            raise StellwerkError(message, where="target", hint="declare `task: classification`, or clean the column")
        return task, None
    if positive is None:
        return task, max(values, key=lambda value: (str(type(value)), value)) if len(values) == TWO else None
    if label_text(positive) not in {label_text(value) for value in values}:
        message = f"`positive` is {positive!r}, which the target {target.name} never is"
        raise StellwerkError(message, where="positive", hint="write it as it stands in the data")
    return task, positive


def scored(contract: Contract, truth: pd.Series, predictions: Predictions) -> Scored:
    """Truth (typed, one value per prediction) and predictions as the metrics want them."""
    import pandas as pd

    values = predictions.answers
    if contract.task == CLASSIFICATION and pd.api.types.is_numeric_dtype(truth.dtype):
        # Labels come back as text: 1 and 1.0 are the same class.
        read = pd.to_numeric(pd.Series(values, dtype=object), errors="coerce")
        if not pd.api.types.is_bool_dtype(truth.dtype) and read.notna().all():
            values = read.to_numpy()
    return Scored(
        truth=truth.to_numpy(),
        prediction=values,
        probability=predictions.probability,
        task=contract.task,
        positive=contract.positive,
    )


def default_measurements(
    contract: Contract, truth: pd.Series, predictions: Predictions, *, seed: int
) -> dict[str, Measurement]:
    """The task's default metrics. Those that read a probability are left out where the model gives none."""
    data = scored(contract, truth, predictions)
    return {name: measure(name, data, seed=seed) for name in _default_names(contract, data)}


def point_measurements(contract: Contract, truth: pd.Series, predictions: Predictions) -> dict[str, Measurement]:
    """As `default_measurements`, without intervals: quick, and enough where nothing is decided by them."""
    data = scored(contract, truth, predictions)
    return {name: measure_point(name, data) for name in _default_names(contract, data)}


def _default_names(contract: Contract, data: Scored) -> list[str]:
    names = default_metrics(contract.task)
    return [name for name in names if get(name).needs == "prediction" or data.probability is not None]
