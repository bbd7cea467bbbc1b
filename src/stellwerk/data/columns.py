"""Checking a snapshot against the declared columns.

A problem names rows and says what kind of thing is wrong, never the value itself: values may be personal.
"""

from __future__ import annotations

import operator
import re
from typing import TYPE_CHECKING, Any, cast

from msgspec import Struct

from stellwerk.data.frames import SHOWN, rows_in_words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy as np
    import numpy.typing as npt
    import pandas as pd

    from stellwerk.model.declared import Column, Json

    Mask = npt.NDArray[np.bool_]

# What pandas' CSV reader takes for missing: a model that reads the snapshot sees no value there.
MISSING_TEXT = (
    *("", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA"),
    *("NULL", "NaN", "None", "n/a", "nan", "null"),
)
_INTEGER = r"\s*[+-]?\d+\s*"
_NUMBER = r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*"
_BOOLEAN = r"(?i:true|false|0|1)"
_DATE = r"\d{4}-\d{2}-\d{2}"
_DATETIME = _DATE + r"([T ]\d{2}:\d{2}(:\d{2}([.,]\d+)?)?( ?(Z|[+-]\d{2}:?\d{2}))?)?"


class Problem(Struct, frozen=True, kw_only=True):
    """One broken rule of one column. `rows` are at most ten rows, 1 being the first after the header; `count` is all.

    `column` joins the names where several columns are judged together.
    """

    column: str
    rows: tuple[int, ...]
    count: int
    message: str


def check_columns(
    frame: pd.DataFrame,
    columns: tuple[Column, ...],
    *,
    key: tuple[str, ...] = (),
    time: str | None = None,
    min_group: int = 10,
) -> tuple[Problem, ...]:
    """Every way in which the rows (csv text or typed) break the declaration, in the order declared.

    A value outside `allowed` that at least `min_group` rows hold is told apart from slips: it may be a new category.
    """
    demanded = (*(column.name for column in columns), *key, *((time,) if time else ()))
    problems = [
        Problem(column=name, rows=(), count=0, message=f"column {name} is missing from the file")
        for name in dict.fromkeys(demanded)
        if name not in frame.columns
    ]
    for column in columns:
        if column.name in frame.columns:
            problems += _column_problems(frame[column.name], column, min_group)
    if key and all(name in frame.columns for name in key):
        problems += _key_problems(frame, key)
    declared_time = any(column.name == time and column.type in {"date", "datetime"} for column in columns)
    if time in frame.columns and not declared_time:
        values, missing = frame[cast("str", time)], missing_mask(frame[cast("str", time)])
        problems += _found(cast("str", time), missing, "has no value, but it is the dataset's `time`")
        problems += _found(cast("str", time), ~missing & ~_fits(values, "datetime"), "is not an ISO 8601 date or time")
    return tuple(problems)


def missing_mask(values: pd.Series) -> Mask:
    """Which values a model would see as missing."""
    import numpy as np

    empty = values.isna().to_numpy(dtype=bool)
    return np.asarray(empty | values.isin(MISSING_TEXT).to_numpy(dtype=bool)) if _is_text(values) else empty


def passing(values: pd.Series, column: Column) -> Mask:
    """Which values keep every rule that a value can keep by itself; missing ones count as they fall."""
    import numpy as np
    import pandas as pd

    fits = np.ones(len(values), dtype=bool) if column.type is None else _fits(values, column.type)
    for limit, breaks in ((column.min, operator.lt), (column.max, operator.gt)):
        if limit is not None:
            shown: pd.Series = _numbers(values)
            bound: Any = limit
            if isinstance(limit, str):
                shown, bound = _instants(values), pd.to_datetime(limit, format="ISO8601", errors="coerce", utc=True)
            fits = fits & shown.notna().to_numpy(dtype=bool) & ~breaks(shown, bound).to_numpy(dtype=bool)
    if column.allowed is not None:
        fits = fits & _allowed(values, column.allowed)
    if column.pattern is not None:
        pattern = re.compile(column.pattern)
        fits = fits & np.array([bool(pattern.fullmatch(text)) for text in values.astype("str")], dtype=bool)
    return np.asarray(fits, dtype=bool)


def _column_problems(values: pd.Series, column: Column, min_group: int) -> Iterator[Problem]:
    import numpy as np

    missing = missing_mask(values)
    if column.missing is not None and missing.mean() > column.missing:
        share = f"has no value ({missing.mean():.2%} of the rows, at most {column.missing:.2%} are allowed)"
        yield from _found(column.name, missing, share)
    fits = np.ones(len(values), dtype=bool)
    if column.type is not None:
        fits = _fits(values, column.type)
        article = "an" if column.type == "integer" else "a"
        yield from _found(column.name, ~missing & ~fits, f"is not {article} {column.type}")
    judged = ~missing & fits
    for limit, bound, breaks in (
        (column.min, "below the minimum", lambda shown, limit: shown < limit),
        (column.max, "above the maximum", lambda shown, limit: shown > limit),
    ):
        if limit is not None:
            yield from _range_problems(values, column, judged, (limit, bound, breaks))
    if column.allowed is not None:
        strange = judged & ~_allowed(values, column.allowed)
        common = int((values[strange].value_counts() >= min_group).sum())
        note = f" (new values that {min_group} rows or more hold: {common})" if common else ""
        yield from _found(column.name, strange, f"is not one of the allowed values{note}")
    if column.pattern is not None:
        yield from _pattern_problems(values, column, judged)
    if column.unique:
        repeated = values.where(judged).duplicated(keep="first").to_numpy(dtype=bool)
        yield from _found(column.name, judged & repeated, "repeats the value of an earlier row")


def _range_problems(
    values: pd.Series,
    column: Column,
    judged: Mask,
    rule: tuple[float | str, str, Callable[[pd.Series, object], pd.Series]],
) -> Iterator[Problem]:
    import numpy as np
    import pandas as pd

    limit, words, breaks = rule
    least: object = limit
    shown, kind = _numbers(values), "a number"
    if isinstance(limit, str):
        shown, kind = _instants(values), "an ISO 8601 date or time"
        least = pd.to_datetime(limit, format="ISO8601", errors="coerce", utc=True)
        if least is pd.NaT:
            yield Problem(column=column.name, rows=(), count=0, message=f"the limit {limit} is not an ISO 8601 date")
            return
    comparable = shown.notna().to_numpy(dtype=bool)
    yield from _found(column.name, judged & ~comparable, f"is not {kind}, but has a limit")
    outside = np.asarray(breaks(shown, least).fillna(value=False), dtype=bool)
    yield from _found(column.name, judged & comparable & outside, f"is {words} {limit}")


def _pattern_problems(values: pd.Series, column: Column, judged: Mask) -> Iterator[Problem]:
    import numpy as np

    try:
        pattern = re.compile(cast("str", column.pattern))
    except re.error as error:
        message = f"the declared pattern is not a regular expression: {error}"
        yield Problem(column=column.name, rows=(), count=0, message=message)
        return
    # Few distinct values are the normal case of a patterned column.
    texts = values.astype("str")
    matching = {text for text in texts[judged].unique() if pattern.fullmatch(text)}
    bad = ~np.asarray(texts.isin(matching), dtype=bool)
    yield from _found(column.name, judged & bad, "does not match the declared pattern")


def _key_problems(frame: pd.DataFrame, key: tuple[str, ...]) -> Iterator[Problem]:
    import numpy as np

    name = ", ".join(key)
    empty = np.logical_or.reduce([missing_mask(frame[part]) for part in key])
    yield from _found(name, empty, "has no value, but it is part of the dataset's key")
    repeated = frame.duplicated(subset=list(key), keep="first").to_numpy(dtype=bool)
    yield from _found(name, ~empty & repeated, "repeats the key of an earlier row")


def _found(column: str, bad: Mask, what: str) -> Iterator[Problem]:
    positions = bad.nonzero()[0][:SHOWN].tolist()
    count = int(bad.sum())
    if count:
        rows = tuple(position + 1 for position in positions)
        message = f"{column} {what} in {rows_in_words(positions, count)}"
        yield Problem(column=column, rows=rows, count=count, message=message)


def _is_text(values: pd.Series) -> bool:
    import pandas as pd

    return isinstance(values.dtype, pd.StringDtype) or values.dtype == object


def _fits(values: pd.Series, kind: str) -> Mask:
    """Which values are of the declared type; missing ones may count either way."""
    import numpy as np
    import pandas as pd

    types = pd.api.types
    if kind == "string":
        fits = values.map(lambda value: isinstance(value, str)).to_numpy(dtype=bool)
    elif _is_text(values):
        texts = values.astype("str")
        fits = texts.str.fullmatch(_PATTERNS[kind]).to_numpy(dtype=bool)
        if kind in {"date", "datetime"}:
            fits = fits & _instants(texts).notna().to_numpy(dtype=bool)
        if kind == "number":
            fits = fits & np.isfinite(_numbers(texts).to_numpy(dtype=float))
    elif kind in {"integer", "number"}:
        numeric = types.is_numeric_dtype(values.dtype) and not types.is_bool_dtype(values.dtype)
        numbers = values.to_numpy(dtype=float, na_value=np.nan) if numeric else np.full(len(values), np.nan)
        fits = np.isfinite(numbers) & ((kind == "number") | (numbers == np.floor(numbers)))
    elif kind == "boolean":
        fits = np.full(len(values), fill_value=types.is_bool_dtype(values.dtype))
    else:
        fits = np.full(len(values), fill_value=types.is_datetime64_any_dtype(values.dtype))
        if kind == "date" and fits.any():
            fits = fits & (values == values.dt.normalize()).to_numpy(dtype=bool)
    return np.asarray(fits, dtype=bool)


_PATTERNS = {"integer": _INTEGER, "number": _NUMBER, "boolean": _BOOLEAN, "date": _DATE, "datetime": _DATETIME}


def _numbers(values: pd.Series) -> pd.Series:
    import pandas as pd

    return pd.to_numeric(values, errors="coerce")


def _instants(values: pd.Series) -> pd.Series:
    """Times in UTC (those without an offset are taken for UTC); NaT where it is not ISO 8601."""
    import pandas as pd

    if not _is_text(values) and not pd.api.types.is_datetime64_any_dtype(values.dtype):
        return pd.Series(pd.NaT, index=values.index, dtype="datetime64[ns, UTC]")
    texts = values.astype("str") if _is_text(values) else values
    return pd.to_datetime(texts, format="ISO8601", errors="coerce", utc=True)


def _allowed(values: pd.Series, allowed: Sequence[Json]) -> Mask:
    """Text is compared as text or, where both are numbers, as numbers: `1.0` is allowed where 1 is."""
    import numpy as np

    texts = {str(value).lower() if isinstance(value, bool) else str(value) for value in allowed}
    numbers = [float(value) for value in allowed if isinstance(value, int | float) and not isinstance(value, bool)]
    shown = values.astype("str")
    if any(isinstance(value, bool) for value in allowed):
        shown = shown.where(~shown.str.lower().isin(["true", "false"]), shown.str.lower())
    return np.asarray(shown.isin(texts) | (_numbers(values).isin(numbers) if numbers else False), dtype=bool)
