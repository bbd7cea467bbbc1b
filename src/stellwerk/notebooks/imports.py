"""Import statements of many cells, merged and sorted as ruff's isort rules want them."""

from __future__ import annotations

import ast
import re
import sys
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

WIDTH = 88  # characters, of generated lines
_NUMBERS = re.compile(r"(\d+)")
SortKey = tuple[object, ...]


class Import(Struct, frozen=True, kw_only=True):
    """One imported name: `import module [as alias]` where `name` is None, else `from module import name [as alias]`.

    `module` has the dots of a relative import. `kept`: a comment `noqa` asks to keep it though nothing reads it.
    """

    module: str
    name: str | None = None
    alias: str | None = None
    kept: bool = False

    @property
    def bound(self) -> str:
        """The name it binds."""
        return self.alias or self.name or self.module.partition(".")[0]


def imports_in(statement: ast.Import | ast.ImportFrom, *, kept: bool = False) -> Iterator[Import]:
    """The names that a statement imports."""
    if isinstance(statement, ast.Import):
        for alias in statement.names:
            yield Import(module=alias.name, alias=alias.asname, kept=kept)
    else:
        module = "." * statement.level + (statement.module or "")
        for alias in statement.names:
            yield Import(module=module, name=alias.name, alias=alias.asname, kept=kept)


def import_text(imports: Iterable[Import], local: frozenset[str] = frozenset()) -> str:
    """The statements, one blank line between sections: future, standard library, third party, local, relative."""
    sections: dict[int, list[Import]] = {}
    for item in dict.fromkeys(imports):
        sections.setdefault(_section(item.module, local), []).append(item)
    return "\n\n".join(_section_text(sections[number]) for number in sorted(sections))


def _section(module: str, local: frozenset[str]) -> int:
    first = module.partition(".")[0]
    if first == "__future__":
        return 0
    if module.startswith("."):
        return 4
    if first in local:
        return 3
    return 1 if first in sys.stdlib_module_names else 2


def _section_text(items: list[Import]) -> str:
    plain: dict[tuple[str, str | None], bool] = {}
    members: dict[str, dict[tuple[str, str | None], bool]] = {}
    for item in items:
        if item.name is None:
            key = (item.module, item.alias)
            plain[key] = plain.get(key, False) or item.kept
        else:
            named, member = members.setdefault(item.module, {}), (item.name, item.alias)
            named[member] = named.get(member, False) or item.kept
    lines = [
        f"import {module}{f' as {alias}' if alias else ''}{_mark(kept=plain[module, alias])}"
        for module, alias in sorted(plain, key=lambda key: (*_natural(key[0]), key[1] is not None, key[1] or ""))
    ]
    statements = [part for module, named in members.items() for part in _statements(module, named)]
    return "\n".join([*lines, *(text for _, text in sorted(statements, key=lambda part: part[0]))])


def _statements(module: str, named: Mapping[tuple[str, str | None], bool]) -> Iterator[tuple[SortKey, str]]:
    """One statement for all names of a module that have no alias; one for each that has; one for a star."""
    together = sorted((name for name, alias in named if alias is None and name != "*"), key=_member)
    dots = len(module) - len(module.lstrip("."))
    at = (-dots, *_natural(module.lstrip(".")))
    if together:
        kept = any(named[name, None] for name in together)
        yield (*at, *_member(together[0]), 0, ""), _wrapped(module, together, _mark(kept=kept))
    for name, alias in named:
        if name == "*":
            yield (*at, -1, (), (), 0, ""), f"from {module} import *"
        elif alias is not None:
            text = f"from {module} import {name} as {alias}{_mark(kept=named[name, alias])}"
            yield (*at, *_member(name), 1, alias), text


def _wrapped(module: str, names: list[str], mark: str) -> str:
    line = f"from {module} import {', '.join(names)}{mark}"
    if len(line) <= WIDTH:
        return line
    inside = "".join(f"    {name},\n" for name in names)
    return f"from {module} import ({mark}\n{inside})"


def _mark(*, kept: bool) -> str:
    return "  # noqa: F401" if kept else ""


def _natural(text: str) -> SortKey:
    """Sorted without case first, and numbers by their value."""
    return _parts(text.lower()), _parts(text)


def _parts(text: str) -> tuple[tuple[int, int, str], ...]:
    pieces = _NUMBERS.split(text)
    return tuple((0, int(piece), "") if piece.isdecimal() else (1, 0, piece) for piece in pieces if piece)


def _member(name: str) -> SortKey:
    """CONSTANTS before Classes before the rest."""
    if len(name) > 1 and name.isupper():
        return (0, *_natural(name))
    return (1 if name[:1].isupper() else 2, *_natural(name))
