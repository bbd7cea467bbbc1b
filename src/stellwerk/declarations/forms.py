"""What a record that Stellwerk wrote looks like: one pattern for each class, made from its fields.

A text that fits is sound: `plain` reads it and `records` decodes it without an error, to the very record that is made
from the fit. That is known without reading it line by line, a hundred times as quick, and of a thousand models' records
a plan asks a few only. A text that does not fit may be sound all the same; `document` is the judge of it.
"""

from __future__ import annotations

import re
import sys
import types
from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, Generic, TypeVar, Union, get_args, get_origin

from msgspec import NODEFAULT, Struct
from msgspec.structs import FieldInfo, fields

from stellwerk.declarations.plain import CONFLICT, KEY, MAX_BYTES, plain_value, read_plain
from stellwerk.declarations.records import absent_value, decode, is_record, may_be_empty

if TYPE_CHECKING:
    from stellwerk.model.declared import Json

T = TypeVar("T")
_DEPTH = 3  # of maps in a free value; deeper ones are left to the reader
# After a quantifier: what was matched once is not given back, which no pattern here needs, and takes half as long.
# Before 3.11.5 Python accepted too much by it.
_KEPT = "+" if sys.version_info >= (3, 11, 5) else ""
_TEXT = (
    r"(?![nNtTfF](?:ull|ULL|rue|RUE|alse|ALSE)\n)"
    rf"[A-Za-z_/<(][!-9;-~]*{_KEPT}(?:(?: (?!\#)|:)[!-9;-~]+{_KEPT})*{_KEPT}"  # words
    rf"|'[ -&(-~]*{_KEPT}'"
    rf"|[0-9][0-9e]*{_KEPT}[a-df][0-9A-Za-z.]*{_KEPT}"  # digests: no number has these letters after digits
    rf"|[0-9]+{_KEPT}\.[0-9]+{_KEPT}\.[0-9][0-9A-Za-z.]*{_KEPT}"  # releases: no number has two points
)
_KEY = f"{KEY}{_KEPT}"
_NUMBER = r"-?[0-9]{1,18}(?:\.[0-9]{1,25})?(?:e[-+]?[0-9]{1,2})?"
_FREE = rf"(?:null|true|false|\[\]|\{{\}}|{_NUMBER}|{_TEXT})"


def unquoted(text: str) -> str:
    """What a scalar that fits `_TEXT` says."""
    return text[1:-1] if text[0] == "'" else text


_SCALARS: dict[Any, tuple[str, Callable[[str], Any]]] = {
    str: (_TEXT, unquoted),
    int: (r"-?[0-9]{1,18}", int),
    float: (_NUMBER, float),
    bool: ("true|false", lambda text: text == "true"),
}


class _Formless(Exception):  # noqa: N818 - nothing failed
    """A class whose records have no such pattern."""


class _Part(Struct, frozen=True):
    """One field: its group, what makes its value of the group's text, or of all groups where it is a record."""

    name: str
    group: int
    absent: Any
    make: Callable[[str], Any] | None
    below: Callable[[tuple[Any, ...]], Any] | None


