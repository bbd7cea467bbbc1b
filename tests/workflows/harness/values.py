"""How values turn into text, numbers and truth, and how they are compared.

Equality is loose: unlike kinds are compared as numbers, strings without regard to case, arrays and objects by identity.
"""

from __future__ import annotations

import json
import math
import operator as operators
from collections.abc import Mapping
from typing import Any

from .grammar import number_of

_OPERATORS = {
    "==": operators.eq,
    "!=": operators.ne,
    "<": operators.lt,
    "<=": operators.le,
    ">": operators.gt,
    ">=": operators.ge,
}


def truthy(value: Any) -> bool:
    if isinstance(value, list | dict):
        return True
    return value == value and bool(value)  # noqa: PLR0124  # NaN is false


def as_text(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case float() | int():
            return _number_text(value)
        case str():
            return value
        case list():
            return "Array"
        case _:
            return "Object"


def as_number(value: Any) -> float:
    match value:
        case None:
            return 0.0
        case bool() | int() | float():
            return float(value)
        case str():
            return number_of(value)
        case _:
            return math.nan


def to_json(value: Any) -> str:
    """Indented by two, as `toJSON` writes it."""
    return json.dumps(_json_ready(value), indent=2, ensure_ascii=False)


def lookup(mapping: Mapping[str, Any], key: str) -> Any:
    """A property, without regard to case; null where there is none."""
    if key in mapping:
        return mapping[key]
    wanted = key.upper()
    return next((value for name, value in mapping.items() if name.upper() == wanted), None)


def _kind(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "string"
        case _:
            return "object" if isinstance(value, dict) else "array"


def compare(operator: str, left: Any, right: Any) -> bool:
    kinds = {_kind(left), _kind(right)}
    if kinds & {"object", "array"}:
        same = left is right
        return (operator == "!=") != same and operator in {"==", "!=", "<=", ">="} and (operator == "!=" or same)
    if len(kinds) > 1 or kinds == {"number"}:
        left, right = as_number(left), as_number(right)
    elif kinds == {"string"}:
        left, right = left.upper(), right.upper()
    elif kinds == {"null"}:
        left = right = 0
    return bool(_OPERATORS[operator](left, right))


def _number_text(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else format(value, ".15g")


def _json_ready(value: Any) -> Any:
    match value:
        case float() if not math.isfinite(value):
            return None
        case float() if value == int(value):
            return int(value)
        case dict():
            return {key: _json_ready(item) for key, item in value.items()}
        case list():
            return [_json_ready(item) for item in value]
        case _:
            return value
