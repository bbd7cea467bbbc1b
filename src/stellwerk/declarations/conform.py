"""Checks a value against the part of JSON Schema 2020-12 that our schemas use, and says what is wrong in words.

The general validator needs seconds for a thousand models and its errors speak of schemas; tests hold this one to
the general one's verdict on every value they can think of. A keyword this module does not know is refused when a
schema is compiled, so a schema cannot ask for something that is then not checked.
"""

from __future__ import annotations

import re
from types import NoneType
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

from stellwerk.declarations.moments import is_moment
from stellwerk.declarations.write import inline, shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stellwerk.declarations.places import KeyPath
    from stellwerk.model.declared import Json

_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
    "null": (NoneType,),
}
_WORDS = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping (key: value)",
}
_CHECKED = frozenset(
    [
        "type",
        "enum",
        "const",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "minLength",
        "pattern",
        "format",
        "items",
        "uniqueItems",
        "properties",
        "additionalProperties",
        "propertyNames",
        "required",
        "anyOf",
        "oneOf",
        "allOf",
        "not",
        "if",
        "then",
        "$ref",
    ]
)
_SPOKEN = frozenset(
    ["writeOnly", "title", "description", "default", "examples", "patternErrorMessage", "$schema", "$id", "$defs"]
)


class Mismatch(Struct, frozen=True, kw_only=True):
    """One way in which a value is not what the schema says. `missing` names a key that is not there."""

    rule: str
    keys: KeyPath
    message: str
    hint: str = ""
    missing: str | None = None
    candidates: tuple[str, ...] = ()
    at_key: bool = False


class Node(Struct, kw_only=True):
    """A compiled schema. Filled in two steps, because schemas refer to each other."""

    types: frozenset[type] | None = None
    integral: bool = False
    type_words: tuple[str, ...] = ()
    enum: tuple[Json, ...] | None = None
    minimum: float | None = None
    maximum: float | None = None
    above: float | None = None
    below: float | None = None
    min_length: int = 0
    pattern: re.Pattern[str] | None = None
    pattern_words: str = ""
    format: str | None = None
    items: Node | None = None
    unique_items: bool = False
    properties: dict[str, Node] = field(default_factory=dict)
    others: Node | None = None
    closed: bool = False
    names: Node | None = None
    required: tuple[str, ...] = ()
    any_of: tuple[Node, ...] = ()
    one_of: tuple[Node, ...] = ()
    all_of: tuple[Node, ...] = ()
    never: Node | None = None
    condition: Node | None = None
    consequence: Node | None = None
    example: Json = None
    hidden: bool = False  # a message must not repeat the value: it may be a secret
    plain: bool = False  # nothing but types, so the type alone decides about a scalar


def compile_schema(schema: Mapping[str, Any]) -> Node:
    """Raises ValueError for a keyword that would not be checked."""
    return _compile(schema, schema, {})


def _compile(schema: Mapping[str, Any], root: Mapping[str, Any], known: dict[str, Node]) -> Node:
    unknown = schema.keys() - _CHECKED - _SPOKEN
    if unknown:
        message = f"schema keywords that are not checked: {', '.join(sorted(unknown))}"
        raise ValueError(message)
    reference = schema.get("$ref")
    if reference is not None:
        if reference not in known:
            target = root
            for part in reference.removeprefix("#/").split("/"):
                target = target[part]
            known[reference] = _compile(target, root, known)
        return known[reference]

    def inner(part: Mapping[str, Any]) -> Node:
        return _compile(part, root, known)

    names = schema.get("type", ())
    names = (names,) if isinstance(names, str) else tuple(names)
    others = schema.get("additionalProperties", True)
    node = Node(
        types=frozenset(kind for name in names for kind in _TYPES[name]) if names else None,
        integral="integer" in names and "number" not in names,
        type_words=tuple(_WORDS[name] for name in names if name in _WORDS),
        enum=tuple(schema["enum"]) if "enum" in schema else (schema["const"],) if "const" in schema else None,
        minimum=schema.get("minimum"),
        maximum=schema.get("maximum"),
        above=schema.get("exclusiveMinimum"),
        below=schema.get("exclusiveMaximum"),
        min_length=schema.get("minLength", 0),
        pattern=re.compile(schema["pattern"]) if "pattern" in schema else None,
        pattern_words=schema.get("patternErrorMessage", ""),
        format=schema.get("format"),
        items=inner(schema["items"]) if "items" in schema else None,
        unique_items=schema.get("uniqueItems", False),
        properties={key: inner(part) for key, part in schema.get("properties", {}).items()},
        others=inner(others) if isinstance(others, dict) else None,
        closed=others is False,
        names=inner(schema["propertyNames"]) if "propertyNames" in schema else None,
        required=tuple(schema.get("required", ())),
        any_of=tuple(map(inner, schema.get("anyOf", ()))),
        one_of=tuple(map(inner, schema.get("oneOf", ()))),
        all_of=tuple(map(inner, schema.get("allOf", ()))),
        never=inner(schema["not"]) if "not" in schema else None,
        condition=inner(schema["if"]) if "if" in schema else None,
        consequence=inner(schema["then"]) if "then" in schema else None,
        example=schema.get("examples", [None])[0],
        hidden=schema.get("writeOnly", False),
    )
    node.plain = not (schema.keys() & _CHECKED - {"type"})
    return node


