"""Branch, tag and path filters: `*` and `?` stay inside one folder, `**` does not, the last pattern that fits decides."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any


def fits(pattern: str, text: str) -> bool:
    """Whether a whole branch, tag or path is meant by the pattern (without its `!`)."""
    return re.fullmatch(_regex(pattern), text) is not None


def selects(patterns: Iterable[str], text: str) -> bool:
    """Whether a list of patterns, some with `!`, keeps the text."""
    kept = False
    for pattern in patterns:
        if fits(pattern.removeprefix("!"), text):
            kept = not pattern.startswith("!")
    return kept


def keeps(config: Any, key: str, texts: Iterable[str]) -> bool:
    """Whether `key:` and `key-ignore:` of an event let it through: some text is selected, or not all are ignored."""
    config = config or {}
    texts = list(texts)
    if key in config:
        return any(selects(_listed(config[key]), text) for text in texts)
    if f"{key}-ignore" in config:
        ignored = _listed(config[f"{key}-ignore"])
        return any(not selects(ignored, text) for text in texts)
    return True


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else [str(item) for item in value]


def _regex(pattern: str) -> str:
    pieces: list[str] = []
    position = 0
    while position < len(pattern):
        rest = pattern[position:]
        if rest.startswith("**/"):
            piece, length = "(?:.*/)?", 3
        elif rest.startswith("**"):
            piece, length = ".*", 2
        elif rest[0] == "*":
            piece, length = "[^/]*", 1
        elif rest[0] in "?+":  # of the character before
            piece, length = rest[0], 1
        elif found := re.match(r"\[[A-Za-z0-9_-]+\]", rest):
            piece, length = found[0], len(found[0])
        elif rest[0] == "\\" and len(rest) > 1:
            piece, length = re.escape(rest[1]), 2
        else:
            piece, length = re.escape(rest[0]), 1
        pieces.append(piece)
        position += length
    return "".join(pieces)
