"""What each code cell defines, uses, imports and changes, and how the cells hang together."""

from __future__ import annotations

import ast
import builtins
import re
from functools import cached_property
from typing import TYPE_CHECKING

from msgspec import Struct

from stellwerk.notebooks.magics import PlainCell, plain
from stellwerk.notebooks.scopes import names_of
from stellwerk.notebooks.uses import Names

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from collections.abc import Set as AbstractSet

    from stellwerk.notebooks.document import Cell, Notebook
    from stellwerk.notebooks.uses import Binding, Use

ALWAYS = frozenset(dir(builtins)) | frozenset(
    [
        "__name__",
        "__doc__",
        "__file__",
        "__builtins__",
        "__spec__",
        "__package__",
        "__loader__",
        "__debug__",
        "__class__",
        "__annotations__",
        "__module__",
        "__qualname__",
        "__path__",
    ]
)
BY_JUPYTER = frozenset({"get_ipython", "display", "In", "Out", "_", "__", "___", "_i", "_ii", "_iii", "_dh", "_oh"})
_WORDS = re.compile(r"(?<![\w.])\w+")
_BOUND = re.compile(r"(?<![\w.])(?:(?:def|class|import)[ \t]+(\w+)|(\w+)(?![ \t]*[.(]|\w))")
NOTHING = Names(
    bindings=(), uses=(), reads=frozenset(), changes=(), arguments=(), stars=(), awaits=()
)  # of a cell that does not parse


class CellFlow(Struct, frozen=True, kw_only=True, eq=False, dict=True):
    """One code cell: its plain text and what it does with names, found out when it is asked for."""

    cell: Cell
    postponed: bool  # annotations are not evaluated
    read: PlainCell | None = None  # where it was before

    @cached_property
    def plain(self) -> PlainCell:
        return self.read or plain(self.cell)

    @cached_property
    def names(self) -> Names:
        """What the cell does with names; nothing where it does not parse."""
        if self.plain.tree is None:
            return NOTHING
        try:
            return names_of(self.plain.tree, postponed=self.postponed)
        except RecursionError:
            return NOTHING

    @property
    def too_deep(self) -> bool:
        """Whether it parses and is nested too deeply to be looked into."""
        return self.plain.tree is not None and self.names is NOTHING

    @property
    def number(self) -> int:
        return self.cell.number

    @property
    def statements(self) -> tuple[ast.stmt, ...]:
        """The statements of the top level; none where the code does not parse."""
        return tuple(self.plain.tree.body) if self.plain.tree else ()

    def binding(self, name: str) -> Binding | None:
        """Where the cell first binds the name at the top level."""
        return self.bound.get(name)

    @cached_property
    def bound(self) -> Mapping[str, Binding]:
        """Each name that the cell binds at the top level, with the first place where it does."""
        return {binding.name: binding for binding in reversed(self.names.bindings)}

    def functions(self) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
        """The functions that the cell defines at the top level."""
        for statement in self.statements:
            if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
                yield statement


class Study:
    """A notebook taken apart: its code cells in order. A cell that does not ship is only parsed where it may matter."""

    def __init__(self, notebook: Notebook) -> None:
        self.notebook = notebook
        read = {cell.number: plain(cell) for cell in notebook.cells if cell.exported and "__future__" in cell.source}
        postponed = any(_postpones(found) for found in read.values())
        self.cells = tuple(
            CellFlow(cell=cell, postponed=postponed and cell.exported, read=read.get(cell.number))
            for cell in notebook.cells
            if cell.kind == "code"
        )
        self.exported = tuple(flow for flow in self.cells if flow.cell.exported)
        self.tests = tuple(flow for flow in self.cells if flow.cell.tested)
        self.exploration = tuple(flow for flow in self.cells if not flow.cell.exported and not flow.cell.tested)

    @cached_property
    def shipped(self) -> Mapping[str, CellFlow]:
        """Each name that exported cells define, with the first cell that does."""
        found: dict[str, CellFlow] = {}
        for flow in self.exported:
            for binding in flow.names.bindings:
                found.setdefault(binding.name, flow)
        return found

    def explorer(self, name: str) -> CellFlow | None:
        """The last cell that defines the name and does not ship."""
        for flow in reversed(self.exploration):
            if _may_name(flow.cell, name) and flow.binding(name):
                return flow
        return None

    @cached_property
    def touching(self) -> tuple[CellFlow, ...]:
        """The cells that may bind or change a name that exported cells define.

        Of those that do not ship only the ones whose text has such a name other than in `name(...)` or `name.attribute`
        where the name is of a function, class or module.
        """
        changing = {name for name, flow in self.shipped.items() if _kind(flow, name) in {"value", "global"}}
        return tuple(
            flow
            for flow in self.cells
            if flow.cell.exported
            or flow.cell.tested
            or not flow.cell.source.isascii()
            or not changing.isdisjoint(_WORDS.findall(flow.cell.source))
            or any(first in self.shipped or other in self.shipped for first, other in _BOUND.findall(flow.cell.source))
        )

    @cached_property
    def parameters(self) -> Mapping[str, tuple[CellFlow, Binding]]:
        """Each name that a `parameters` cell defines, imports left out."""
        return {
            binding.name: (flow, binding)
            for flow in self.exported
            if "parameters" in flow.cell.tags
            for binding in flow.names.bindings
            if binding.kind == "value"
        }

    @cached_property
    def reads(self) -> frozenset[str]:
        """Every name of the top level that exported code reads."""
        return frozenset().union(*(flow.names.reads for flow in self.exported))

    def function(self, name: str) -> tuple[CellFlow, ast.FunctionDef | ast.AsyncFunctionDef] | None:
        """The function of that name that ships, and its cell."""
        for flow in self.exported:
            for function in flow.functions():
                if function.name == name:
                    return flow, function
        return None


def study(notebook: Notebook) -> Study:
    """The notebook taken apart. Never raises: what does not parse defines and uses nothing."""
    return Study(notebook)


def unknown(flow: CellFlow, defined: AbstractSet[str]) -> Iterator[Use]:
    """The first use of each name that neither Python nor `defined` knows."""
    seen = set()
    for use in flow.names.uses:
        if use.name not in defined and use.name not in ALWAYS and use.name not in seen:
            seen.add(use.name)
            yield use


def _may_name(cell: Cell, name: str) -> bool:
    """Whether the name may stand in the cell. Python takes a ligature in a name for its letters: texts may differ."""
    return name in cell.source or not cell.source.isascii()


def _kind(flow: CellFlow, name: str) -> str:
    binding = flow.binding(name)
    return binding.kind if binding else ""


def _postpones(read: PlainCell) -> bool:
    """Whether the cell has `from __future__ import annotations`."""
    return any(
        isinstance(statement, ast.ImportFrom)
        and statement.module == "__future__"
        and any(alias.name == "annotations" for alias in statement.names)
        for statement in (read.tree.body if read.tree else ())
    )
