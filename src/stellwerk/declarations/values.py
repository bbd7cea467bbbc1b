"""Reads typed pieces out of plain JSON values; null and the wrong type count as absent."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stellwerk.model.declared import Json


def as_map(value: Json) -> Mapping[str, Json]:
    """The mapping, or an empty one."""
    return value if isinstance(value, dict) else {}


def as_list(value: Json) -> list[Json]:
    """The items that are not null, or none."""
    return [item for item in value if item is not None] if isinstance(value, list) else []


def opt_text(value: Json) -> str | None:
    """The text, if it is one."""
    return value if isinstance(value, str) else None


def texts(value: Json) -> tuple[str, ...]:
    """One text or a list of them, in the order they were written."""
    if isinstance(value, str):
        return (value,)
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()


def opt_number(value: Json) -> float | None:
    """The number, if it is one; whole numbers stay whole."""
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def number(value: Json, default: float) -> float:
    """The number, or the default."""
    found = opt_number(value)
    return default if found is None else found


def whole(value: Json, default: int) -> int:
    """The number without a fraction, or the default."""
    found = opt_number(value)
    return default if found is None else int(found)


def flag(value: Json, *, default: bool) -> bool:
    """The truth value, or the default."""
    return value if isinstance(value, bool) else default
