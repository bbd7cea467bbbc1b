"""A schedule as text: five fields of cron, in UTC, as GitHub reads them. Pure.

Fields, ranges and names are those of https://docs.github.com/en/actions/reference/workflows-and-actions/events-that-trigger-workflows#schedule
(POSIX cron and `/`): no `@daily`, no `L`, `W` or `#`, and a week from 0 (Sunday) to 6.
"""

from __future__ import annotations

import re
from itertools import pairwise

from msgspec import Struct

MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
LONGEST = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)  # days of each month, in a leap year
HOUR = 60  # minutes
_ITEM = re.compile(
    r"(?P<first>\*|[0-9]{1,3}|[A-Za-z]{3})(?:-(?P<last>[0-9]{1,3}|[A-Za-z]{3}))?(?:/(?P<step>[0-9]{1,3}))?"
)


class Field(Struct, frozen=True, kw_only=True):
    """One of the five: its name, its range, and names of its numbers from the lowest on."""

    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()


FIELDS = (
    Field(name="minute", low=0, high=59),
    Field(name="hour", low=0, high=23),
    Field(name="day of the month", low=1, high=31),
    Field(name="month", low=1, high=12, names=MONTHS),
    Field(name="day of the week", low=0, high=6, names=DAYS),
)


def cron_problem(text: str) -> str:
    """What is wrong with a schedule, in words; '' where it comes to pass."""
    parts = text.split(" ")
    if len(parts) != len(FIELDS):
        return f"it has {len(parts)} fields instead of five"
    for field, part in zip(FIELDS, parts, strict=True):
        try:
            _numbers(field, part)
        except ValueError as error:
            return str(error)
    days, months = (_numbers(field, part) for field, part in zip(FIELDS[2:4], parts[2:4], strict=True))
    if parts[4] == "*" and not any(min(days) <= LONGEST[month - 1] for month in months):
        return f"no month it names has a day {min(days)}: it never comes to pass"
    return ""


def shortest_interval(text: str) -> int:
    """The fewest minutes between two times of a schedule without a problem, within one day or over midnight."""
    parts = text.split(" ")
    minutes, hours = sorted(_numbers(FIELDS[0], parts[0])), sorted(_numbers(FIELDS[1], parts[1]))
    gaps = [later - earlier for earlier, later in pairwise(minutes)]
    times = [hours[0], *hours[1:], hours[0] + 24]
    gaps += [HOUR * (later - earlier) + minutes[0] - minutes[-1] for earlier, later in pairwise(times)]
    return min(gaps)


def _numbers(field: Field, part: str) -> set[int]:
    """The numbers a field allows. Raises ValueError with the problem in words."""
    found: set[int] = set()
    for item in part.split(","):
        match = _ITEM.fullmatch(item)
        if match is None or (match["first"] == "*" and match["last"]):
            raise ValueError(f"{item!r} is no {field.name}")
        whole = match["first"] == "*"
        first = field.low if whole else _number(field, match["first"])
        last = _number(field, match["last"]) if match["last"] else first
        if whole or (match["step"] and not match["last"]):
            last = field.high
        step = int(match["step"]) if match["step"] else 1
        if step < 1:
            raise ValueError(f"{item!r} steps by nothing in {field.name}")
        if last < first:
            raise ValueError(f"{item!r} ends before it begins in {field.name}")
        found.update(range(first, last + 1, step))
    return found


def _number(field: Field, text: str) -> int:
    name = text.upper()
    if name in field.names:
        return field.low + field.names.index(name)
    if not text.isdigit() or not field.low <= int(text) <= field.high:
        raise ValueError(f"{text!r} is no {field.name}: {field.low} to {field.high}")
    return int(text)