class Form(Generic[T]):
    """The pattern of a class."""

    def __init__(self, cls: type[T]) -> None:
        writer = _Writer()
        pattern, self._parts = writer.struct(cls, 0)
        self._cls = cls
        self._pattern = re.compile(rf"{pattern}\Z", re.ASCII)
        self._maps = tuple(writer.maps)
        self._groups = {part.name: part.group for part in self._parts}
        self._makers = {part.name: part.make for part in self._parts if part.make is not None}

    def fit(self, text: str) -> re.Match[str] | None:
        """The fit of a whole text; None where it may be anything else."""
        if len(text) > MAX_BYTES or CONFLICT in text:
            return None
        found = self._pattern.match(text)
        if found is None:
            return None
        for group, keys in self._maps:
            block = found[group]
            if block is not None:
                names = keys.findall(block)
                if len(set(names)) != len(names):
                    return None
        return found

    def record(self, found: re.Match[str]) -> T:
        """The record of a fit."""
        groups: tuple[Any, ...] = (None, *found.groups())
        return _made(self._cls, self._parts, groups)

    def values(self, *names: str) -> Callable[[re.Match[str]], list[Any]]:
        """What takes some fields of a fit, which must be there and hold one value each."""
        takers = [(self._groups[name], self._makers[name]) for name in names]
        return lambda found: [make(found[group]) for group, make in takers]

    def without(self, *names: str) -> Callable[[re.Match[str]], str]:
        """What takes the text of a fit without these fields; it fits as well where they may be empty."""
        groups = sorted(self._groups[name] for name in names)

        def cut(found: re.Match[str]) -> str:
            text = found.string
            for group in reversed(groups):
                start, end = found.span(group)
                if start >= 0:
                    text = text[:start] + text[end:]
            return text

        return cut


def form_of(cls: type[T]) -> Form[T] | None:
    """The form of a class's records; None where the class has fields that no pattern describes."""
    return _form_of(cls)  # type: ignore[arg-type]


@cache
def _form_of(cls: type[T]) -> Form[T] | None:
    try:
        return Form(cls)
    except _Formless:
        return None


def _made(cls: type[T], parts: tuple[_Part, ...], groups: tuple[Any, ...]) -> T:
    return cls(**{part.name: _value(part, groups) for part in parts})


def _value(part: _Part, groups: tuple[Any, ...]) -> Any:
    text = groups[part.group]
    if text is None:
        return part.absent
    if part.make is not None:
        return part.make(text)
    return part.below(groups) if part.below is not None else text


class _Writer:
    """Writes patterns and counts their groups. `maps`: the groups of maps, and what finds the keys in one."""

    def __init__(self) -> None:
        self.groups = 0
        self.maps: list[tuple[int, re.Pattern[str]]] = []

    def struct(self, cls: type, indent: int) -> tuple[str, tuple[_Part, ...]]:
        """The lines of a record at that indent, each field in a group."""
        lines, parts = [], []
        for field in fields(cls):
            hint = _inner(field.type)
            self.groups += 1
            group = self.groups
            pattern, make, below = self._field(field.name, hint, indent, group)
            if _is_required(field):
                absent = None
            else:
                pattern = f"(?:{pattern})?{_KEPT}"
                absent = _absent(field)
            lines.append(pattern)
            parts.append(_Part(field.name, group, absent, make, below))
        return "".join(lines), tuple(parts)

    def _field(
        self, name: str, hint: Any, indent: int, group: int
    ) -> tuple[str, Callable[[str], Any] | None, Callable[[tuple[Any, ...]], Any] | None]:
        """The pattern of a field's lines, and how its value is made; None and None: it is the text."""
        lead, origin = " " * indent, get_origin(hint)
        head = f"{lead}{re.escape(name)}:"
        if hint in _SCALARS:
            pattern, read = _SCALARS[hint]
            return f"{head} ({pattern})\n", read, None
        if is_record(hint):
            below, parts = self.struct(hint, indent + 2)
            cls: type = hint
            return f"({head}\n(?=  {lead}[^ -]){below})", None, lambda groups: _made(cls, parts, groups)
        if origin is tuple and get_args(hint)[0] is str:
            cut = indent + 2
            pattern = f"({head}\n(?:{lead}- (?:{_TEXT})\n)+{_KEPT})"
            return pattern, lambda text: tuple(unquoted(line[cut:]) for line in text.split("\n")[1:-1]), None
        if indent:
            raise _Formless(name)
        pattern = f"({head}\n{self._container(hint, group)})"
        if get_origin(hint) is not tuple and _is_free(get_args(hint)[1]):
            return pattern, _free_map, None
        return pattern, lambda text: decode(hint, _read(text, name), where=""), None

    def _container(self, hint: Any, group: int) -> str:
        """The lines of a list of records, or of a map, that is a field of a whole record."""
        origin = get_origin(hint)
        inner = get_args(hint)
        if origin is tuple:
            first, *rest = _lines(inner[0], 2)
            if not first.startswith("  ") or first.endswith("?"):
                raise _Formless(inner[0])
            return f"(?:- {first[2:]}{''.join(rest)})+{_KEPT}"
        if origin is None or not issubclass(origin, Mapping):
            raise _Formless(hint)
        if _is_free(inner[1]):
            self.maps.append((group, re.compile(rf"\n( +{_KEY}):", re.ASCII)))
            return _free(2, _DEPTH)
        self.maps.append((group, re.compile(rf"\n  ({_KEY}):", re.ASCII)))
        if inner[1] in _SCALARS:
            return f"(?:  {_KEY}: (?:{_SCALARS[inner[1]][0]})\n)+{_KEPT}"
        return f"(?:  {_KEY}:\n(?=    [^ -]){''.join(_lines(inner[1], 4))})+{_KEPT}"


