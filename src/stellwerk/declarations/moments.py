"""Times and durations as people write them: `2026-01-31`, `2026-01-31T12:00:00Z`, `30m`, `7d`, `2%`."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?([smhdw])\Z", re.ASCII)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def parse_duration(value: str | float) -> int | None:
    """Whole seconds of `30m`, `2h`, `7d`, `12w` or a number of seconds; None for anything else."""
    if not isinstance(value, str):
        return int(value)
    match = _DURATION.match(value)
    return int(float(match[1]) * _SECONDS[match[2]]) if match else None


def parse_moment(text: str) -> float | None:
    """Seconds since the epoch. A date means its first moment; without a zone it is UTC. None: no such moment."""
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def is_moment(text: str) -> bool:
    """Whether the calendar has that date or time."""
    return parse_moment(text) is not None
