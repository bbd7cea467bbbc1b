"""Plain values as the YAML a person would write, in single lines or indented blocks."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from stellwerk.declarations.scalars import UnsupportedNumberError, plain_scalar

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stellwerk.model.declared import Json

_PLAIN = re.compile(r"[^\W]([\w ./@+%()'\"~^&!*<>=;-]*[\w./@+%)])?\Z")
_OLD_WORDS = frozenset({"y", "n", "yes", "no", "on", "off"})  # truth values to readers of YAML 1.1
_SHOWN = 60
_UNPRINTABLE = re.compile(r"[\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")


def inline(value: Json) -> str:
    """The value in one line: plain where that is safe, in quotes where it is not."""
    match value:
        case str():
            return _text(value)
        case dict():
            return "{" + ", ".join(f"{_text(key)}: {inline(child)}" for key, child in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(inline, value)) + "]"
        case _:
            return json.dumps(value)


def block_lines(value: Mapping[str, Json], indent: int, step: int) -> list[str]:
    """A mapping as lines without their ends; mappings inside it become blocks, lists stay in one line."""
    lines: list[str] = []
    for key, child in value.items():
        head = f"{' ' * indent}{_text(key)}:"
        if isinstance(child, dict) and child:
            lines += [head, *block_lines(child, indent + step, step)]
        else:
            lines.append(f"{head} {inline(child)}")
    return lines


def shown(text: str) -> str:
    """A person's text as part of a message: short, in one line, without characters that act on a terminal."""
    short = text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in short)


def _text(text: str) -> str:
    if _PLAIN.match(text) and _stays_text(text):
        return text
    quoted = json.dumps(text, ensure_ascii=False)
    return _UNPRINTABLE.sub(lambda match: f"\\u{ord(match[0]):04x}", quoted)


def _stays_text(text: str) -> bool:
    try:
        return text.lower() not in _OLD_WORDS and isinstance(plain_scalar(text), str)
    except UnsupportedNumberError:
        return False
