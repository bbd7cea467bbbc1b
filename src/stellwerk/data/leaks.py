"""Suspecting features that give the target away: copies, one-to-one mappings, near-perfect predictors, parts of it.

A suspicion, not a proof: a person decides whether the column is known when the model has to answer.
"""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy as np
    import numpy.typing as npt
    import pandas as pd

    Floats = npt.NDArray[np.float64]

SAMPLE = 5000
FEWEST = 30  # rows below which near-perfect may be chance
NEAR_PERFECT = 0.995  # |correlation| of values or ranks, or the area under the ROC curve
MOST_NUMERIC = 200  # features of which pairs are tried
PROBE = 32  # rows that a pair must fit before it is tried on the sample


def suspect_leaks(
    frame: pd.DataFrame, target: str, features: Sequence[str], *, task: str
) -> tuple[tuple[str, str], ...]:
    """Columns (typed rows) that reproduce the target, each with the reason in words, in the order of `features`.

    Looks at 5,000 rows at most, evenly spaced. Says nothing on fewer than 30 rows or a target of one value.
    """
    columns = [name for name in features if name != target and name in frame.columns]
    rows = frame.loc[frame[target].notna().to_numpy()] if target in frame.columns else frame.iloc[:0]
    rows = rows.iloc[:: max(1, -(-len(rows) // SAMPLE))]
    rows = rows[[*columns, target]].apply(_comparable) if len(rows) else rows
    if len(rows) < FEWEST or rows[target].nunique() < 2:  # noqa: PLR2004  (nothing to tell apart)
        return ()
    truth = rows[target]
    found: dict[str, str] = {}
    for name in columns:
        reason = _alone(rows[name], truth, task)
        if reason:
            found[name] = reason.format(target=target)
    for name, reason in _pairs(rows, target, columns):
        found.setdefault(name, reason)
    return tuple((name, found[name]) for name in columns if name in found)


def _alone(values: pd.Series, truth: pd.Series, task: str) -> str | None:
    present = values.notna().to_numpy()
    values, truth = values[present], truth[present]
    if len(values) < FEWEST or values.nunique() < 2 or truth.nunique() < 2:  # noqa: PLR2004
        return None
    if _maps_onto(values, truth):
        return "each of its values goes with one value of {target}"
    if not _numeric(values):
        return None
    if task == "regression" and _numeric(truth):
        straight = abs(float(values.corr(truth)))
        ranked = abs(float(values.rank().corr(truth.rank())))
        if max(straight, ranked) >= NEAR_PERFECT:
            return f"it follows {{target}} almost exactly (correlation {max(straight, ranked):.3f})"
    elif truth.nunique() == 2:  # noqa: PLR2004
        area = _area(values, truth)
        if area >= NEAR_PERFECT:
            return f"it alone tells the classes of {{target}} apart (area under the ROC curve {area:.3f})"
    return None


def _maps_onto(values: pd.Series, truth: pd.Series) -> bool:
    """Whether each value goes with one truth, on rows whose value repeats: unique ids map onto anything."""
    groups = truth.groupby(values.to_numpy(), observed=True)
    sizes, kinds = groups.size(), groups.nunique()
    repeated = sizes > 1
    shared = sizes[repeated].sum()
    # A group of k rows is of one kind by chance with probability share ** (k - 1) at most.
    share = float(truth.value_counts(normalize=True).iloc[0])
    evidence = (sizes[repeated] - 1).sum() * (1 - share)
    return bool(kinds[repeated].eq(1).all() and shared * 2 >= len(truth) and evidence >= 10)  # noqa: PLR2004


def _area(values: pd.Series, truth: pd.Series) -> float:
    """Area under the ROC curve, in the direction that fits; 0.5 with too few rows of a class."""
    upper = (truth == truth.max()).to_numpy()
    positives, negatives = int(upper.sum()), int((~upper).sum())
    if min(positives, negatives) < FEWEST // 3:
        return 0.5
    ranks = values.rank().to_numpy()
    area = (float(ranks[upper].sum()) - positives * (positives + 1) / 2) / (positives * negatives)
    return max(area, 1 - area)


def _pairs(rows: pd.DataFrame, target: str, columns: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Pairs whose sum, difference or product is the target, exactly."""
    import numpy as np

    if not _numeric(rows[target]):
        return
    names = [name for name in columns if _numeric(rows[name]) and rows[name].nunique() >= 2][:MOST_NUMERIC]  # noqa: PLR2004  (not constant)
    numbers = rows[[*names, target]].dropna()
    if len(numbers) < FEWEST or len(names) < 2:  # noqa: PLR2004  (a pair)
        return
    truth = numbers[target].to_numpy()
    values = numbers[names].to_numpy()
    first = np.linspace(0, len(truth) - 1, PROBE).astype(int)
    for one, left in enumerate(names):
        for words, combine in _COMBINATIONS.items():
            close = np.isclose(combine(values[first, one : one + 1], values[first]), truth[first, None]).all(axis=0)
            for other in close.nonzero()[0].tolist():
                if other != one and np.isclose(combine(values[:, one], values[:, other]), truth).all():
                    reason = f"{left} {words} {names[other]} is {target} in every row"
                    yield left, reason
                    yield names[other], reason


_COMBINATIONS: dict[str, Callable[[Floats, Floats], Floats]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
}


def _comparable(values: pd.Series) -> pd.Series:
    """Numbers (infinite ones as missing) stay, everything else that is not text is compared as text."""
    import numpy as np

    if _numeric(values):
        return values.astype(float).replace([np.inf, -np.inf], np.nan)
    return values.astype(object).where(values.isna(), values.astype(str))


def _numeric(values: pd.Series) -> bool:
    import pandas as pd

    return pd.api.types.is_numeric_dtype(values.dtype) and not pd.api.types.is_bool_dtype(values.dtype)
