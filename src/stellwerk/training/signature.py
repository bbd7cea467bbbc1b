"""A package's signature: which rows the model answers. Part of `package.json`, so proven by the package's digest.

Types are those that training saw, narrowed by what the dataset declares of its columns. The example is made from
the declarations alone: no value of a real row is in it.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

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


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureColumn:
    """One column of a request. `missing`: it may be null. `min`, `max` and `allowed` are declared; None: any value.

    `type` is integer | number | boolean | string | date | datetime.
    """

    name: str
    type: str
    missing: bool
    min: float | str | None = None
    max: float | str | None = None
    allowed: tuple[Json, ...] | None = None

    def to_json(self) -> dict[str, Json]:
        """Bounds and allowed values only where there are some."""
        found: dict[str, Json] = {"name": self.name, "type": self.type, "missing": self.missing}
        found |= {key: value for key, value in (("min", self.min), ("max", self.max)) if value is not None}
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
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
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
    return SignatureColumn(name=name, type=found, missing=missing, min=least, max=most, allowed=allowed)


def _is_one(value: Json, column: Mapping[str, Json]) -> bool:
    """Whether a declared value is of the column's type: 0 is no truth value."""
    try:
        value_of(value, column)
    except ValueError:
        return False
    return column["type"] != "boolean"


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
    if column.allowed:
        return column.allowed[0]
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
