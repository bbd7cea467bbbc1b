"""Views as JSON: stable key order, no NaN, a version at the top of every document."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stellwerk.model.declared import Json

VERSION = 1


def plain(value: object) -> Json:
    """Dataclasses, mappings and tuples as JSON values; a number that is not finite becomes null.

    Raises TypeError for anything else.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | int):
        return value
    raise TypeError(f"{type(value).__name__} has no JSON form")


def document(content: dict[str, Json]) -> str:
    """The content with its version, as indented JSON and a final line end."""
    return json.dumps({"version": VERSION, **content}, indent=2, ensure_ascii=True, allow_nan=False) + "\n"