def mismatches(value: Json, node: Node) -> list[Mismatch]:
    """Everything about the value that the schema does not allow, in document order."""
    found: list[Mismatch] = []
    _check(value, node, [], found)
    return found


def conforms(value: Json, node: Node) -> bool:
    """Whether the schema allows the value."""
    return not mismatches(value, node)


def _check(value: Json, node: Node, keys: list[str | int], found: list[Mismatch]) -> None:
    if not _type_fits(value, node):
        _wrong(found, keys, f"must be {_listing(node.type_words)}, not {_described(value)}")
        return
    if node.plain:
        return
    if node.enum is not None and not _among(value, node.enum):
        options = tuple(str(option) for option in node.enum if option is not None)
        words = f"must be {'one of ' if len(options) > 1 else ''}{', '.join(options)}, not {_described(value)}"
        _wrong(found, keys, words, candidates=options)
        return
    if isinstance(value, str):
        _check_text(value, node, keys, found)
    elif isinstance(value, dict):
        _check_mapping(value, node, keys, found)
    elif isinstance(value, list):
        _check_list(value, node, keys, found)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        _check_number(value, node, keys, found)
    if node.any_of:
        _check_alternatives(value, node, keys, found)
    if node.one_of or node.all_of or node.never is not None or node.condition is not None:
        _check_combinations(value, node, keys, found)


def _type_fits(value: Json, node: Node) -> bool:
    if node.types is None or type(value) in node.types:
        return True
    return node.integral and isinstance(value, float) and value.is_integer()


def _check_text(value: str, node: Node, keys: list[str | int], found: list[Mismatch]) -> None:
    if len(value) < node.min_length:
        _wrong(found, keys, "must not be empty")
    elif node.pattern is not None and node.pattern.search(value) is None:
        what = "this value" if node.hidden else _described(value)
        _wrong(found, keys, f"cannot be {what}", hint=node.pattern_words)
    elif node.format == "regex":
        try:
            re.compile(value)
        except re.error as error:
            _wrong(found, keys, f"is no regular expression: {error}")
    elif node.format == "moment" and not is_moment(value):
        _wrong(found, keys, f"is no date of the calendar: {shown(value)}")


def _check_number(value: float, node: Node, keys: list[str | int], found: list[Mismatch]) -> None:
    if node.minimum is not None and value < node.minimum:
        _wrong(found, keys, f"must be at least {node.minimum}, not {value}")
    elif node.maximum is not None and value > node.maximum:
        _wrong(found, keys, f"must be at most {node.maximum}, not {value}")
    elif node.above is not None and value <= node.above:
        _wrong(found, keys, f"must be more than {node.above}, not {value}")
    elif node.below is not None and value >= node.below:
        _wrong(found, keys, f"must be less than {node.below}, not {value}")


def _check_list(value: list[Json], node: Node, keys: list[str | int], found: list[Mismatch]) -> None:
    if node.items is not None:
        for number, item in enumerate(value):
            keys.append(number)
            _check(item, node.items, keys, found)
            keys.pop()
    if node.unique_items:
        for number, item in enumerate(value):
            if _among(item, value[:number]):
                keys.append(number)
                _wrong(found, keys, f"says {_described(item)} a second time")
                keys.pop()


