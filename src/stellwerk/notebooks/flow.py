"""What each code cell defines, uses, imports and changes, and how the cells hang together."""

from __future__ import annotations

import ast
import builtins
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from stellwerk.notebooks.magics import PlainCell, plain
from stellwerk.notebooks.scopes import Names, names_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from collections.abc import Set as AbstractSet

    from stellwerk.notebooks.document import Cell, Notebook
    from stellwerk.notebooks.scopes import Binding, Use

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
NOTHING = Names(
    bindings=(), uses=(), reads=frozenset(), changes=(), arguments=(), stars=(), awaits=()
)  # of a cell that does not parse


@dataclass(frozen=True, slots=True, kw_only=True)
class CellFlow:
    """One code cell: its plain text and what it does with names."""

    plain: PlainCell
    names: Names
    too_deep: bool = False

    @property
    def cell(self) -> Cell:
        return self.plain.cell

    @property
    def number(self) -> int:
        return self.plain.cell.number

    @property
    def statements(self) -> tuple[ast.stmt, ...]:
        """The statements of the top level; none where the code does not parse."""
        return tuple(self.plain.tree.body) if self.plain.tree else ()

    def binding(self, name: str) -> Binding | None:
        """Where the cell first binds the name at the top level."""
        return next((binding for binding in self.names.bindings if binding.name == name), None)

    def functions(self) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
        """The functions that the cell defines at the top level."""
        for statement in self.statements:
            if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
                yield statement


@dataclass(frozen=True, kw_only=True)
class Study:
    """A notebook taken apart: its code cells in order."""

    notebook: Notebook
    cells: tuple[CellFlow, ...]

    @cached_property
    def exported(self) -> tuple[CellFlow, ...]:
        return tuple(flow for flow in self.cells if flow.cell.exported)

    @cached_property
    def tests(self) -> tuple[CellFlow, ...]:
        return tuple(flow for flow in self.cells if flow.cell.tested)

    @cached_property
    def exploration(self) -> tuple[CellFlow, ...]:
        return tuple(flow for flow in self.cells if not flow.cell.exported and not flow.cell.tested)

    @cached_property
    def shipped(self) -> Mapping[str, CellFlow]:
        """Each name that exported cells define, with the first cell that does."""
        return _definers(self.exported)

    @cached_property
    def explored(self) -> Mapping[str, CellFlow]:
        """Each name that cells define which do not ship, with the last such cell."""
        return _definers(tuple(reversed(self.exploration)))

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
    plains = [plain(cell) for cell in notebook.cells if cell.kind == "code"]
    postponed = any(
        isinstance(statement, ast.ImportFrom)
        and statement.module == "__future__"
        and any(alias.name == "annotations" for alias in statement.names)
        for cell in plains
        if cell.cell.exported and cell.tree
        for statement in cell.tree.body
    )
    return Study(notebook=notebook, cells=tuple(_flow(cell, postponed=postponed) for cell in plains))


def unknown(flow: CellFlow, defined: AbstractSet[str]) -> Iterator[Use]:
    """The first use of each name that neither Python nor `defined` knows."""
    seen = set()
    for use in flow.names.uses:
        if use.name not in defined and use.name not in ALWAYS and use.name not in seen:
            seen.add(use.name)
            yield use


def _flow(cell: PlainCell, *, postponed: bool) -> CellFlow:
    if cell.tree is None:
        return CellFlow(plain=cell, names=NOTHING)
    try:
        return CellFlow(plain=cell, names=names_of(cell.tree, postponed=postponed))
    except RecursionError:
        return CellFlow(plain=cell, names=NOTHING, too_deep=True)


def _definers(flows: tuple[CellFlow, ...]) -> Mapping[str, CellFlow]:
    found: dict[str, CellFlow] = {}
    for flow in flows:
        for binding in flow.names.bindings:
            found.setdefault(binding.name, flow)
    return found
