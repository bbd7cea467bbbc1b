"""The JSON Schemas of what people write, and the findings of a document that does not conform to its schema."""

from __future__ import annotations

import difflib
import functools
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stellwerk.declarations.conform import Mismatch, Node, compile_schema, mismatches
from stellwerk.declarations.document import TextShape
from stellwerk.errors import StellwerkError

if TYPE_CHECKING:
    from stellwerk.model.declared import Json

KINDS = ("mlops", "environment", "release")  # what people write; the folder has more, for what machines write


def schema_text(kind: str) -> str:
    """The schema file of that kind, as it is shipped. Raises StellwerkError for a kind that does not exist."""
    known = _schema_files()
    if kind not in known:
        raise StellwerkError(f"there is no schema '{kind}'", hint=f"one of {', '.join(known)}")
    return known[kind].read_text(encoding="utf-8")


def _schema_files() -> dict[str, Path]:
    """The shipped schemas by kind: inside the installed package, or beside `src` in a checkout."""
    package = Path(__file__).resolve().parents[1]
    folders = (package / "schemas", package.parents[1] / "schemas")
    files = next((found for folder in folders if (found := sorted(folder.glob("*.schema.json")))), [])
    return {path.name.removesuffix(".schema.json"): path for path in files}


@functools.cache
def compiled(kind: str) -> Node:
    """The schema of that kind, ready to check with."""
    schema: dict[str, Any] = json.loads(schema_text(kind))
    return compile_schema(schema)


@functools.cache
def text_shape(kind: str) -> TextShape:
    """Where documents of that kind want text and nothing else."""
    return _shape(compiled(kind))


def check(kind: str, value: Json) -> list[Mismatch]:
    """Everything in the value that its schema does not allow, each with the nearest valid name as a hint."""
    return [_with_hint(mismatch) for mismatch in mismatches(value, compiled(kind))]


def _with_hint(mismatch: Mismatch) -> Mismatch:
    if mismatch.hint or not mismatch.candidates:
        return mismatch
    written = (
        str(mismatch.keys[-1]) if mismatch.rule == "SW110" else mismatch.message.rpartition("not '")[2].rstrip("'")
    )
    nearest = difflib.get_close_matches(written.lower(), mismatch.candidates, n=1, cutoff=0.6)
    if nearest:
        hint = f"did you mean '{nearest[0]}'?"
    elif mismatch.rule == "SW110":
        hint = f"known here: {', '.join(mismatch.candidates)}"
    else:
        return mismatch
    return Mismatch(rule=mismatch.rule, keys=mismatch.keys, message=mismatch.message, hint=hint, at_key=mismatch.at_key)


def _shape(node: Node) -> TextShape:
    options = [option for part in (node.any_of or (node,)) for option in (part.any_of or (part,))]
    kinds = {kind for option in options for kind in option.types or (object,)} - {dict, list, type(None)}
    properties = {key: _shape(inner) for option in options for key, inner in option.properties.items()}
    others = next((_shape(option.others) for option in options if option.others is not None), None)
    items = next((_shape(option.items) for option in options if option.items is not None), None)
    return TextShape(text=kinds == {str}, properties=properties, others=others, items=items)