def _check_mapping(value: dict[str, Json], node: Node, keys: list[str | int], found: list[Mismatch]) -> None:
    for key, child in value.items():
        inner = node.properties.get(key, node.others)
        keys.append(key)
        if inner is None:
            if node.closed:
                message = f"unknown key '{shown(key)}'{_inside(keys[:-1])}"
                known = tuple(node.properties)
                found.append(Mismatch(rule="SW110", keys=tuple(keys), message=message, candidates=known, at_key=True))
        else:
            if node.names is not None:
                _check_name(key, node.names, keys, found)
            if not (inner.plain and _type_fits(child, inner)):
                _check(child, inner, keys, found)
        keys.pop()
    for key in node.required:
        if key not in value:
            message = f"'{key}' is missing{_inside(keys)}"
            hint = _example_hint(key, node.properties.get(key))
            found.append(Mismatch(rule="SW112", keys=tuple(keys), message=message, hint=hint, missing=key, at_key=True))


def _example_hint(key: str, node: Node | None) -> str:
    return f"add it, for example {key}: {inline(node.example)}" if node is not None and node.example is not None else ""


def _check_name(key: str, names: Node, keys: list[str | int], found: list[Mismatch]) -> None:
    if names.pattern is not None and names.pattern.search(key) is None:
        message = f"'{shown(key)}' cannot be a name{_inside(keys[:-1])}"
        found.append(Mismatch(rule="SW111", keys=tuple(keys), message=message, hint=names.pattern_words, at_key=True))


def _check_alternatives(value: Json, node: Node, keys: list[str | int], found: list[Mismatch]) -> None:
    fitting = [option for option in node.any_of if _type_fits(value, option)]
    if not fitting:
        words = tuple(dict.fromkeys(word for option in node.any_of for word in option.type_words))
        _wrong(found, keys, f"must be {_listing(words)}, not {_described(value)}")
        return
    best: list[Mismatch] | None = None
    for option in fitting:
        attempt: list[Mismatch] = []
        _check(value, option, keys, attempt)
        if not attempt:
            return
        if best is None or len(attempt) < len(best):
            best = attempt
    found.extend(best or ())


def _check_combinations(value: Json, node: Node, keys: list[str | int], found: list[Mismatch]) -> None:
    if node.one_of and sum(conforms(value, option) for option in node.one_of) != 1:
        names = [key for option in node.one_of for key in option.required]
        _wrong(found, keys, f"needs exactly one of {', '.join(names)}")
    for part in node.all_of:
        _check(value, part, keys, found)
    if node.never is not None and conforms(value, node.never):
        _wrong(found, keys, f"cannot have both {' and '.join(node.never.required)}", hint="keep one of them")
    if node.condition is not None and node.consequence is not None and conforms(value, node.condition):
        _check(value, node.consequence, keys, found)


def _wrong(
    found: list[Mismatch], keys: list[str | int], words: str, *, hint: str = "", candidates: tuple[str, ...] = ()
) -> None:
    message = f"{_dotted(keys)} {words}"
    found.append(Mismatch(rule="SW111", keys=tuple(keys), message=message, hint=hint, candidates=candidates))


def _among(value: Json, options: tuple[Json, ...] | list[Json]) -> bool:
    return any(value == option and isinstance(value, bool) == isinstance(option, bool) for option in options)


def _listing(words: tuple[str, ...]) -> str:
    if not words:
        return "left out"
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def _described(value: Json) -> str:
    match value:
        case None:
            return "empty"
        case bool():
            return "true" if value else "false"
        case str():
            return f"'{shown(value)}'"
        case list():
            return "a list"
        case dict():
            return "a mapping"
        case _:
            return f"the number {value}"


def _dotted(keys: list[str | int]) -> str:
    if not keys:
        return "the file"
    return ".".join(shown(str(key)) if isinstance(key, str) else f"item {key + 1}" for key in keys)


def _inside(keys: list[str | int]) -> str:
    return f" in {_dotted(keys)}" if keys else ""
