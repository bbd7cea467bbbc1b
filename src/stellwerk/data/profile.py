"""The distribution of training data, for comparing later data with it, without showing anybody's values.

Nothing that fewer than `min_group` rows hold is shown: bins end between two values and hold at least `min_group` rows,
the outermost bins are open (so no extreme appears), rare categories are pooled, dates are months.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from stellwerk.model.declared import Json

MOST_CATEGORIES = 100


def profile(frame: pd.DataFrame, *, min_group: int, bins: int = 20) -> dict[str, Json]:
    """Describe typed rows column by column; JSON-able, the same bytes for the same rows in any order.

    `{rows, min_group, columns: {name: {kind, missing, ...}}}` with columns sorted. `missing`, like every count, is None
    where it is above 0 and below `min_group`. Kinds: `number` (`edges`, and `counts` of the one more bins they divide;
    a value on an edge belongs to the lower bin), `category` and `boolean` (`counts` by value, `other` for the rest),
    `date` (`first` and `last` month, each with `min_group` rows at or beyond it), `empty`.
    """
    least = max(min_group, 1)
    columns: dict[str, Json] = {str(name): _column(frame[name], least, bins) for name in sorted(frame.columns, key=str)}
    return {"rows": len(frame), "min_group": min_group, "columns": columns}


def _column(values: pd.Series, least: int, bins: int) -> dict[str, Json]:
    import pandas as pd

    present = values.dropna()
    missing = len(values) - len(present)
    shape: dict[str, Json] = {"kind": "empty", "missing": missing if missing == 0 or missing >= least else None}
    types = pd.api.types
    if present.empty:
        return shape
    if types.is_bool_dtype(present.dtype):
        return shape | {"kind": "boolean"} | _categories(present.map({True: "true", False: "false"}), least)
    if types.is_numeric_dtype(present.dtype):
        return shape | {"kind": "number"} | _numbers(present, least, bins)
    moments = _dates(present)
    if moments is not None:
        return shape | {"kind": "date"} | _months(moments, least)
    return shape | {"kind": "category"} | _categories(present.astype(str), least)


def _numbers(present: pd.Series, least: int, bins: int) -> dict[str, Json]:
    import numpy as np

    values = present.to_numpy(dtype=float)
    values = values[np.isfinite(values)]
    distinct, counts = np.unique(values, return_counts=True)
    wanted = max(least, -(-len(values) // bins))
    edges: list[Json] = []
    held: list[int] = []
    filled = 0
    left = len(values)
    for position, count in enumerate(counts.tolist()):
        filled += count
        left -= count
        if filled < wanted or left < least:
            continue
        edge = _between(float(distinct[position]), float(distinct[position + 1]))
        if edge is not None:
            edges.append(edge)
            held.append(filled)
            filled = 0
    return {"edges": edges, "counts": [*held, filled] if filled >= least else []}


def _between(low: float, high: float) -> float | None:
    """The shortest decimal strictly between two values, so that an edge is nobody's value; None for neighbours."""
    for digits in range(1, 18):
        shown = float(f"{(low / 2 + high / 2):.{digits}g}")
        if low < shown < high:
            return shown
    return None


def _categories(present: pd.Series, least: int) -> dict[str, Json]:
    counts = sorted(present.value_counts().items(), key=lambda item: (-item[1], str(item[0])))
    shown = [(str(value), int(count)) for value, count in counts if count >= least][:MOST_CATEGORIES]
    other = len(present) - sum(count for _, count in shown)
    while 0 < other < least and shown:  # the pool would itself show a small group
        other += shown.pop()[1]
    return {"counts": dict(sorted(shown)), "other": other if other == 0 or other >= least else None}


def _dates(present: pd.Series) -> pd.Series | None:
    """The values as times if every one is a date or time, else None."""
    import pandas as pd

    if pd.api.types.is_datetime64_any_dtype(present.dtype):
        return pd.to_datetime(present, utc=True)
    if not present.head(100).astype(str).str.match(r"\d{4}-\d{2}-\d{2}").all():
        return None
    moments = pd.to_datetime(present, format="ISO8601", errors="coerce", utc=True)
    return None if moments.isna().any() else moments


def _months(moments: pd.Series, least: int) -> dict[str, Json]:
    if len(moments) < least:
        return {"first": None, "last": None}
    ordered: Any = moments.sort_values()
    return {"first": f"{ordered.iloc[least - 1]:%Y-%m}", "last": f"{ordered.iloc[-least]:%Y-%m}"}
