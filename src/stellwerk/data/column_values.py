"""Which values a column may take, as its declaration and a recorded profile say; what neither says is made up."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from stellwerk.data.columns import MISSING_TEXT, passing
from stellwerk.data.pattern import texts_of
from stellwerk.data.space import Draw, Part, Space, listed, real, texts, whole
from stellwerk.errors import StellwerkError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from decimal import Decimal

    import pandas as pd

    from stellwerk.data.space import Numbers
    from stellwerk.model.declared import Column

DAY = 86_400_000_000  # microseconds
STEPS_IN_TIME = (60_000_000, 1_000_000, 1)
FIRST, YEARS = "2024-01-01", 2 * 366
FEW = 20  # made-up words of a column that need not be distinct
MANY = 10**9
POOL = 20_000  # texts of a pattern that are tried where more than the pattern is asked of them
MADE_UP = "made-up-{}".format


class Need(Struct, frozen=True, kw_only=True):
    """One column to fill. `kind` is what its values are; `shape` its part of a profile; `distinct`: none twice."""

    column: Column
    kind: str  # string | integer | number | boolean | date | datetime
    rows: int
    data_format: str
    shape: Mapping[str, Any]
    distinct: bool = False
    filled: bool = False  # no value may be missing
    made_up: bool = False  # personal: nothing of the profile, no word that could be somebody's
    where: str = ""


def kind_of(column: Column, shape: Mapping[str, Any], *, time: bool) -> str:
    """What the values are where `type` leaves it open: a text may hold numbers or times, as its limits say."""
    if column.type not in {None, "string"}:
        return str(column.type)
    if column.pattern is None and column.allowed is None:
        limits = [limit for limit in (column.min, column.max) if limit is not None]
        if time or any(isinstance(limit, str) for limit in limits):
            return "datetime"
        if limits:
            return "integer" if all(isinstance(limit, int) for limit in limits) else "number"
        if column.type is None and shape.get("kind") in {"number", "boolean", "date"}:
            return str(shape["kind"])
    return "string"


def series_of(values: Sequence[object], need: Need, missing: Sequence[int] = ()) -> pd.Series:
    """The values as a file of that format holds them; `missing` are positions without one."""
    import pandas as pd

    shown: list[Any] = [*values]
    text = need.data_format == "csv"
    if text or need.column.type == "string" or (need.kind == "string" and need.column.allowed is None):
        shown = [_text(value) for value in shown]
    elif len({type(value) for value in shown} - {int, float}) > 1:
        shown = [_text(value) for value in shown]  # no column of a typed file holds words and numbers
    for position in missing:
        shown[position] = "" if text else None
    if text:
        return pd.Series(shown, dtype="str")
    kinds = {type(value) for value in shown} - {type(None)}
    free = need.column.allowed is None and need.column.pattern is None  # else the very text is compared
    if need.data_format == "parquet" and free and need.kind in {"date", "datetime"} and need.column.type != "string":
        return pd.to_datetime(pd.Series(shown, dtype=object), format="ISO8601")
    if kinds <= {bool}:
        return pd.Series(shown, dtype="boolean" if missing else "bool")
    if kinds <= {int}:
        return pd.Series(shown, dtype="Int64" if missing else "int64")
    return pd.Series(shown, dtype="float64" if kinds <= {int, float} else object)


def space_of(need: Need) -> Space:
    """Every value the column may take. StellwerkError where there is none, or too few to be distinct."""
    column = need.column
    if column.allowed is not None:
        parts = _of_list(need)
    elif column.pattern is not None:
        parts = _of_pattern(need, column.pattern)
    else:
        parts = {
            "integer": _of_numbers,
            "number": _of_numbers,
            "boolean": _of_booleans,
            "date": _of_times,
            "datetime": _of_times,
        }.get(need.kind, _of_words)(need)
    if not parts:
        message = f"no value fits all that is declared of column {column.name}"
        raise StellwerkError(message, where=need.where, hint="its type, limits, pattern and allowed values disagree")
    space = Space(tuple(parts))
    if need.distinct and space.size < need.rows:
        message = f"{need.rows} different values are wanted of column {column.name}, and there are {space.size}"
        raise StellwerkError(message, where=need.where, hint="ask for fewer --rows, or widen what is declared")
    return space


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _good(values: Iterable[object], need: Need) -> list[object]:
    """Those that keep every rule of the column, each once."""
    kept = {_text(value): value for value in values if value is not None and _text(value) not in MISSING_TEXT}
    if not kept:
        return []
    candidates = list(kept.values())
    fits = passing(series_of(candidates, need), need.column)
    return [value for value, fit in zip(candidates, fits.tolist(), strict=True) if fit]


def _of_list(need: Need) -> list[Part]:
    wanted: list[object] = [*(need.column.allowed or ())]
    if need.kind == "integer":
        wanted = [int(value) if isinstance(value, float) and value.is_integer() else value for value in wanted]
    if need.kind == "number" and need.data_format != "csv":
        wanted = [float(value) if isinstance(value, int) else value for value in wanted]
    good = _good(wanted, need)
    weights = _weights(good, need.shape)
    return [listed([value], weights[_text(value)]) for value in good] if weights else [listed(good)] if good else []


def _weights(values: Sequence[object], shape: Mapping[str, Any]) -> dict[str, float]:
    """How many rows held each value, as far as the profile shows it; empty where it says nothing about them."""
    counts = shape.get("counts")
    texts_shown = [_text(value) for value in values]
    if isinstance(counts, Mapping):
        known = {_text(name): float(count) for name, count in counts.items()}
        shown = [text for text in texts_shown if text in known]
        if not shown:
            return {}
        rest = [text for text in texts_shown if text not in known]
        other = (shape.get("other") or 0.5) / max(len(rest), 1)
        return {**{text: known[text] for text in shown}, **dict.fromkeys(rest, other)}
    edges, numbers = shape.get("edges") or [], [value for value in values if isinstance(value, int | float)]
    if not counts or not edges or len(numbers) < len(values):
        return {}
    bins: dict[int, list[str]] = {}
    for text, number in zip(texts_shown, numbers, strict=True):
        bins.setdefault(sum(number > edge for edge in edges), []).append(text)
    return {text: counts[position] / len(held) for position, held in bins.items() for text in held}


def _of_pattern(need: Need, pattern: str) -> list[Part]:
    column, found = need.column, texts_of(pattern, need.where)
    if column.type in {None, "string"} and column.min is None and column.max is None and found.size > POOL:
        return [texts(found.size, found.nth)]
    part = texts(found.size, found.nth)
    every = found.size <= POOL
    wanted = max(POOL, 4 * need.rows if need.distinct else 0)
    numbers = _all(part.size) if every else Draw(0, column.name, pattern).below(part.size, wanted)
    made = [_number(str(text), need) for text in part.values(numbers)]
    good = _good(made, need)
    return [listed(good)] if good else []


def _all(size: int) -> Numbers:
    import numpy as np

    return np.arange(size, dtype=np.int64)


def _number(text: str, need: Need) -> object:
    """The text; as a number where the column holds numbers and the file can."""
    if need.data_format == "csv" or need.column.type not in {"integer", "number"}:
        return text
    try:
        return int(text) if need.column.type == "integer" else float(text)
    except ValueError:
        return None


def _limits(need: Need) -> tuple[Decimal | None, Decimal | None]:
    from decimal import Decimal

    low, high = need.column.min, need.column.max
    if isinstance(low, str) or isinstance(high, str):
        message = f"column {need.column.name} holds numbers, but its limits are times"
        raise StellwerkError(message, where=need.where, hint="declare numbers as `min` and `max`")
    return (None if low is None else Decimal(repr(low))), (None if high is None else Decimal(repr(high)))


def _of_numbers(need: Need) -> list[Part]:
    from decimal import Decimal

    low, high = _limits(need)
    bins = [] if need.distinct else _bins(need.shape, low, high)
    parts = [_numbers_part(need, first, last, weight, above=above) for first, last, weight, above in bins]
    found = [part for part in parts if part is not None]
    if found:
        return found
    width = Decimal(max(99, 10 * need.rows if need.distinct else 0) if need.kind == "integer" else 100)
    if low is None:
        low = Decimal(0) if high is None or high > 0 else high - width
    if high is None:
        high = low + width
    part = _numbers_part(need, low, high, 1.0, above=False)
    return [part] if part is not None else []


def _bins(
    shape: Mapping[str, Any], low: Decimal | None, high: Decimal | None
) -> list[tuple[Decimal, Decimal, float, bool]]:
    """(from, to, rows, whether `from` itself is left out) of each bin. The open ones end at the limit, or nearby."""
    from decimal import Decimal

    edges = [Decimal(repr(edge)) for edge in shape.get("edges") or []]
    counts = shape.get("counts")
    if not edges or not isinstance(counts, list) or len(counts) != len(edges) + 1:
        return []
    near = [edges[1] - edges[0], edges[-1] - edges[-2]] if len(edges) > 1 else [max(abs(edges[0]), Decimal(1))] * 2
    bounds = [edges[0] - near[0] if low is None else low, *edges, edges[-1] + near[1] if high is None else high]
    found = []
    for position, count in enumerate(counts):
        first, last = bounds[position], bounds[position + 1]
        above = position > 0 and not (low is not None and first < low)
        first = first if low is None else max(first, low)
        last = last if high is None else min(last, high)
        if first <= last:
            found.append((first, last, float(count), above))
    return found


def _numbers_part(need: Need, low: Decimal, high: Decimal, weight: float, *, above: bool) -> Part | None:
    if need.kind != "integer":
        return real(low, high, weight, above=above)
    first, last = math.ceil(low), math.floor(high)
    far = 2**62
    return whole(max(first + (above and first == low), -far), min(last, far - 1), weight)


def _of_booleans(need: Need) -> list[Part]:
    options: tuple[object, ...] = (True, False, *((1, 0) if need.data_format == "csv" else ()))
    good = _good(options, need)[:2]
    weights = _weights(good, need.shape)
    return [listed([value], weights[_text(value)]) for value in good] if weights else [listed(good)] if good else []


def _of_times(need: Need) -> list[Part]:
    import numpy as np

    low, high = _moment(need.column.min, need), _moment(need.column.max, need)
    low, high = _months(need.shape, low, high)
    wide = DAY * max(YEARS, 2 * need.rows if need.distinct and need.kind == "date" else 0)
    first, last = low, high
    if first is None:
        begin = _moment(FIRST, need) or 0
        first = begin if last is None or last >= begin else last - wide
    if last is None:
        last = first + wide
    found: Part | None = None
    for step in (DAY,) if need.kind == "date" else STEPS_IN_TIME:
        part = whole(-(-first // step), last // step)
        if part is None:
            continue
        unit = "D" if step == DAY else "us" if step == 1 else "s"
        begins = -(-first // step)

        def values(numbers: Numbers, step: int = step, unit: Any = unit, begins: int = begins) -> list[str]:
            moments = ((numbers + begins) * step).astype("datetime64[us]")
            return [str(moment) for moment in np.datetime_as_string(moments, unit=unit).tolist()]

        found = Part(size=part.size, values=values)
        if not need.distinct or part.size >= 4 * need.rows:
            break
    return [found] if found is not None else []


def _moment(limit: float | str | None, need: Need) -> int | None:
    """Microseconds since 1970 in UTC."""
    import pandas as pd

    if limit is None:
        return None
    moment = pd.to_datetime(str(limit), format="ISO8601", errors="coerce", utc=True)
    if not isinstance(limit, str) or not isinstance(moment, pd.Timestamp):
        message = f"the limit {limit} of column {need.column.name} is not an ISO 8601 date or time"
        raise StellwerkError(message, where=need.where, hint="write it as 2026-01-31")
    return int(moment.to_datetime64().astype("datetime64[us]").astype("int64"))


def _months(shape: Mapping[str, Any], low: int | None, high: int | None) -> tuple[int | None, int | None]:
    """The limits, drawn closer to the months that the profile shows where these lie between them."""
    import numpy as np

    first, last = shape.get("first"), shape.get("last")
    if not first or not last or len(first) != 7 or len(last) != 7:  # noqa: PLR2004  YYYY-MM
        return low, high
    begin = int(np.datetime64(first, "us").astype(np.int64))
    end = int((np.datetime64(last, "M") + 1).astype("datetime64[us]").astype(np.int64)) - 1
    closer = (begin if low is None else max(low, begin)), (end if high is None else min(high, end))
    return closer if closer[1] - closer[0] >= DAY else (low, high)


def _of_words(need: Need) -> list[Part]:
    counts, other = need.shape.get("counts"), need.shape.get("other", 0)
    words = texts(MANY if need.distinct or need.made_up else FEW, lambda number: MADE_UP(number + 1))
    if need.distinct or need.made_up or not isinstance(counts, Mapping) or not counts:
        return [words]
    shown = [listed([name], float(counts[str(name)])) for name in _good(counts, need)]
    weight = float(other) if other else 0.5 if other is None else 0.0
    rest = texts(FEW, lambda number: MADE_UP(number + 1), weight)
    return [*shown, rest] if weight or not shown else shown
