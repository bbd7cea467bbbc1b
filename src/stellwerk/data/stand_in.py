"""Rows that stand in for a dataset: made from what is declared of its columns, and from a recorded profile.

No row is copied, because none is read. The same declarations and seed give the same rows.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

from stellwerk.data.column_values import Need, kind_of, series_of, space_of
from stellwerk.data.columns import check_columns
from stellwerk.data.space import Draw
from stellwerk.errors import StellwerkError
from stellwerk.model.declared import Column

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from stellwerk.data.space import Numbers, Space

ROUNDS = 12  # in which keys that came twice are drawn again
MOST_MISSING = 0.5  # a column that may be empty altogether still shows what it holds


class Wanted(Struct, frozen=True, kw_only=True):
    """What is known of a dataset, and how many rows are asked for.

    `also` names columns that are used without being declared. `profile` is that of the real rows
    (`data.profile.profile`); where its own bound is kept, nothing that fewer rows hold is in it.
    """

    columns: tuple[Column, ...]
    rows: int
    seed: int = 0
    key: tuple[str, ...] = ()
    time: str | None = None
    personal: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    data_format: str = "csv"
    profile: Mapping[str, Any] = field(default_factory=dict)
    where: str = ""


class StandIn(Struct, frozen=True, kw_only=True, eq=False):
    """The rows, as `data.frames.read_rows` gives them; how many different rows there could have been."""

    frame: pd.DataFrame
    space: int


def make_rows(wanted: Wanted) -> StandIn:
    """The rows; they keep every rule of the columns, the key is unique, `time` ascends.

    StellwerkError where the declarations contradict each other, leave too few values, or say nothing at all.
    """
    import pandas as pd

    needs = _needs(wanted)
    spaces = {name: space_of(need) for name, need in needs.items()}
    numbers = {name: _numbers(wanted, needs[name], space) for name, space in spaces.items()}
    if len(wanted.key) > 1:
        numbers |= _unique_together(wanted, {name: spaces[name] for name in dict.fromkeys(wanted.key)}, numbers)
    made = {
        name: series_of(spaces[name].values(numbers[name]), need, _without_value(wanted, need))
        for name, need in needs.items()
    }
    frame = _ordered(pd.DataFrame(made), wanted)
    problems = check_columns(frame, wanted.columns, key=wanted.key, time=wanted.time)
    if problems:
        raise StellwerkError(
            f"no rows could be made that keep what is declared: {problems[0].message}",
            where=wanted.where,
            hint=f"what is declared of {problems[0].column} contradicts itself, or is more than can be made up",
        )
    return StandIn(frame=frame, space=math.prod(space.size for space in spaces.values()))


def _needs(wanted: Wanted) -> dict[str, Need]:
    declared = {column.name: column for column in wanted.columns}
    profiled: Mapping[str, Any] = wanted.profile.get("columns", {})
    time = (wanted.time,) if wanted.time else ()
    names = dict.fromkeys((*declared, *wanted.key, *time, *wanted.personal, *wanted.also, *profiled))
    if not names:
        raise StellwerkError(
            "nothing is declared of this dataset's columns, so no rows can be made up",
            where=wanted.where,
            hint="declare them: columns: {age: {type: integer, min: 18}, city: {type: string}}",
        )
    found = {}
    for name in names:
        column = declared.get(name, Column(name=name))
        personal = name in wanted.personal
        shape = profiled.get(name, {}) if not personal else {}
        found[name] = Need(
            column=column,
            kind=kind_of(column, shape, time=name == wanted.time),
            rows=wanted.rows,
            data_format=wanted.data_format,
            shape=shape,
            distinct=column.unique or wanted.key == (name,),
            filled=name in wanted.key or name == wanted.time,
            made_up=personal,
            where=wanted.where,
        )
    return found


def _numbers(wanted: Wanted, need: Need, space: Space) -> Numbers:
    draw = Draw(wanted.seed, "values", need.column.name)
    return draw.some(space.size, wanted.rows) if need.distinct else space.drawn(draw, wanted.rows)


def _unique_together(wanted: Wanted, spaces: Mapping[str, Space], numbers: Mapping[str, Numbers]) -> dict[str, Numbers]:
    """The numbers of the key's columns, no row twice. Where nearly every key is needed, marginals give way."""
    import numpy as np
    import pandas as pd

    possible = math.prod(space.size for space in spaces.values())
    if possible < wanted.rows:
        raise StellwerkError(
            f"{wanted.rows} rows need as many keys, and the columns of `key` have {possible}",
            where=wanted.where,
            hint="ask for fewer --rows, or widen what is declared of them",
        )
    keys = pd.DataFrame({name: numbers[name] for name in spaces})
    draw = Draw(wanted.seed, "key")
    for turn in range(ROUNDS if possible > 4 * wanted.rows else 0):
        again = keys.duplicated().to_numpy(dtype=bool)
        if not again.any():
            break
        for name, space in spaces.items():
            count = int(again.sum())
            drawn = space.drawn(draw, count) if turn < ROUNDS // 2 else draw.below(space.size, count)
            keys.loc[again, name] = drawn
    if keys.duplicated().any():
        chosen = draw.some(min(possible, 1 << 62), wanted.rows)
        for name, space in spaces.items():
            keys[name] = chosen % space.size
            chosen //= space.size
    return {name: np.asarray(keys[name], dtype=np.int64) for name in spaces}


def _without_value(wanted: Wanted, need: Need) -> list[int]:
    """The positions without a value: the profile's share, within the declared one; else the declared one."""
    bound = need.column.missing
    counted = need.shape.get("missing", 0) if need.shape else None
    if need.filled or (bound is None and not need.shape):
        return []
    share = bound or 0.0
    if counted is not None or need.shape:
        rows = max(int(wanted.profile.get("rows", 0)), 1)
        some = int(wanted.profile.get("min_group", 0)) / 2  # some, but fewer than the bound
        seen = (some if counted is None else counted) / rows
        share = seen if bound is None else min(seen, bound)
    count = math.floor(min(share, MOST_MISSING) * wanted.rows)
    while count and bound is not None and count / wanted.rows > bound:
        count -= 1
    return sorted(Draw(wanted.seed, "missing", need.column.name).some(wanted.rows, count).tolist()) if count else []


def _ordered(frame: pd.DataFrame, wanted: Wanted) -> pd.DataFrame:
    """Rows as they came to pass."""
    import pandas as pd

    if wanted.time is None:
        return frame
    moments = pd.to_datetime(frame[wanted.time], format="ISO8601", errors="coerce", utc=True)
    return frame.iloc[moments.argsort(kind="stable").to_numpy()].reset_index(drop=True)
