"""The time, as an argument."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct


class Clock(Struct, frozen=True, kw_only=True):
    """The time, as an argument. `now` is seconds since the epoch, UTC."""

    now: Callable[[], float]
