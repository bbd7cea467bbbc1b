"""The time, as an argument."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """The time, as an argument. `now` is seconds since the epoch, UTC."""

    now: Callable[[], float]
