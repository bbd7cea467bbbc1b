"""Where in the file of a notebook each line of its cells stands, so that a finding lands on it."""

from __future__ import annotations

import bisect
import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_DECODER = json.JSONDecoder(strict=False)
_BLANK = re.compile(r"[ \t\r\n]*")


def source_lines(text: str) -> tuple[tuple[int, ...], ...]:
    """For each cell, in order, the line of the file (from 1) on which each line of its source stands.

    `text` is a notebook that was read before. A cell whose source is one text has all its lines on one of the file.
    """
    breaks = [found.start() for found in re.finditer("\n", text)]
    cells = {key: start for key, start, _ in _members(text, _after(text, 0))}["cells"]  # the last one, as JSON has it
    found = []
    for start, _ in _items(text, cells):
        source = {key: (at, value) for key, at, value in _members(text, start)}.get("source", (start, ""))
        strings = _items(text, source[0]) if isinstance(source[1], list) else [source]
        found.append(tuple(bisect.bisect_left(breaks, at) + 1 for at, value in strings for _ in range(_lines(value))))
    return tuple(found)


def _lines(value: object) -> int:
    """How many lines of a source the value holds; of what is no text, one."""
    return max(1, len(value.splitlines())) if isinstance(value, str) else 1


def _after(text: str, index: int) -> int:
    found = _BLANK.match(text, index)
    return found.end() if found else index


def _members(text: str, index: int) -> Iterator[tuple[str, int, Any]]:
    """Key, beginning and value of each member of the object that begins there."""
    index = _after(text, index + 1)
    while text[index] != "}":
        key, index = _DECODER.raw_decode(text, index)
        index = _after(text, _after(text, index) + 1)
        value, end = _DECODER.raw_decode(text, index)
        yield key, index, value
        index = _after(text, end)
        if text[index] == ",":
            index = _after(text, index + 1)


def _items(text: str, index: int) -> Iterator[tuple[int, Any]]:
    """Beginning and value of each item of the list that begins there."""
    index = _after(text, index + 1)
    while text[index] != "]":
        value, end = _DECODER.raw_decode(text, index)
        yield index, value
        index = _after(text, end)
        if text[index] == ",":
            index = _after(text, index + 1)


def line_of(lines: tuple[tuple[int, ...], ...], cell: int, line: int) -> int:
    """The line of the file for that line of the cell, both from 1; 1 for the notebook as a whole."""
    if not 0 < cell <= len(lines) or not lines[cell - 1]:
        return 1
    own = lines[cell - 1]
    return own[min(max(line, 1), len(own)) - 1]
