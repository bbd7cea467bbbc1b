"""Which rows are held out from training, and finding them again.

By fraction, a row's side is a seeded hash of its identity, never its position: the order of the file does not matter,
and rows added later move no old row across, so a champion is never measured on rows it was trained on. By time,
everything from a boundary on is held out.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from msgspec import Struct

from stellwerk.data.frames import rows_in_words
from stellwerk.errors import StellwerkError
from stellwerk.model.records import HoldoutRecord

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    import numpy as np
    import numpy.typing as npt
    import pandas as pd
    import pyarrow as pa

    from stellwerk.model.declared import Holdout

    Mask = npt.NDArray[np.bool_]

ID_BYTES = 16


class Split(Struct, frozen=True, kw_only=True, eq=False):
    """Boolean masks over the rows (each row is in exactly one), and the recipe to find them again."""

    train: Mask
    held: Mask
    record: HoldoutRecord


def split(frame: pd.DataFrame, holdout: Holdout, *, seed: int, identity: tuple[str, ...], time: str | None) -> Split:
    """Choose the held-out rows. `identity` empty: a row is recognised by its whole content.

    StellwerkError where a column is absent, a time is not ISO 8601, or a side would be empty.
    """
    by_time = holdout.last_share is not None or holdout.last_seconds is not None
    fraction = None if by_time else 0.2 if holdout.fraction is None else holdout.fraction
    boundary = None
    if fraction is None:
        if holdout.by:
            raise StellwerkError(
                "a holdout by time cannot keep groups together",
                where="holdout",
                hint="use `last`, or `fraction` with `by`, not both",
            )
        held, boundary = _last(frame, holdout, _time_column(time))
    else:
        held = _by_hash(row_ids(frame, holdout.by or identity), fraction=fraction, seed=seed)
    count = int(held.sum())
    if count in {0, len(held)}:
        side = "holdout" if count == 0 else "training set"
        raise StellwerkError(
            f"the {side} would be empty: {len(held)} rows in all",
            where="holdout",
            hint="use more rows, another share, or another seed",
        )
    record = HoldoutRecord(
        seed=seed,
        rows=count,
        digest=_digest(row_ids(frame[held], identity)),
        train_rows=len(held) - count,
        fraction=fraction,
        last_share=holdout.last_share,
        last_seconds=holdout.last_seconds,
        by=holdout.by,
        identity=identity,
        time=time if by_time else None,
        boundary=boundary,
    )
    return Split(train=~held, held=held, record=record)


def find_holdout(frame: pd.DataFrame, record: HoldoutRecord) -> Mask:
    """The mask of the rows that were held out; StellwerkError if they are not the recorded ones."""
    if record.fraction is not None:
        drawn_by = row_ids(frame, record.by or record.identity)
        held = _by_hash(drawn_by, fraction=record.fraction, seed=record.seed)
    else:
        import pandas as pd

        times = _instants(frame, _time_column(record.time))
        held = (times >= pd.to_datetime(str(record.boundary), format="ISO8601", utc=True)).to_numpy(dtype=bool)
    if _digest(row_ids(frame[held], record.identity)) != record.digest:
        raise StellwerkError(
            f"the held-out rows are not the recorded ones: {int(held.sum())} found, {record.rows} recorded",
            where="holdout",
            hint="evaluate on the snapshot the version's record names",
        )
    return held


def row_ids(frame: pd.DataFrame, identity: tuple[str, ...]) -> list[bytes]:
    """One BLAKE2b digest (16 bytes) per row, of the identity columns or, if there are none, of the whole row.

    The order of columns in the file does not matter; a whole number is the same as a float.
    """
    blake2b = hashlib.blake2b
    return [blake2b(row, digest_size=ID_BYTES).digest() for row in _encoded(frame, identity)]


def excluded_rows(ids: Sequence[bytes], trained_ids: Iterable[Collection[bytes]]) -> Mask:
    """Which rows some compared version was trained on: `trained_ids` holds the row ids of each one's training."""
    import numpy as np

    trained: set[bytes] = set()
    trained.update(*trained_ids)
    return np.fromiter((row in trained for row in ids), dtype=bool, count=len(ids))


def _by_hash(ids: Sequence[bytes], *, fraction: float, seed: int) -> Mask:
    """Hash each id with the seed: the share `fraction` of all 64-bit numbers is held out."""
    import numpy as np

    key = hashlib.blake2b(str(seed).encode(), digest_size=ID_BYTES).digest()
    blake2b = hashlib.blake2b
    drawn = b"".join([blake2b(row, digest_size=8, key=key).digest() for row in ids])
    return np.frombuffer(drawn, dtype=">u8") < min(int(fraction * 2**64), 2**64 - 1)


