"""Views as JSON: stable key order, no NaN, a version at the top of every document."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from stellwerk.model.declared import Json

VERSION = 1


def plain(value: object) -> Json:
    """Structs, mappings and tuples as JSON values; a number that is not finite becomes null.

    Raises TypeError for anything else.
    """
    if isinstance(value, Struct):
        return {name: plain(getattr(value, name)) for name in value.__struct_fields__}
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
