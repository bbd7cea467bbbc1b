"""Bootstrap intervals of statistics that are functions of row weights.

A resample of n rows with replacement is the same as giving each row the weight of how often it was drawn, so a metric
is written once as a function of weights: all ones give the estimate, drawn counts give the resamples, many at a time.

Source: B. Efron, R. Tibshirani, An Introduction to the Bootstrap, 1993, chapters 6 and 13 (percentile interval).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

RESAMPLES = 1000
LEAST_RESAMPLES = 200
DRAWS = 20_000_000  # rows drawn in all, about: bounds the time
CELLS = 2_000_000  # weights held at once: bounds the memory
DEFINED = 0.95  # share of resamples in which the statistic must have a value

# (resamples, rows) weights -> (resamples,) values; nan where the statistic has no value.
Statistic = Callable[["Floats"], "Floats"]


def estimate(statistic: Statistic, rows: int) -> float:
    """The statistic on the rows as they are."""
    import numpy as np

    with np.errstate(divide="ignore", invalid="ignore"):
        return float(statistic(np.ones((1, rows)))[0])


def interval(
    statistic: Statistic, rows: int, *, confidence: float, seed: int, resamples: int = RESAMPLES
) -> tuple[float, float] | None:
    """The percentile interval, widened where needed so that it holds the estimate.

    None with fewer than two rows, or where more than 5 % of the resamples have no value (a rare class, say).
    The same rows and seed draw the same resamples, which makes comparisons of two statistics paired.
    """
    import numpy as np

    if rows < 2:  # noqa: PLR2004  (one row says nothing of spread)
        return None
    with np.errstate(divide="ignore", invalid="ignore"):
        values = np.concatenate(
            [statistic(weights) for weights in _weights(rows, seed, resamples_for(rows, resamples))]
        )
    defined = values[np.isfinite(values)]
    middle = estimate(statistic, rows)
    if len(defined) < DEFINED * len(values) or not np.isfinite(middle):
        return None
    tail = (1 - confidence) / 2
    low, high = np.quantile(defined, (tail, 1 - tail))
    return min(float(low), middle), max(float(high), middle)


def resamples_for(rows: int, resamples: int) -> int:
    """As many as asked for up to 20,000 rows; above, fewer in proportion, 200 from 100,000 rows on."""
    return min(resamples, max(LEAST_RESAMPLES, DRAWS // max(rows, 1)))


def _weights(rows: int, seed: int, resamples: int) -> Iterator[Floats]:
    import numpy as np

    draw = np.random.default_rng(seed)
    batch = max(1, CELLS // rows)
    for start in range(0, resamples, batch):
        count = min(batch, resamples - start)
        drawn = draw.integers(0, rows, size=(count, rows))
        drawn += np.arange(count)[:, None] * rows
        yield np.bincount(drawn.ravel(), minlength=count * rows).reshape(count, rows).astype(np.float64)
