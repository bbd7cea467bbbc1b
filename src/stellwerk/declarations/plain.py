"""A quick reader of the YAML that Stellwerk itself writes into records: block style, one line per scalar, no escapes.

Whatever is anything else is left to `document`, which reads all of YAML strictly and ten times slower. Where this
reader gives a value, that one gives the same and finds nothing wrong.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from stellwerk.declarations.scalars import UnsupportedNumberError, plain_scalar

if TYPE_CHECKING:
    from stellwerk.model.declared import Json

MAX_BYTES = 1 << 20
CONFLICT = "======="  # a conflict marker, perhaps
KEY = r"[A-Za-z_][A-Za-z0-9_./@=-]*"
_WORD = r"[A-Za-z0-9_./<(+](?:[ -~]*[!-~])?|-[0-9.](?:[ -~]*[!-~])?|'[ -&(-~]*'|\[\]|\{\}"
_LINE = re.compile(rf"( *)(- )?(?:({KEY}):(?: ({_WORD}))?|({_WORD}))\Z", re.ASCII)
_LETTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_/<(")
_WORDS = frozenset({"null", "Null", "NULL", "true", "True", "TRUE", "false", "False", "FALSE"})
_DEPTH = 50
_SHORT = 19  # digits of a whole number that needs no second look


class _Unusual(Exception):  # noqa: N818 - nothing failed
    """Not what Stellwerk writes."""


def read_plain(data: bytes) -> dict[str, Json] | None:
    """The mapping in a document of that form; None for any other document."""
    if len(data) > MAX_BYTES or not data.endswith(b"\n") or CONFLICT.encode() in data:
        return None
    try:
        return _read(data.decode("ascii"))
    except (_Unusual, UnicodeDecodeError, UnsupportedNumberError):
        return None


def _read(text: str) -> dict[str, Json]:
    reading = _Reading()
    for line in text.split("\n")[:-1]:
        found = _LINE.match(line)
        if found is None:
            raise _Unusual
        lead, dash, key, value, item = found.groups()
        if dash is None and value is not None and reading.waiting is None:
            at, container = reading.open[-1]
            if at == len(lead) and type(container) is dict and key not in container:  # most lines
                container[key] = plain_value(value)
                continue
        reading.take(len(lead), key, value if item is None else item, dash=dash is not None)
    if not reading.root:
        raise _Unusual
    return reading.root


class _Reading:
    """What was read so far. `open` holds each mapping and list that may go on, with the indent of its lines."""

    __slots__ = ("open", "root", "waiting")

    def __init__(self) -> None:
        self.root: dict[str, Json] = {}
        self.open: list[tuple[int, Any]] = [(0, self.root)]
        self.waiting: tuple[dict[str, Json], str, int] | None = None  # a key whose value may follow on deeper lines

    def take(self, indent: int, key: str | None, text: str | None, *, dash: bool) -> None:
        """One line: a key with its value, an item, or both."""
        if self.waiting is not None:
            self._begin(indent, dash=dash)
        if dash:
            items = self._at(indent, list)
            if key is None:
                items.append(plain_value(text or ""))
                return
            below: dict[str, Json] = {}
            items.append(below)
            indent += 2
            self.open.append((indent, below))
        if key is None:
            raise _Unusual
        into = self._at(indent, dict)
        if key in into or len(self.open) > _DEPTH:
            raise _Unusual
        if text is None:
            into[key] = None
            self.waiting = (into, key, indent)
        else:
            into[key] = plain_value(text)

    def _begin(self, indent: int, *, dash: bool) -> None:
        """Open what the waiting key holds, if this line belongs to it."""
        if self.waiting is None:
            return
        parent, name, outer = self.waiting
        self.waiting = None
        if indent > outer or (dash and indent == outer):
            child: Any = [] if dash else {}
            parent[name] = child
            self.open.append((indent, child))

    def _at(self, indent: int, kind: type) -> Any:
        """The innermost open container that a line of this indent goes on; what lies deeper is closed."""
        while self.open:
            at, container = self.open[-1]
            if at == indent and type(container) is kind:
                return container
            if at < indent:
                break
            self.open.pop()
        raise _Unusual


def plain_value(text: str) -> Json:
    """The value of a scalar in a line."""
    first = text[0]
    if first == "'":
        return text[1:-1]
    if first == "[":
        return []
    if first == "{":
        return {}
    if ": " in text or " #" in text or text[-1] == ":":
        raise _Unusual
    if first in _LETTERS and text not in _WORDS:
        return text
    if len(text) < _SHORT and text.isdigit():
        return int(text)
    return plain_scalar(text)
