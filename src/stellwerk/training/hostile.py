"""Requests that a service must refuse, and how it must."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from stellwerk.training.signature import EXAMPLES
from stellwerk.worker.request_rows import value_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stellwerk.model.declared import Json
    from stellwerk.training.signature import Signature

MANY = 1_000_000
MARK = "stellwerk-probe"
OK, NOT_JSON, TOO_LONG, UNFIT = 200, 400, 413, 422


def hostile(signature: Signature, base: Mapping[str, Json]) -> list[tuple[str, object, int]]:
    """Requests that must be refused, in words, and with which status. `base` is a row that is not."""
    found: list[tuple[str, object, int]] = [
        ("no rows", {"rows": []}, UNFIT),
        ("an empty body", b"", NOT_JSON),
        ("a body that is not JSON", b"\xff{", NOT_JSON),
        ("rows that are no list", {"rows": 1}, UNFIT),
        ("a row that is no object", {"rows": [1]}, UNFIT),
        ("a row without columns", {"rows": [{}]}, UNFIT),
        ("a million rows", b'{"rows":[' + b"0," * (MANY - 1) + b"0]}", TOO_LONG),
        ("a column nobody knows", {"rows": [{**base, MARK: MARK}]}, UNFIT),
    ]
    wrong: dict[str, Json] = {
        "integer": MARK,
        "number": MARK,
        "boolean": MARK,
        "string": 0,
        "date": MARK,
        "datetime": MARK,
    }
    for kind in EXAMPLES:
        name = next((column.name for column in signature.columns if column.type == kind), None)
        if name is not None:
            found.append((f"a value that is no {kind}", {"rows": [{**base, name: wrong[kind]}]}, UNFIT))
            if kind in {"integer", "number"}:
                sent = json.dumps({"rows": [{**base, name: MARK}]})
                infinite = {"NaN": NOT_JSON, "Infinity": NOT_JSON, "1e999": UNFIT}
                found += [(word, sent.replace(f'"{MARK}"', word).encode(), status) for word, status in infinite.items()]
    listed = next((column.name for column in signature.columns if column.allowed is not None), None)
    filled = next((column.name for column in signature.columns if not column.missing), None)
    shaped = next((column for column in signature.columns if column.pattern is not None), None)
    if listed is not None:
        found.append(("an unknown category", {"rows": [{**base, listed: MARK}]}, UNFIT))
    if filled is not None:
        found.append(("a gap where there was none", {"rows": [{**base, filled: None}]}, UNFIT))
    if shaped is not None and refusal(MARK, shaped.to_json()):
        found.append(("a text that does not match its pattern", {"rows": [{**base, shaped.name: MARK}]}, UNFIT))
    return found


def refusal(value: Json, column: Mapping[str, Json]) -> str:
    """What the service would say of the value; '' where it takes it."""
    try:
        value_of(value, column)
    except ValueError as error:
        return str(error)
    return ""
