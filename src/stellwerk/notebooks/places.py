"""Where in the file of a notebook each line of its cells stands, so that a finding lands on it."""

from __future__ import annotations

import bisect
import json
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_STRINGS = json.JSONDecoder(strict=False)
_BLANK = re.compile(r"[ \t\r\n]*")
_PLAIN = re.compile(r"[^\s,\]}]+")


def source_lines(text: str) -> tuple[tuple[int, ...], ...]:
    """For each cell, in order, the line of the file (from 1) on which each line of its source stands.

    `text` is a notebook that was read before. A cell whose source is one text has all its lines on one of the file.
    """
    breaks = [found.start() for found in re.finditer("\n", text)]
    cells: dict[int, list[int]] = {}

    def visit(path: tuple[str | int, ...], start: int, value: str) -> None:
        if len(path) < 3 or path[0] != "cells" or path[2] != "source":  # noqa: PLR2004
            return
        line = bisect.bisect_left(breaks, start) + 1
        lines = cells.setdefault(int(path[1]), [])
        lines += [line] * max(1, len(value.splitlines()))

    _walk(text, _after(text, 0), (), visit)
    return tuple(tuple(cells.get(number, ())) for number in range(max(cells, default=-1) + 1))


def _after(text: str, index: int) -> int:
    found = _BLANK.match(text, index)
    return found.end() if found else index


def _walk(text: str, index: int, path: tuple[str | int, ...], visit: Callable[..., None]) -> int:
    """Tell `visit` of every text in the value that starts there; returns where the value ends."""
    match text[index]:
        case '"':
            value, end = _STRINGS.raw_decode(text, index)
            visit(path, index, value)
            return int(end)
        case "{":
            return _members(text, index, path, visit)
        case "[":
            return _items(text, index, path, visit)
        case _:
            found = _PLAIN.match(text, index)
            return found.end() if found else index + 1


def _members(text: str, index: int, path: tuple[str | int, ...], visit: Callable[..., None]) -> int:
    index = _after(text, index + 1)
    while text[index] != "}":
        key, index = _STRINGS.raw_decode(text, index)
        index = _after(text, _after(text, index) + 1)
        index = _after(text, _walk(text, index, (*path, key), visit))
        if text[index] == ",":
            index = _after(text, index + 1)
    return index + 1


def _items(text: str, index: int, path: tuple[str | int, ...], visit: Callable[..., None]) -> int:
    index, number = _after(text, index + 1), 0
    while text[index] != "]":
        index = _after(text, _walk(text, index, (*path, number), visit))
        number += 1
        if text[index] == ",":
            index = _after(text, index + 1)
    return index + 1


def line_of(lines: tuple[tuple[int, ...], ...], cell: int, line: int) -> int:
    """The line of the file for that line of the cell, both from 1; 1 for the notebook as a whole."""
    if not 0 < cell <= len(lines) or not lines[cell - 1]:
        return 1
    own = lines[cell - 1]
    return own[min(max(line, 1), len(own)) - 1]
