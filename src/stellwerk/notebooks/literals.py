"""Plain values in code: what YAML could say as well."""

from __future__ import annotations

import ast
import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stellwerk.model.declared import Json


class NoLiteralError(ValueError):
    """The expression is no plain value; the message says why."""


def literal(node: ast.expr) -> Json:
    """The expression's value; a tuple becomes a list. Raises NoLiteralError."""
    try:
        value = ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        raise NoLiteralError("the value is computed") from None
    return _json(value)


def _json(value: Any) -> Json:
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        if math.isfinite(value):
            return value
        raise NoLiteralError("the number is not finite")
    if isinstance(value, list | tuple):
        return [_json(item) for item in value]
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            raise NoLiteralError("a key is no text")
        return {key: _json(item) for key, item in value.items()}
    raise NoLiteralError(f"YAML has no {type(value).__name__}")
