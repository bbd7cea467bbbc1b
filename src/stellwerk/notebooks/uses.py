"""What a cell's code does with names: the shapes that `scopes` fills."""

from __future__ import annotations

from typing import NamedTuple

from msgspec import Struct


class Use(NamedTuple):
    """A name that is read. `inside` is the function or class of the top level that reads it, or ''."""

    name: str
    line: int
    column: int
    later: bool
    inside: str


class Binding(NamedTuple):
    """A name that is bound at the top level. `kind`: import, function, class, value, or global (by a function).

    `origin` says what an import names: `pandas`, `numpy:array`.
    """

    name: str
    line: int
    column: int
    kind: str
    origin: str = ""


class Change(NamedTuple):
    """An object that is changed in place, by the name it is reached by; `how` shows it."""

    name: str
    line: int
    column: int
    how: str
    later: bool
    inside: str


class Names(Struct, frozen=True, kw_only=True):
    """What one cell does with names of the top level.

    `uses` are of names it does not bind itself (before it binds them, where that is at the top level); `reads` are all
    names read at the top level or from there. `arguments` are changes of an argument by a function of the top level.
    `doubtful`: it holds something that Python's compiler might refuse though its parser did not.
    """

    bindings: tuple[Binding, ...]
    uses: tuple[Use, ...]
    reads: frozenset[str]
    changes: tuple[Change, ...]
    arguments: tuple[Change, ...]
    stars: tuple[tuple[str, int], ...]  # module, line
    awaits: tuple[tuple[int, int], ...]
    doubtful: bool = False
