"""What a service printed, looked through for values of columns that are personal."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

FEWEST = 4  # characters of a value that is looked for: shorter ones are everywhere


def told_in(log: str, rows: pd.DataFrame, personal: Sequence[str], marks: Mapping[str, str]) -> dict[str, int]:
    """How many different values of each personal column stand in the log, as words of four characters or more.

    `marks`: column -> a value that was sent in it and is like no other, so it is found within a word too.
    """
    words = set(re.findall(r"[^\s,;:=|\[\](){}\"'<>]+", log))
    found = {name: 1 for name, mark in marks.items() if mark in log}
    for name in personal:
        if name in rows.columns:
            values = {str(value) for value in rows[name].dropna().unique()}
            seen = {value for value in values if len(value) >= FEWEST and (value in words or _phrase(value, log))}
            if seen:
                found[name] = len(seen)
    return found


def _phrase(value: str, log: str) -> bool:
    """A value of several words is looked for as it is."""
    return " " in value and value in log
