"""One strict YAML loader for everything people write: text -> plain JSON values that know their places.

It reads the parser's events and never builds YAML nodes, so tags are never acted on, aliases never expanded, and
every bound holds while reading. A mistake in the text is a finding, never an exception.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

from stellwerk.declarations.places import Places
from stellwerk.declarations.scalars import UnsupportedNumberError, plain_scalar
from stellwerk.declarations.write import shown
from stellwerk.model.findings import Finding, Place, Severity

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stellwerk.model.declared import Json

MAX_BYTES = 16 * 1024 * 1024
MAX_NODES = 2_000_000
MAX_DEPTH = 64
MAX_FINDINGS = 50  # per file: an alias bomb has thousands

_CONFLICT = re.compile(rb"^(?:<{7}|>{7}|\|{7})(?: .*)?\r?$", re.MULTILINE)
_BYTE_ORDER_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")


class TextShape(Struct, frozen=True, kw_only=True):
    """Where a document wants text and nothing else, so that `no` or `1.10` stays what the person typed."""

    text: bool = False
    properties: Mapping[str, TextShape] = field(default_factory=dict)
    others: TextShape | None = None
    items: TextShape | None = None


class Document(Struct, frozen=True, kw_only=True):
    """A file that was read: its value and the place of everything in it."""

    path: str
    value: Json
    places: Places


def load_document(
    path: str, data: bytes, *, size: int | None = None, shape: TextShape | None = None
) -> tuple[Document | None, tuple[Finding, ...]]:
    """Read one YAML document strictly.

    `size` is the file's size where `data` was not read whole. `shape` says where text is wanted. The document is
    None when its meaning is unclear (a syntax error, an alias, a tag); a duplicate key keeps the first value.
    """
    refusal = _refusal(path, data, len(data) if size is None else size)
    if refusal is not None:
        return None, (refusal,)
    return _Reader(path, data, shape).read()


def _refusal(path: str, data: bytes, size: int) -> Finding | None:
    if size > MAX_BYTES:
        return _error(
            "SW105",
            Place(path=path),
            f"the file has {size:,} bytes; at most {MAX_BYTES:,} are read",
            "split it with include, or move data out of the declaration",
        )
    if data.startswith(_BYTE_ORDER_MARKS):
        return _error(
            "SW106",
            Place(path=path),
            "the file starts with a byte order mark",
            "save it as UTF-8 without BOM (in most editors: 'Save with encoding')",
        )
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        return _error(
            "SW106",
            _place_of_offset(path, data, error.start),
            f"the file is not UTF-8: byte 0x{data[error.start]:02x} cannot be read",
            "save it as UTF-8",
        )
    conflict = _CONFLICT.search(data)
    if conflict is not None:
        return _error(
            "SW107",
            _place_of_offset(path, data, conflict.start()),
            "an unfinished merge: a conflict marker stands here",
            "choose one side, delete the lines <<<<<<<, ======= and >>>>>>>, then git add the file",
        )
    return None


def _place_of_offset(path: str, data: bytes, offset: int) -> Place:
    before = data[:offset].decode("utf-8", "replace")
    return Place(path=path, line=before.count("\n") + 1, column=len(before) - (before.rfind("\n") + 1) + 1)


def _error(rule: str, place: Place, message: str, hint: str = "") -> Finding:
    return Finding(rule=rule, severity=Severity.ERROR, place=place, message=message, hint=hint)


def _event_parser(data: bytes) -> Any:
    import yaml

    return yaml.CSafeLoader(data) if yaml.__with_libyaml__ else yaml.SafeLoader(data)


class _Stop(Exception):  # noqa: N818 - ends the reading, nothing failed
    """The rest of the file is not worth reading."""


class _Frame:
    """A mapping or list that is being read. `key` waits for its value; `cut` marks a value to forget."""

    __slots__ = ("cut", "entries", "items", "key", "lines", "shape", "waits")

    def __init__(self, *, mapping: bool, shape: TextShape | None) -> None:
        self.entries: dict[str, Json] | None = {} if mapping else None
        self.items: list[Json] = []
        self.shape = shape
        self.waits = False
        self.key = ""
        self.cut: int | None = None
        self.lines: dict[str, int] = {}

    def inner(self) -> TextShape | None:
        if self.shape is None:
            return None
        if self.entries is None:
            return self.shape.items
        return self.shape.properties.get(self.key, self.shape.others)


class _Reader:
    """Walks the events of one file."""

    def __init__(self, path: str, data: bytes, shape: TextShape | None) -> None:
        self._path = path
        self._data = data
        self._shape = shape
        self._marks: list[int] = []
        self._stack: list[_Frame] = []
        self._root: Json = None
        self._findings: list[Finding] = []
        self._unclear = False

    def read(self) -> tuple[Document | None, tuple[Finding, ...]]:
        import yaml

        try:
            self._walk(_event_parser(self._data))
        except _Stop:
            self._unclear = True
        except yaml.reader.ReaderError as error:
            place = _place_of_offset(self._path, self._data, max(error.position, 0))
            self._reject("SW101", place, f"not readable as YAML: {error.reason}", "remove the control character")
        except yaml.MarkedYAMLError as error:
            self._syntax_error(error)
        if self._unclear:
            return None, tuple(self._findings)
        marks = " ".join(map(str, self._marks))
        document = Document(path=self._path, value=self._root, places=Places(self._path, self._root, marks))
        return document, tuple(self._findings)

    def _walk(self, parser: Any) -> None:
        from yaml import events

        documents, marks, bound = 0, self._marks, 2 * MAX_NODES
        scalar, mapping, sequence = events.ScalarEvent, events.MappingStartEvent, events.SequenceStartEvent
        endings = (events.MappingEndEvent, events.SequenceEndEvent)
        while True:
            event = parser.get_event()
            kind = type(event)
            if kind is scalar:
                self._scalar(event)
            elif kind is mapping or kind is sequence:
                self._open(event, mapping=kind is mapping)
            elif kind in endings:
                self._close()
            elif kind is events.AliasEvent:
                self._alias(event)
            elif kind is events.DocumentStartEvent:
                documents += 1
                if documents > 1:
                    self._second_document(event)
            elif kind is events.StreamEndEvent:
                return
            if len(marks) > bound:
                self._too_many(event)

    def _scalar(self, event: Any) -> None:
        mark = event.start_mark
        if event.anchor is not None or event.tag is not None:
            self._refuse_decoration(event)
        frame = self._stack[-1] if self._stack else None
        if frame is not None and frame.entries is not None and not frame.waits:
            self._key(frame, event)
            return
        self._marks += (mark.line + 1, mark.column + 1)
        text: str = event.value
        if not event.implicit[0]:
            self._give(frame, text)
            return
        shape = self._shape if frame is None else frame.inner()
        try:
            value = plain_scalar(text)
        except UnsupportedNumberError as error:
            value = text
            if shape is None or not shape.text:
                hint = "write a finite number, or quote it if it is text"
                self._reject("SW101", self._at(event), str(error), hint)
        if value is not None and shape is not None and shape.text:
            value = text
        self._give(frame, value)

    def _key(self, frame: _Frame, event: Any) -> None:
        key: str = event.value
        entries = frame.entries
        if entries is not None and key in entries:
            frame.cut = len(self._marks)
            self._findings.append(
                _error(
                    "SW102",
                    self._at(event),
                    f"the key '{shown(key)}' is already set in line {frame.lines[key]}",
                    "keep one of the two",
                )
            )
            self._cap()
        elif key == "<<" and event.implicit[0]:
            self._reject(
                "SW103", self._at(event), "merge keys (<<) are not read", "write the keys out, or use defaults"
            )
        frame.lines.setdefault(key, event.start_mark.line + 1)
        frame.key = key
        frame.waits = True
        self._marks += (event.start_mark.line + 1, event.start_mark.column + 1)

    def _open(self, event: Any, *, mapping: bool) -> None:
        if event.anchor is not None or event.tag is not None:
            self._refuse_decoration(event)
        frame = self._stack[-1] if self._stack else None
        if frame is not None and frame.entries is not None and not frame.waits:
            self._reject("SW101", self._at(event), "a key must be text, not a list or mapping", "check the indentation")
            raise _Stop
        if len(self._stack) >= MAX_DEPTH:
            self._reject("SW105", self._at(event), f"nested deeper than {MAX_DEPTH} levels", "make it flatter")
            raise _Stop
        self._marks += (event.start_mark.line + 1, event.start_mark.column + 1)
        self._stack.append(_Frame(mapping=mapping, shape=self._shape if frame is None else frame.inner()))

    def _close(self) -> None:
        done = self._stack.pop()
        value: Json = done.items if done.entries is None else done.entries
        self._give(self._stack[-1] if self._stack else None, value)

    def _give(self, frame: _Frame | None, value: Json) -> None:
        if frame is None:
            self._root = value
        elif frame.entries is None:
            frame.items.append(value)
        else:
            if frame.cut is None:
                frame.entries[frame.key] = value
            else:
                del self._marks[frame.cut :]
                frame.cut = None
            frame.waits = False

    def _second_document(self, event: Any) -> None:
        self._reject("SW101", self._at(event), "a second document starts here", "keep one document per file")
        raise _Stop

    def _too_many(self, event: Any) -> None:
        self._reject("SW105", self._at(event), f"more than {MAX_NODES:,} keys and values", "split it with include")
        raise _Stop

    def _alias(self, event: Any) -> None:
        hint = "write the value out, use defaults, or quote it if it is text"
        self._reject("SW103", self._at(event), f"aliases (*{shown(event.anchor)}) are not read", hint)
        frame = self._stack[-1] if self._stack else None
        if frame is not None and frame.entries is not None and not frame.waits:
            raise _Stop
        self._marks += (event.start_mark.line + 1, event.start_mark.column + 1)
        self._give(frame, None)

    def _refuse_decoration(self, event: Any) -> None:
        if event.anchor is not None:
            hint = "write the value out, use defaults, or quote it if it is text"
            self._reject("SW103", self._at(event), f"anchors (&{shown(event.anchor)}) are not read", hint)
        if event.tag is not None:
            hint = "remove the tag; quote the value if it is text that starts with !"
            self._reject("SW104", self._at(event), f"tags ({shown(event.tag)}) are not read", hint)

    def _syntax_error(self, error: Any) -> None:
        mark = error.problem_mark or error.context_mark
        place = Place(path=self._path, line=mark.line + 1, column=mark.column + 1) if mark else Place(path=self._path)
        problem = str(error.problem or error.context or "unknown problem")
        words = f"not readable as YAML: {problem}"
        if error.context and error.context_mark and error.context_mark.line + 1 != place.line:
            words += f" ({error.context} that starts in line {error.context_mark.line + 1})"
        if "cannot start any token" in problem and mark is not None:
            character = self._data.decode()[mark.index : mark.index + 1]
            name = "a tab" if character == "\t" else f"'{shown(character)}'"
            words = f"not readable as YAML: {name} cannot start anything here"
            problem = "tab" if character == "\t" else problem
        self._reject("SW101", place, words, _syntax_hint(problem))

    def _reject(self, rule: str, place: Place, message: str, hint: str) -> None:
        self._unclear = True
        self._findings.append(_error(rule, place, message, hint))
        self._cap()

    def _cap(self) -> None:
        if len(self._findings) >= MAX_FINDINGS:
            raise _Stop

    def _at(self, event: Any) -> Place:
        return Place(path=self._path, line=event.start_mark.line + 1, column=event.start_mark.column + 1)


def _syntax_hint(problem: str) -> str:
    if "tab" in problem:
        return "indent with spaces; YAML does not read tabs"
    if "mapping values are not allowed" in problem:
        return "a ': ' inside a value needs quotes; otherwise check the indentation"
    if "cannot start any token" in problem:
        return "quote the value"
    if "expected <block end>" in problem or "could not find expected ':'" in problem:
        return "check the indentation and that every key ends with ':'"
    return "check brackets, quotes and indentation around this line"