def _lines(cls: Any, indent: int) -> list[str]:
    """The lines of a record that is one of many, without groups."""
    if not is_record(cls):
        raise _Formless(cls)
    lead, lines = " " * indent, []
    for field in fields(cls):
        hint = _inner(field.type)
        head = f"{lead}{re.escape(field.name)}:"
        if hint in _SCALARS:
            pattern = f"{head} (?:{_SCALARS[hint][0]})\n"
        else:
            below = "".join(_lines(hint, indent + 2))
            pattern = f"{head}\n(?=  {lead}[^ -]){below}"
        lines.append(pattern if _is_required(field) else f"(?:{pattern})?{_KEPT}")
    return lines


def _free(indent: int, depth: int) -> str:
    """The lines of a map of free values: scalars, lists of them, and such maps."""
    lead = " " * indent
    below = f"(?:{lead}- {_FREE}\n)+{_KEPT}"
    if depth:
        below = f"(?:{below}|{_free(indent + 2, depth - 1)})"
    return f"(?:{lead}{_KEY}:(?: {_FREE}\n|\n{below}))+{_KEPT}"


def _inner(hint: Any) -> Any:
    """The type of a field that may be None."""
    if get_origin(hint) in (types.UnionType, Union):
        options = [option for option in get_args(hint) if option is not type(None)]
        if len(options) == 1:
            return options[0]
    return hint


def _is_required(field: FieldInfo) -> bool:
    """Whether its lines are there in every text."""
    return field.required and not may_be_empty(field.type)


def _absent(field: FieldInfo) -> Any:
    if field.default is not NODEFAULT:
        return field.default
    return field.default_factory() if field.default_factory is not NODEFAULT else absent_value(field.type)


def _is_free(hint: Any) -> bool:
    """Whether that is the type of any JSON value."""
    return get_origin(hint) in (types.UnionType, Union)


def _read(block: str, name: str) -> Json:
    value = read_plain(block.encode("ascii"))
    if value is None:
        raise ValueError(name)
    return value[name]


def _free_map(block: str) -> dict[str, Json]:
    """The map that the lines below the first one say; they fit `_free`, so that nothing need be looked at twice."""
    root: dict[str, Json] = {}
    levels: list[dict[str, Json]] = [root]  # by indent: two for each level
    lists: list[Json] = []
    lines = block.split("\n")
    for at in range(1, len(lines) - 1):
        line = lines[at]
        text = line.lstrip(" ")
        if text[0] == "-" and text[1] == " ":
            lists.append(plain_value(text[2:]))
            continue
        depth = (len(line) - len(text)) // 2
        key, _, value = text.partition(":")
        into = levels[depth - 1]
        if value:
            into[key] = plain_value(value[1:])
        elif lines[at + 1].lstrip(" ")[:2] == "- ":
            into[key] = lists = []
        else:
            below: dict[str, Json] = {}
            into[key] = below
            levels[depth:] = [below]
    return root