def _last(frame: pd.DataFrame, holdout: Holdout, time: str) -> tuple[Mask, str]:
    """Everything from the boundary on is held out, so rows of one moment are never divided."""
    import numpy as np
    import pandas as pd

    times = _instants(frame, time)
    if not len(times):
        raise StellwerkError("there are no rows to divide", where="holdout")
    if holdout.last_seconds is not None:
        start = times.max() - pd.Timedelta(seconds=holdout.last_seconds)
        held = (times > start).to_numpy(dtype=bool)
    else:
        moments = times.dt.tz_localize(None).to_numpy()
        position = int(len(moments) * (1 - (holdout.last_share or 0.0)))
        held = moments >= np.sort(moments)[min(position, len(moments) - 1)]
    boundary = times[held].min()
    text = boundary.isoformat().replace("+00:00", "Z")
    return held, text.removesuffix("T00:00:00Z")


def _time_column(time: str | None) -> str:
    if time is None:
        raise StellwerkError(
            "a holdout by time needs a time column", where="holdout", hint="set the dataset's `time` to a column"
        )
    return time


def _instants(frame: pd.DataFrame, time: str) -> pd.Series:
    """The `time` column in UTC; a time without an offset is taken for UTC."""
    import pandas as pd

    _need(frame, (time,))
    values = frame[time]
    if pd.api.types.is_numeric_dtype(values.dtype):
        raise StellwerkError(f"column {time} holds numbers, not times", where=time, hint="write times as 2026-01-31")
    texts = values if pd.api.types.is_datetime64_any_dtype(values.dtype) else values.astype("str")
    times = pd.to_datetime(texts, format="ISO8601", errors="coerce", utc=True)
    bad = times.isna().to_numpy().nonzero()[0].tolist()
    if bad:
        raise StellwerkError(
            f"column {time} is not a date or time in {rows_in_words(bad)}",
            where=time,
            hint="write times in ISO 8601, such as 2026-01-31 or 2026-01-31T12:00:00Z",
        )
    return times.reset_index(drop=True)


def _need(frame: pd.DataFrame, columns: Sequence[str]) -> None:
    absent = [name for name in columns if name not in frame.columns]
    if absent:
        raise StellwerkError(
            f"the data has no column {', '.join(absent)}",
            where="holdout",
            hint=f"its columns are {', '.join(map(str, frame.columns))}",
        )


def _encoded(frame: pd.DataFrame, columns: tuple[str, ...]) -> list[bytes]:
    """Each row as bytes that two different rows never share: NUL ends a value, and no encoded value contains it."""
    import pyarrow as pa
    import pyarrow.compute as pc

    _need(frame, columns)
    names = columns or tuple(sorted(frame.columns))
    if not len(frame):
        return []
    joined = pc.binary_join_element_wise(
        *(_canonical(frame[name]) for name in names), pa.scalar("\0", pa.large_string())
    )
    rows: list[bytes] = joined.cast(pa.large_binary()).to_pylist()
    return rows


def _canonical(values: pd.Series) -> pa.Array:
    import pandas as pd
    import pyarrow as pa
    import pyarrow.compute as pc

    if isinstance(values.dtype, pd.StringDtype) and not values.hasnans:
        texts = pa.array(values, type=pa.large_string())
        if not any(pc.any(pc.match_substring(texts, mark)).as_py() for mark in "\0\1"):
            return texts
    empty = values.isna().tolist()
    encoded = ["\1N" if gone else _text(value) for value, gone in zip(values.tolist(), empty, strict=True)]
    return pa.array(encoded, type=pa.large_string())


def _escaped(text: str) -> str:
    return text.replace("\1", "\1A").replace("\0", "\1B")


def _text(value: object) -> str:
    """One value as text: marked by its kind unless it is a string, so that 1 and "1" differ."""
    match value:
        case str():
            text = _escaped(value)
        case bool():
            text = f"\1?{value}"
        case float() if not value.is_integer():
            text = f"\1#{value!r}"
        case int() | float():
            text = f"\1#{int(value)}"
        case bytes():
            text = f"\1x{value.hex()}"
        case dict() | list():
            text = f"\1j{json.dumps(value, sort_keys=True, default=str)}"
        case _:
            text = f"\1v{_escaped(str(value))}"
    return text


def _digest(ids: Sequence[bytes]) -> str:
    return hashlib.sha256(b"".join(sorted(ids))).hexdigest()
