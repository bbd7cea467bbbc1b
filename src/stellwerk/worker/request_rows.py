"""What a package's signature says of a request: which rows it takes, in words for people and as JSON Schema.

A message names row and column and says what is wrong, never the value itself. Standard library only; imports nothing
of Stellwerk.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

Column = Mapping[str, Any]
Problem = dict[str, Any]

MOST_PROBLEMS = 20
SMALLEST, LARGEST = -(2**63), 2**63 - 1
WORDS = {
    "integer": "must be a whole number of 64 bits",
    "number": "must be a finite number",
    "boolean": "must be true or false",
    "string": "must be text",
    "date": "must be a date as 2024-01-31",
    "datetime": "must be a date and time as 2024-01-31T12:00:00Z",
}


class RefusedError(Exception):
    """A request that is answered with a status of 4xx."""

    def __init__(self, status: int, message: str, problems: Sequence[Problem] = ()) -> None:
        super().__init__(message)
        self.status, self.message, self.problems = status, message, list(problems)


def parsed(body: bytes) -> Any:
    """The JSON of a body. What only Python takes for JSON (NaN, Infinity) is refused."""

    def refuse(_word: str) -> Any:
        raise RefusedError(400, "NaN and Infinity are not JSON; write null where there is no value")

    try:
        return json.loads(body.decode("utf-8"), parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise RefusedError(400, "the body is not JSON in UTF-8") from error


def columns_of(asked: Any, columns: Sequence[Column], *, most: int) -> dict[str, list[Any]]:
    """The values of a request by column, None where there is none; RefusedError says what is wrong, in which rows."""
    if not isinstance(asked, dict) or set(asked) != {"rows"} or not isinstance(asked["rows"], list):
        raise RefusedError(422, 'the body must be {"rows": [...]} with one object for each row')
    rows = asked["rows"]
    if not rows:
        raise RefusedError(422, "there are no rows")
    if len(rows) > most:
        raise RefusedError(413, f"{len(rows)} rows are too many; at most {most} are answered at once")
    values: dict[str, list[Any]] = {column["name"]: [] for column in columns}
    problems: list[Problem] = []
    for number, row in enumerate(rows):
        problems += _row(number, row, columns, values)
        if len(problems) > MOST_PROBLEMS:
            break
    if problems:
        raise RefusedError(422, "the rows are not what the model takes", problems[:MOST_PROBLEMS])
    return values


def _row(number: int, row: Any, columns: Sequence[Column], values: dict[str, list[Any]]) -> list[Problem]:
    if not isinstance(row, dict):
        return [{"row": number, "column": None, "message": "must be an object"}]
    found: list[Problem] = []
    for column in columns:
        name = column["name"]
        if name not in row:
            found.append({"row": number, "column": name, "message": "is missing"})
            continue
        try:
            values[name].append(value_of(row[name], column))
        except ValueError as error:
            found.append({"row": number, "column": name, "message": str(error)})
    strangers = sum(name not in values for name in row)
    if strangers:
        message = f"{strangers} of its columns are none the model takes; it takes {', '.join(values)}"
        found.append({"row": number, "column": None, "message": message})
    return found


def value_of(value: Any, column: Column) -> Any:
    """The value as the column's type; ValueError says why not."""
    if value is None:
        if column["missing"]:
            return None
        raise ValueError("must have a value")
    kind = column["type"]
    try:
        typed = _typed(value, kind)
    except (ValueError, OverflowError):
        typed = None
    if typed is None:
        raise ValueError(WORDS[kind])
    if column.get("allowed") is not None and not any(same(typed, item) for item in column["allowed"]):
        raise ValueError(f"must be one of the {len(column['allowed'])} allowed values")
    if column.get("pattern") is not None and not re.fullmatch(column["pattern"], typed):
        raise ValueError("must match the declared pattern")
    least, most = column.get("min"), column.get("max")
    if least is not None and typed < least:
        raise ValueError(f"must be {least} or more")
    if most is not None and typed > most:
        raise ValueError(f"must be {most} or less")
    return typed


def same(left: Any, right: Any) -> bool:
    """1 and 1.0 are the same value, 1 and true are not."""
    return bool(left == right) and isinstance(left, bool) == isinstance(right, bool)


def _typed(value: Any, kind: str) -> Any:
    if kind == "boolean":
        return value if isinstance(value, bool) else None
    if kind in {"integer", "number"}:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            return None
        if kind == "number":
            return float(value)
        return int(value) if value == int(value) and SMALLEST <= value <= LARGEST else None
    if not isinstance(value, str):
        return None
    value.encode()  # half of a character is no text
    if kind == "date":
        dt.date.fromisoformat(value)
    elif kind == "datetime":
        dt.datetime.fromisoformat(value)
    return value


