"""Statistics of the positive class's probability: each a function of row weights; ties count as in scikit-learn.

Sources: J. Hanley, B. McNeil, Radiology 143, 1982 (area under the ROC curve); D. Hand, Machine Learning 77, 2009 (Gini
and Kolmogorov-Smirnov distance as used in credit scoring); G. Brier, Monthly Weather Review 78, 1950.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from stellwerk.metrics.regression import mean_of
from stellwerk.metrics.scored import NotComputableError, labels, numbers, positive_code

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    import numpy.typing as npt

    from stellwerk.metrics.resampling import Statistic
    from stellwerk.metrics.scored import Scored

    Floats = npt.NDArray[np.float64]

LIFT_SHARE = 0.1


def probability_statistic(name: str, data: Scored) -> Statistic:
    """The metric of that canonical name on these rows; NotComputableError where it has no value."""
    if data.probability is None:
        raise NotComputableError("the model gives no probability of the positive class")
    scores = numbers(data.probability, "probability")
    if len(scores) != len(data):
        raise NotComputableError(f"there are {len(scores)} probabilities for {len(data)} rows")
    found = labels(data)
    truth = (found.truth == positive_code(found, data.positive)).astype(float)
    if name in _LOSSES:
        if ((scores < 0) | (scores > 1)).any():
            raise NotComputableError("a probability is outside 0..1")
        return mean_of(_LOSSES[name](truth, scores))
    if not truth.any() or (truth.all() and name not in _POSITIVE_ONLY):
        raise NotComputableError("all rows are of one class")
    return _of_ranks(_OF_RANKS[name], truth, scores)


class Ranks(Struct, frozen=True, kw_only=True, eq=False):
    """Weight of the rows at or above each distinct score, highest first; (resamples, scores). `hit`: positive rows."""

    hit: Floats
    all: Floats

    @property
    def miss(self) -> Floats:
        """Weight of the rows that are not positive."""
        return self.all - self.hit


def _of_ranks(measure: Callable[[Ranks], Floats], truth: Floats, scores: Floats) -> Statistic:
    import numpy as np

    order = np.argsort(-scores, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    ordered = truth[order]

    def statistic(weights: Floats) -> Floats:
        sorted_weights = weights[:, order]
        return measure(
            Ranks(
                hit=(sorted_weights * ordered).cumsum(axis=1)[:, ends],
                all=sorted_weights.cumsum(axis=1)[:, ends],
            )
        )

    return statistic


def _roc_auc(ranks: Ranks) -> Floats:
    import numpy as np

    hit, miss = ranks.hit, ranks.miss
    steps = np.diff(miss, axis=1, prepend=0)
    height = hit - np.diff(hit, axis=1, prepend=0) / 2
    result: Floats = (steps * height).sum(axis=1) / (hit[:, -1] * miss[:, -1])
    return result


def _gini(ranks: Ranks) -> Floats:
    return 2 * _roc_auc(ranks) - 1


def _average_precision(ranks: Ranks) -> Floats:
    import numpy as np

    gained = np.diff(ranks.hit, axis=1, prepend=0)
    precision = np.divide(ranks.hit, ranks.all, out=np.zeros_like(ranks.hit), where=ranks.all > 0)
    result: Floats = (gained * precision).sum(axis=1) / ranks.hit[:, -1]
    return result


def _ks(ranks: Ranks) -> Floats:
    distance: Floats = abs(ranks.hit / ranks.hit[:, -1:] - ranks.miss / ranks.miss[:, -1:]).max(axis=1)
    return distance


def _lift(ranks: Ranks) -> Floats:
    """Rows that share the score at which the tenth ends count in proportion."""
    import numpy as np

    total, positives = ranks.all[:, -1], ranks.hit[:, -1]
    top = total * LIFT_SHARE
    caught = np.array(
        [
            np.interp(wanted, np.append(0.0, reached), np.append(0.0, hit))
            for wanted, reached, hit in zip(top, ranks.all, ranks.hit, strict=True)
        ]
    )
    result: Floats = (caught / top) / (positives / total)
    return result


def _log_losses(truth: Floats, scores: Floats) -> Floats:
    import numpy as np

    smallest = np.finfo(np.float64).eps
    clipped = scores.clip(smallest, 1 - smallest)
    losses: Floats = -(truth * np.log(clipped) + (1 - truth) * np.log(1 - clipped))
    return losses


def _brier_losses(truth: Floats, scores: Floats) -> Floats:
    return (scores - truth) ** 2


_POSITIVE_ONLY = frozenset({"average_precision_score", "lift_at_10"})

_LOSSES: dict[str, Callable[[Floats, Floats], Floats]] = {"log_loss": _log_losses, "brier_score_loss": _brier_losses}

_OF_RANKS: dict[str, Callable[[Ranks], Floats]] = {
    "roc_auc_score": _roc_auc,
    "gini": _gini,
    "average_precision_score": _average_precision,
    "ks": _ks,
    "lift_at_10": _lift,
}
