"""The functions of expressions that depend on their arguments alone. Names are in lower case, as they are looked up."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from .grammar import Call, ExpressionError
from .values import as_text, compare, to_json

STATUS = ("always", "cancelled", "failure", "success")
_MOST = 255  # arguments
_ARGUMENTS = {  # function: fewest and most arguments
    "case": (3, _MOST),
    "contains": (2, 2),
    "endswith": (2, 2),
    "format": (1, _MOST),
    "fromjson": (1, 1),
    "hashfiles": (1, _MOST),
    "join": (1, 2),
    "startswith": (2, 2),
    "tojson": (1, 1),
    **dict.fromkeys(STATUS, (0, 0)),
}
_PLACE = re.compile(r"\{\{|\}\}|\{(\d+)[^}]*\}|[{}]")


def check_call(call: Call) -> None:
    """Refuse a function that does not exist or has the wrong number of arguments."""
    if call.name not in _ARGUMENTS:
        raise ExpressionError(f"unrecognized function: {call.name}")
    fewest, most = _ARGUMENTS[call.name]
    if not fewest <= len(call.arguments) <= most or (call.name == "case" and len(call.arguments) % 2 == 0):
        raise ExpressionError(f"{call.name} takes {fewest} to {most} arguments, not {len(call.arguments)}")


def contains(where: Any, what: Any) -> bool:
    """An item of an array, loosely equal; else a part of a text."""
    if isinstance(where, list):
        return any(compare("==", item, what) for item in where)
    return _primitive(where, what) and as_text(what).upper() in as_text(where).upper()


def starts_with(text: Any, start: Any) -> bool:
    return _primitive(text, start) and as_text(text).upper().startswith(as_text(start).upper())


def ends_with(text: Any, end: Any) -> bool:
    return _primitive(text, end) and as_text(text).upper().endswith(as_text(end).upper())


def join(items: Any, separator: Any = ",") -> str:
    if isinstance(items, list):
        return (as_text(separator) if _primitive(separator) else ",").join(map(as_text, items))
    return as_text(items) if _primitive(items) else ""


def format_text(text: Any, *values: Any) -> str:
    """`{0}` is the first value; braces are doubled."""

    def put(found: re.Match[str]) -> str:
        if found[1] is None:
            if found[0] in {"{{", "}}"}:
                return found[0][0]
            raise ExpressionError(f"the format string is invalid: {text!r}")
        if int(found[1]) >= len(values):
            raise ExpressionError(f"the format string references more arguments than there are: {text!r}")
        return as_text(values[int(found[1])])

    return _PLACE.sub(put, as_text(text))


def from_json(text: Any) -> Any:
    def refuse(name: str) -> Any:
        raise ExpressionError(f"fromJSON: {name} is not JSON")

    try:
        return json.loads(as_text(text), parse_constant=refuse)
    except ValueError as error:
        raise ExpressionError(f"fromJSON: {error}: {as_text(text)[:60]!r}") from error


def case(*arguments: Any) -> Any:
    """The value after the first predicate that is true; the last argument where none is."""
    for predicate, value in zip(arguments[:-1:2], arguments[1::2], strict=False):
        if not isinstance(predicate, bool):
            raise ExpressionError("a predicate of case() must be a boolean")
        if predicate:
            return value
    return arguments[-1]


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "case": case,
    "contains": contains,
    "endswith": ends_with,
    "format": format_text,
    "fromjson": from_json,
    "join": join,
    "startswith": starts_with,
    "tojson": to_json,
}


def _primitive(*values: Any) -> bool:
    return not any(isinstance(value, list | dict) for value in values)
