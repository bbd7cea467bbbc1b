"""Statistics of predicted classes: each a function of row weights, equal to scikit-learn's of that name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stellwerk.metrics.regression import mean_of
from stellwerk.metrics.scored import Labels, NotComputableError, labels, positive_code

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    import numpy.typing as npt

    from stellwerk.metrics.resampling import Statistic
    from stellwerk.metrics.scored import Scored

    Floats = npt.NDArray[np.float64]

MOST_CLASSES = 500


def classification_statistic(name: str, data: Scored) -> Statistic:
    """The metric of that canonical name on these rows; NotComputableError where it has no value."""
    found = labels(data)
    if name == "accuracy_score":
        return mean_of((found.truth == found.prediction).astype(float))
    if name in _OF_POSITIVE:
        positive = positive_code(found, data.positive)
        truth, predicted = (found.truth == positive).astype(float), (found.prediction == positive).astype(float)
        return _of_positive(name, truth, predicted)
    return _of_classes(name, found)


def _of_positive(name: str, truth: Floats, predicted: Floats) -> Statistic:
    needs = {
        "precision_score": (predicted, "no row is predicted positive"),
        "recall_score": (truth, "no row is of the positive class"),
        "false_negative_rate": (truth, "no row is of the positive class"),
        "specificity": (1 - truth, "every row is of the positive class"),
        "false_positive_rate": (1 - truth, "every row is of the positive class"),
        "f1_score": (truth + predicted, "no row is of the positive class or predicted so"),
    }
    if name in needs and not needs[name][0].any():
        raise NotComputableError(needs[name][1])
    return mean_of(truth * predicted, truth, predicted, then=_OF_POSITIVE[name])


# From the shares of rows that are: true positives, positive, predicted positive.
_OF_POSITIVE: dict[str, Callable[[Floats, Floats, Floats], Floats]] = {
    "precision_score": lambda hit, _, predicted: hit / predicted,
    "recall_score": lambda hit, truth, _: hit / truth,
    "f1_score": lambda hit, truth, predicted: 2 * hit / (truth + predicted),
    "specificity": lambda hit, truth, predicted: 1 - (predicted - hit) / (1 - truth),
    "false_positive_rate": lambda hit, truth, predicted: (predicted - hit) / (1 - truth),
    "false_negative_rate": lambda hit, truth, _: 1 - hit / truth,
    "approval_rate": lambda _hit, _truth, predicted: predicted,
}


def _of_classes(name: str, found: Labels) -> Statistic:
    import numpy as np

    count = len(found.classes)
    if count > MOST_CLASSES:
        raise NotComputableError(f"there are {count} classes, at most {MOST_CLASSES} are averaged")
    if name in _NEEDS_TWO and (found.truth == found.truth[0]).all():
        raise NotComputableError("all rows are of one class")
    one_hot = np.eye(count)
    truth, predicted = one_hot[found.truth], one_hot[found.prediction]
    rows = np.hstack([truth * predicted, truth, predicted])

    def statistic(weights: Floats) -> Floats:
        hit, true, said = np.split(weights @ rows / weights.sum(axis=1, keepdims=True), 3, axis=1)
        return _OF_CLASSES[name](hit, true, said)

    return statistic


def _balanced_accuracy(hit: Floats, true: Floats, _said: Floats) -> Floats:
    return _mean_where(hit / true, true > 0)


def _precision_macro(hit: Floats, true: Floats, said: Floats) -> Floats:
    return _mean_where(_or_zero(hit, said), true + said > 0)


def _recall_macro(hit: Floats, true: Floats, said: Floats) -> Floats:
    return _mean_where(_or_zero(hit, true), true + said > 0)


def _f1_macro(hit: Floats, true: Floats, said: Floats) -> Floats:
    return _mean_where(_or_zero(2 * hit, true + said), true + said > 0)


def _f1_weighted(hit: Floats, true: Floats, said: Floats) -> Floats:
    result: Floats = (_or_zero(2 * hit, true + said) * true).sum(axis=1)
    return result


def _matthews(hit: Floats, true: Floats, said: Floats) -> Floats:
    covariance = hit.sum(axis=1) - (true * said).sum(axis=1)
    spread = (1 - (true**2).sum(axis=1)) * (1 - (said**2).sum(axis=1))
    # One class predicted throughout: scikit-learn calls that 0. Rounding leaves a spread of about 1e-16 there.
    return _or_zero(covariance * (spread > 1e-12), spread.clip(min=0) ** 0.5)  # noqa: PLR2004


def _kappa(hit: Floats, true: Floats, said: Floats) -> Floats:
    chance = (true * said).sum(axis=1)
    result: Floats = (hit.sum(axis=1) - chance) / (1 - chance)
    return result


def _or_zero(part: Floats, whole: Floats) -> Floats:
    import numpy as np

    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)


def _mean_where(values: Floats, present: npt.NDArray[np.bool_]) -> Floats:
    """The mean over the classes that the rows hold: a resample may hold fewer than the sample."""
    import numpy as np

    result: Floats = np.where(present, values, 0).sum(axis=1) / present.sum(axis=1)
    return result


_NEEDS_TWO = frozenset({"balanced_accuracy_score", "matthews_corrcoef", "cohen_kappa_score"})

# From each class's share of rows, (resamples, classes): predicted right, true, predicted.
_OF_CLASSES: dict[str, Callable[[Floats, Floats, Floats], Floats]] = {
    "balanced_accuracy_score": _balanced_accuracy,
    "precision_macro": _precision_macro,
    "recall_macro": _recall_macro,
    "f1_macro": _f1_macro,
    "f1_weighted": _f1_weighted,
    "matthews_corrcoef": _matthews,
    "cohen_kappa_score": _kappa,
}
