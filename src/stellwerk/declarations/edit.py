"""Edits of a person's YAML, text -> text: comments, order, quotes and line ends of everything else stay.

Every edit is read back before it is returned; where the text is too unusual to be edited safely the error says what
to change by hand. Nothing is written here.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from stellwerk.declarations.document import load_document
from stellwerk.declarations.write import block_lines, inline
from stellwerk.errors import StellwerkError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stellwerk.model.declared import Json

_COLON = re.compile(r"\s*:")
_KEEP = re.compile(r"[|>][0-9]*\+")
_STEP = 2  # spaces a new block is indented by


def set_value(text: str, keys: tuple[str, ...], value: Json) -> str:
    """The text with that key path set; a mapping over a mapping changes only the entries that differ.

    Missing parents are added at the end of the nearest one. Raises StellwerkError.
    """
    before = _read(text)
    if before is None:
        before = {}
    expected = _with(before, keys, value)
    if expected == before and _same(before, expected):
        return text
    return _proven(_set(text, keys, value), expected, f"set {'.'.join(keys)} to {inline(value)}")


def remove_key(text: str, keys: tuple[str, ...]) -> str:
    """The text without that key; unchanged where it is not set. Raises StellwerkError."""
    before = _read(text)
    expected = _without(before, keys)
    if expected == before:
        return text
    return _proven(_remove(text, keys), expected, f"remove {'.'.join(keys)}")


def add_to_mapping(text: str, keys: tuple[str, ...], entries: Mapping[str, Json]) -> str:
    """The text with the entries set in the mapping at that key path (`()` is the whole file). Raises StellwerkError."""
    for key, value in entries.items():
        text = set_value(text, (*keys, key), value)
    return text


def _read(text: str) -> Json:
    document, findings = load_document("", text.encode())
    if document is None or findings:
        found = findings[0]
        where = f"line {found.place.line}"
        raise StellwerkError(f"cannot edit this file: {found.message}", where=where, hint=found.hint)
    return document.value


def _proven(text: str | None, expected: Json, deed: str) -> str:
    if text is not None:
        document, findings = load_document("", text.encode())
        if document is not None and not findings and _same(document.value, expected):
            return text
    raise StellwerkError("this file is written in a way that cannot be edited safely", hint=f"by hand: {deed}")


def _same(one: Json, other: Json) -> bool:
    """Equal in type too: 1, 1.0 and true are different things to write."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return type(one) is type(other) and one == other


def _with(value: Json, keys: tuple[str, ...], new: Json) -> Json:
    if not keys:
        return new
    if value is not None and not isinstance(value, dict):
        raise StellwerkError(f"cannot set {keys[0]}: what stands there is not a mapping", hint="edit it by hand")
    below = value or {}
    return {**below, keys[0]: _with(below.get(keys[0]), keys[1:], new)}


def _without(value: Json, keys: tuple[str, ...]) -> Json:
    if not isinstance(value, dict) or not keys or keys[0] not in value:
        return value
    if len(keys) == 1:
        return {key: child for key, child in value.items() if key != keys[0]}
    return {**value, keys[0]: _without(value[keys[0]], keys[1:])}


def _nodes(text: str) -> Any:
    import yaml

    return yaml.compose(text, Loader=yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader)


class _Entry:
    """A key with its value in the text; all positions are offsets."""

    def __init__(self, text: str, pair: tuple[Any, Any]) -> None:
        key, self.value = pair
        self.name: str = key.value
        self.start: int = key.start_mark.index
        self.column: int = key.start_mark.column
        colon = _COLON.match(text, key.end_mark.index)
        self.colon: int | None = colon.end() if colon else None
        self.end: int = _end_of(text, self.value)
        if self.colon is not None:
            self.end = max(self.end, self.colon)


def _end_of(text: str, node: Any) -> int:
    """Where the last character of a value stands, without comments and blank lines that follow it."""
    if node.value and node.id != "scalar" and not node.flow_style:
        last = node.value[-1]
        return _end_of(text, last[1] if isinstance(last, tuple) else last) if last else int(node.end_mark.index)
    end = int(node.end_mark.index)
    if node.id == "scalar" and node.style in {"|", ">"} and not _KEEP.match(text, node.start_mark.index):
        return len(text[:end].rstrip(" \t\r\n"))
    return end


def _entries(text: str, node: Any) -> dict[str, _Entry]:
    if node is None or node.id != "mapping":
        return {}
    return {pair[0].value: _Entry(text, pair) for pair in node.value}