def openapi(facts: Mapping[str, Any], columns: Sequence[Column], example: Sequence[Any]) -> dict[str, Any]:
    """The service's description, OpenAPI 3.1. `facts` are those of `/metadata`."""
    row = {
        "type": "object",
        "required": [column["name"] for column in columns],
        "properties": {column["name"]: schema_of(column) for column in columns},
        "additionalProperties": False,
    }
    number = facts["task"] == "regression"
    answer = {
        "type": "object",
        "required": ["prediction"],
        "properties": {
            "prediction": {"type": "number" if number else "string"},
            "probability": {"type": "number", "minimum": 0, "maximum": 1},
            "decision": {"type": "object"},
        },
    }
    error = {
        "type": "object",
        "required": ["error", "problems"],
        "properties": {"error": {"type": "string"}, "problems": {"type": "array", "items": {"type": "object"}}},
    }
    request = {
        "type": "object",
        "required": ["rows"],
        "properties": {
            "rows": {
                "type": "array",
                "minItems": 1,
                "maxItems": facts["limits"]["rows"],
                "items": {"$ref": "#/components/schemas/Row"},
            }
        },
        "additionalProperties": False,
    }
    answers = {
        "type": "object",
        "required": ["predictions"],
        "properties": {"predictions": {"type": "array", "items": {"$ref": "#/components/schemas/Prediction"}}},
    }
    refusals = {
        "400": "The body is not JSON.",
        "413": "Too many rows or bytes.",
        "415": "The body is not called JSON.",
        "422": "The rows are not what the model takes, or the model has no answer for them.",
    }
    problem = {"schema": {"$ref": "#/components/schemas/Error"}}
    return {
        "openapi": "3.1.0",
        "info": {"title": facts["model"] or "model", "version": str(facts["version"] or "0")},
        "paths": {
            "/predict": {
                "post": {
                    "summary": "One prediction for each row, in the rows' order",
                    "requestBody": {
                        "required": True,
                        "content": {
                            "application/json": {
                                "schema": request,
                                **({"example": {"rows": list(example)}} if example else {}),
                            }
                        },
                    },
                    "responses": {
                        "200": _response("The predictions.", answers),
                        **{
                            status: {"description": words, "content": {"application/json": problem}}
                            for status, words in refusals.items()
                        },
                    },
                }
            },
            "/health": {"get": {"summary": "The model is loaded", "responses": {"200": _response("It is.", {})}}},
            "/metadata": {"get": {"summary": "What is served", "responses": {"200": _response("Facts.", {})}}},
        },
        "components": {"schemas": {"Row": row, "Prediction": answer, "Error": error}},
    }


def _response(words: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"description": words, "content": {"application/json": {"schema": schema or {"type": "object"}}}}


def schema_of(column: Column) -> dict[str, Any]:
    """The JSON Schema of a column's values."""
    kind = column["type"]
    found: dict[str, Any] = {"type": "string" if kind in {"date", "datetime"} else kind}
    if kind in {"date", "datetime"}:
        found["format"] = "date" if kind == "date" else "date-time"
    if kind in {"integer", "number"}:
        bounds = {"integer": (SMALLEST, LARGEST)}.get(kind, (None, None))
        least, most = column.get("min"), column.get("max")
        found["minimum"] = bounds[0] if least is None else least
        found["maximum"] = bounds[1] if most is None else most
        found = {key: value for key, value in found.items() if value is not None}
    if column.get("allowed") is not None:
        found["enum"] = [*column["allowed"], *([None] if column["missing"] else [])]
    if column.get("pattern") is not None:
        found |= pattern_schema(column["pattern"])
    if column["missing"]:
        found["type"] = [found["type"], "null"]
    return found


def pattern_schema(pattern: str) -> dict[str, str]:
    """A pattern of Python's, which all of a value must match, as JSON Schema has it: ECMA 262, found anywhere.

    In words where it uses what only Python has.
    """
    parts, at = [], 0
    while at < len(pattern):
        token = TOKEN.match(pattern, at)
        if token is None:
            return {"description": f"All of it must match Python's regular expression {pattern}"}
        parts.append(ecma(token))
        at = token.end()
    return {"pattern": f"^(?:{''.join(parts)})$"}


SYNTAX = r"^$\.*+?()[]{}|/"
# What both understand alike: a class, a group, a repeat, an escape, and a sign that stands for itself or is an anchor.
TOKEN = re.compile(
    r"\[(?P<class>\^?(?:[^\]\[\\&~|-]|\\[dwsDWStnrfv]|\\[^A-Za-z0-9]|-)+)\]"
    r"|(?P<open>\(\?:|\((?!\?))"
    r"|(?P<repeat>(?:[*+?]|\{\d+(?:,\d*)?\})\??(?![*+?{]))"
    r"|\\(?P<named>[dwsDWStnrfv])"
    r"|\\(?P<escaped>[^A-Za-z0-9])"
    r"|(?P<plain>[^\\\[*+?{(])",
    re.DOTALL,
)


def ecma(token: re.Match[str]) -> str:
    """The same for a reader that takes an escape of a sign without a meaning for an error."""
    if token["class"] is not None:
        return "[" + re.sub(r"\\([^A-Za-z0-9])", lambda sign: escaped(sign[1], f"{SYNTAX}-"), token["class"]) + "]"
    if token["escaped"] is not None:
        return escaped(token["escaped"], SYNTAX)
    return f"\\{token[0]}" if token[0] in {"]", "}"} else token[0]


def escaped(sign: str, meaning: str) -> str:
    return f"\\{sign}" if sign in meaning else sign
