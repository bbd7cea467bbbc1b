"""The values of `${{ }}`: null, booleans, numbers, strings, arrays and objects as Python's own.

What is not there is null, and null as text is empty. Texts are evaluated by `interpolate`, an `if:` by `condition`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .functions import FUNCTIONS, STATUS, check_call
from .grammar import Binary, Call, Context, ExpressionError, Index, Literal, Node, Not, nodes, parse
from .values import as_number, as_text, compare, lookup, truthy


class _Filtered(list[Any]):
    """What `*` gave: a further index goes to each of its items."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Where names are looked up: contexts by their name, and the functions that depend on the place."""

    contexts: Mapping[str, Any]
    functions: Mapping[str, Callable[..., Any]] = field(default_factory=dict)

    def with_contexts(self, **contexts: Any) -> Scope:
        return Scope({**self.contexts, **contexts}, self.functions)


def evaluate(text: str, scope: Scope) -> Any:
    """The value of one expression, without its `${{ }}`."""
    tree = parse(text)
    known = {name.lower() for name in scope.contexts}
    for node in nodes(tree):  # also in what is not evaluated
        if isinstance(node, Call):
            check_call(node)
        elif isinstance(node, Context) and node.name.lower() not in known:
            raise ExpressionError(f"unrecognized named-value: {node.name!r}")
    return _value(tree, scope)


def interpolate(text: str, scope: Scope) -> Any:
    """The text with its expressions evaluated; the value itself where the text is one expression and nothing else."""
    parts = split(text)
    match parts:
        case [("expression", only)]:
            return evaluate(only, scope)
        case _:
            return "".join(part if kind == "text" else as_text(evaluate(part, scope)) for kind, part in parts)


def resolve(value: Any, scope: Scope) -> Any:
    """The same through maps and lists."""
    match value:
        case str():
            return interpolate(value, scope)
        case dict():
            return {as_text(resolve(key, scope)): resolve(item, scope) for key, item in value.items()}
        case list():
            return [resolve(item, scope) for item in value]
        case _:
            return value


def condition(text: str | bool | float | None, scope: Scope) -> bool:
    """Whether an `if:` holds; without a status function `success()` is asked as well."""
    if text is None or text == "":
        return truthy(evaluate("success()", scope))
    written = as_text(text)
    parts = split(written)
    if "${{" not in written:
        parts = [("expression", written)]
    asks_status = any(
        isinstance(node, Call) and node.name in STATUS
        for kind, part in parts
        if kind == "expression"
        for node in nodes(parse(part))
    )
    if not asks_status and not truthy(evaluate("success()", scope)):
        return False
    return truthy(
        evaluate(parts[0][1], scope) if len(parts) == 1 and parts[0][0] == "expression" else interpolate(written, scope)
    )


def split(text: str) -> list[tuple[str, str]]:
    """The parts of a text: ("text", ...) and ("expression", ...)."""
    parts: list[tuple[str, str]] = []
    position = 0
    while (start := text.find("${{", position)) >= 0:
        end = re.compile(r"(?:[^'}]|'(?:[^']|'')*'|\}(?!\}))*\}\}").match(text, start + 3)
        if end is None:
            raise ExpressionError(f"`${{{{` is not closed in {text[start : start + 60]!r}")
        if start > position:
            parts.append(("text", text[position:start]))
        parts.append(("expression", text[start + 3 : end.end() - 2]))
        position = end.end()
    if position < len(text) or not parts:
        parts.append(("text", text[position:]))
    return parts


def _value(node: Node, scope: Scope) -> Any:
    match node:
        case Literal(value):
            return value
        case Context(name):
            return lookup(scope.contexts, name)
        case Index(of, key):
            return _index(_value(of, scope), None if key is None else (_value(key, scope),))
        case Not(of):
            return not truthy(_value(of, scope))
        case Binary():
            return _binary(node, scope)
        case Call() as call:
            return _call(call, scope)


def _binary(node: Binary, scope: Scope) -> Any:
    left = _value(node.left, scope)
    if node.operator in {"&&", "||"}:
        return left if truthy(left) == (node.operator == "||") else _value(node.right, scope)
    return compare(node.operator, left, _value(node.right, scope))


def _index(of: Any, key: tuple[Any] | None) -> Any:
    if isinstance(of, _Filtered):
        found = _Filtered()
        for item in of:
            if key is None:
                found.extend(_index(item, None))
            elif (value := _one(item, key[0], missing=found)) is not found:
                found.append(value)
        return found
    if key is None:
        items = of.values() if isinstance(of, dict) else of if isinstance(of, list) else ()
        return _Filtered(items)
    return _one(of, key[0], missing=None)


def _one(of: Any, key: Any, *, missing: Any) -> Any:
    if isinstance(of, dict):
        if isinstance(key, list | dict) or not any(name.upper() == as_text(key).upper() for name in of):
            return missing
        return lookup(of, as_text(key))
    if isinstance(of, list):
        place = as_number(key)
        return of[int(place)] if 0 <= place < len(of) and not math.isnan(place) else missing
    return missing


def _call(call: Call, scope: Scope) -> Any:
    check_call(call)
    arguments = [_value(argument, scope) for argument in call.arguments]
    function = scope.functions.get(call.name) or FUNCTIONS.get(call.name)
    if function is None:
        raise ExpressionError(f"{call.name}() is not available here")
    return function(*arguments)