def _set(text: str, keys: tuple[str, ...], value: Json) -> str | None:
    node = _nodes(text)
    for depth, key in enumerate(keys):
        entries = _entries(text, node)
        entry = entries.get(key)
        if entry is None:
            return _add(text, node, key, _nested(keys[depth + 1 :], value))
        if entry.colon is None:
            return None
        last = depth == len(keys) - 1
        if not last and (entry.value.id != "mapping" or not entry.value.value):
            return _replace(text, entry, _nested(keys[depth + 1 :], value), flow=bool(node.flow_style))
        if last:
            if isinstance(value, dict) and value and entry.value.id == "mapping" and entry.value.value:
                return _merge(text, keys, entry, value)
            return _replace(text, entry, value, flow=bool(node.flow_style))
        node = entry.value
    return None


def _nested(keys: tuple[str, ...], value: Json) -> Json:
    for key in reversed(keys):
        value = {key: value}
    return value


def _merge(text: str, keys: tuple[str, ...], entry: _Entry, value: dict[str, Json]) -> str | None:
    """Change only the entries that differ; new ones go in first, so that the mapping is never empty."""
    result: str = text
    for name, child in value.items():
        result = set_value(result, (*keys, name), child)
    for name in _entries(text, entry.value):
        if name not in value:
            result = remove_key(result, (*keys, name))
    return result


def _add(text: str, node: Any, key: str, value: Json) -> str | None:
    newline = _newline(text)
    if node is None:
        gap = "" if not text or text.endswith("\n") else newline
        return text + gap + "".join(line + newline for line in block_lines({key: value}, 0, _STEP))
    if node.id != "mapping":
        return None
    if node.flow_style:
        words = f"{inline(key)}: {inline(value)}"
        if not node.value:
            start = node.start_mark.index + 1
            return text[:start] + words + text[start:]
        end = _Entry(text, node.value[-1]).end
        return f"{text[:end]}, {words}{text[end:]}"
    last = _Entry(text, node.value[-1])
    return _insert_lines(text, last.end, block_lines({key: value}, node.start_mark.column, _STEP))


def _insert_lines(text: str, after: int, lines: list[str]) -> str:
    """Put whole lines after the line that the offset stands in."""
    newline = _newline(text)
    if after and text[after - 1] == "\n":
        return text[:after] + "".join(line + newline for line in lines) + text[after:]
    end = text.find("\n", after)
    if end < 0:
        return text + newline + newline.join(lines)
    return text[: end + 1] + "".join(line + newline for line in lines) + text[end + 1 :]


def _replace(text: str, entry: _Entry, value: Json, *, flow: bool) -> str | None:
    if entry.colon is None:
        return None
    colon, start, end = entry.colon, int(entry.value.start_mark.index), entry.end
    on_own_lines = "\n" in text[colon:start]
    if isinstance(value, dict) and value and not flow:
        text = _without_lines(text, start, end) if on_own_lines else text[:colon] + text[max(colon, end) :]
        return _insert_lines(text, colon, block_lines(value, entry.column + _STEP, _STEP))
    if on_own_lines or start >= end:
        text = _without_lines(text, start, end) if start < end else text
        return f"{text[:colon]} {inline(value)}{text[colon:]}"
    return text[:start] + inline(value) + text[end:]


def _without_lines(text: str, start: int, end: int) -> str:
    """The text without the whole lines from one offset to the other."""
    first = text.rfind("\n", 0, start) + 1
    after = text.find("\n", max(end - 1, start))
    return text[:first] + (text[after + 1 :] if after >= 0 else "")


def _remove(text: str, keys: tuple[str, ...]) -> str | None:
    node, parent = _nodes(text), None
    for key in keys[:-1]:
        parent = _entries(text, node).get(key)
        if parent is None:
            return None
        node = parent.value
    names = list(_entries(text, node))
    entries = list(_entries(text, node).values())
    place = names.index(keys[-1])
    entry = entries[place]
    if len(entries) == 1:
        if parent is not None:
            return _replace(text, parent, {}, flow=True)
        start = node.start_mark.index
        return text[:start] + ("{" if node.flow_style else "{}") + text[entry.end :]
    if node.flow_style:
        if place + 1 < len(entries):
            return text[: entry.start] + text[entries[place + 1].start :]
        return text[: entries[place - 1].end] + text[entry.end :]
    return _without_lines(text, entry.start, entry.end)


def _newline(text: str) -> str:
    first = text.find("\n")
    return "\r\n" if first > 0 and text[first - 1] == "\r" else "\n"
