"""A package's signature: which rows the model answers. Part of `package.json`, so proven by the package's digest.

Types are those that training saw, narrowed by what the dataset declares of its columns. The example is made from
the declarations alone: no value of a real row is in it.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING, Any, cast

from msgspec import Struct

from stellwerk.data.pattern import texts_of
from stellwerk.errors import StellwerkError
from stellwerk.worker.request_rows import value_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from stellwerk.model.declared import Column, Json

EXAMPLES: Mapping[str, Json] = {
    "integer": 0,
    "number": 0.0,
    "boolean": False,
    "string": "text",
    "date": "2024-01-31",
    "datetime": "2024-01-31T12:00:00+00:00",
}
LIKE_TEXT = frozenset({"string", "date", "datetime"})


class SignatureColumn(Struct, frozen=True, kw_only=True):
    """One column of a request. `missing`: it may be null. The other rules are as declared; None: any value.

    `type` is integer | number | boolean | string | date | datetime. `pattern`, of text, is Python's and fits all of it.
    """

    name: str
    type: str
    missing: bool
    min: float | str | None = None
    max: float | str | None = None
    allowed: tuple[Json, ...] | None = None
    pattern: str | None = None

    def to_json(self) -> dict[str, Json]:
        """Rules only where there are some."""
        found: dict[str, Json] = {"name": self.name, "type": self.type, "missing": self.missing}
        rules = (("min", self.min), ("max", self.max), ("pattern", self.pattern))
        found |= {key: value for key, value in rules if value is not None}
        if self.allowed is not None:
            found["allowed"] = list(self.allowed)
        return found

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> SignatureColumn:
        """KeyError or TypeError where the mapping has another shape."""
        allowed = raw.get("allowed")
        return cls(
            name=raw["name"],
            type=raw["type"],
            missing=raw["missing"],
            min=raw.get("min"),
            max=raw.get("max"),
            allowed=None if allowed is None else tuple(allowed),
            pattern=raw.get("pattern"),
        )


class Signature(Struct, frozen=True, kw_only=True):
    """The columns in the model's order, and example rows: column -> value."""

    columns: tuple[SignatureColumn, ...]
    example: tuple[Mapping[str, Json], ...]

    def to_json(self) -> dict[str, Json]:
        """The content of `signature.json`, and of `signature` in `package.json`."""
        return {
            "columns": [column.to_json() for column in self.columns],
            "example": [dict(row) for row in self.example],
        }

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Signature:
        """KeyError or TypeError where the mapping has another shape."""
        return cls(
            columns=tuple(SignatureColumn.from_json(column) for column in raw["columns"]),
            example=tuple(dict(row) for row in raw["example"]),
        )


def signature_of(types: Mapping[str, str], declared: tuple[Column, ...], *, gaps: Collection[str]) -> Signature:
    """The signature of a model that was trained on columns of those pandas types.

    `gaps` are the columns that had missing values in training; a column that never had one takes none.
    """
    known = {column.name: column for column in declared}
    columns = tuple(_column(name, kind, known.get(name), missing=name in gaps) for name, kind in types.items())
    return Signature(columns=columns, example=({column.name: _example(column) for column in columns},))


def _column(name: str, kind: str, declared: Column | None, *, missing: bool) -> SignatureColumn:
    seen = seen_type(kind)
    if declared is None or not _agrees(seen, declared.type):
        return SignatureColumn(name=name, type=seen, missing=missing)
    found = declared.type or seen
    free: dict[str, Json] = {"name": name, "type": found, "missing": False}
    least, most = (value if _is_one(value, free) else None for value in (declared.min, declared.max))
    allowed = None
    if declared.allowed is not None and all(_is_one(value, free) for value in declared.allowed):
        allowed = declared.allowed
    pattern = declared.pattern if seen == "string" and _is_pattern(declared.pattern) else None
    return SignatureColumn(
        name=name, type=found, missing=missing, min=least, max=most, allowed=allowed, pattern=pattern
    )


def _is_pattern(pattern: str | None) -> bool:
    try:
        return pattern is not None and bool(re.compile(pattern))
    except re.error:
        return False


def _is_one(value: Json, column: Mapping[str, Json]) -> bool:
    """Whether a declared value is of the column's type: 0 is no truth value."""
    return _taken(value, column) and column["type"] != "boolean"


def seen_type(kind: str) -> str:
    """The type of a request's values for a pandas type."""
    if kind.lower().startswith(("int", "uint")):
        return "integer"
    if kind.lower().startswith("float"):
        return "number"
    if kind in {"bool", "boolean"}:
        return "boolean"
    return "datetime" if kind.startswith("datetime64") else "string"


def _agrees(seen: str, declared: str | None) -> bool:
    """Whether a declared type narrows what training saw: whole numbers with gaps are floats there, dates are text."""
    pairs = {("number", "integer"), ("integer", "number"), ("string", "date"), ("string", "datetime")}
    return declared is None or declared == seen or (seen, declared) in pairs


def _example(column: SignatureColumn) -> Json:
    """A value that keeps every rule, where one is found."""
    rules = column.to_json()
    candidates = [*(column.allowed or (_unlisted(column),)), *_patterned(column)]
    return next((value for value in candidates if _taken(value, rules)), candidates[0])


def _taken(value: Json, column: Mapping[str, Json]) -> bool:
    try:
        value_of(value, column)
    except ValueError:
        return False
    return True


def _patterned(column: SignatureColumn) -> tuple[str, ...]:
    if column.pattern is None:
        return ()
    try:
        texts = texts_of(column.pattern)
    except StellwerkError:  # more than can be made up: the model may refuse the example
        return ()
    return tuple(sorted((texts.nth(0), texts.nth(texts.size - 1)), key=lambda text: text == ""))


def _unlisted(column: SignatureColumn) -> Json:
    if column.min is None and column.max is None:
        return EXAMPLES[column.type]
    if column.type in LIKE_TEXT:
        return _moment(cast("str", column.min if column.min is not None else column.max), column.type)
    bound = cast("float", column.min if column.min is not None else column.max)
    middle = bound if None in {column.min, column.max} else (bound + cast("float", column.max)) / 2
    return int(middle) if column.type == "integer" else float(middle)


def _moment(bound: str, kind: str) -> str:
    """The bound in the form of the column's type: YAML has dates where a column has times."""
    if kind == "datetime" and len(bound) == len("2024-01-31"):
        return dt.datetime.fromisoformat(bound).replace(tzinfo=dt.UTC).isoformat()
    return bound
