"""What is wrong in a notebook: data, so that one reading shows everything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from stellwerk.model.findings import Severity


class Fault(Struct, frozen=True, kw_only=True):
    """Something wrong in a cell. `line` and `column` count from 1 in its source; cell 0 is the notebook as a whole."""

    cell: int
    line: int
    column: int = 1
    message: str
    hint: str


class Problem(Struct, frozen=True, kw_only=True):
    """One broken rule. `line` and `column` count from 1 in the cell's source; cell 0 is the notebook as a whole.

    The message does not say where; `at` does.
    """

    rule: str
    severity: Severity
    cell_number: int
    cell_id: str
    line: int
    column: int
    message: str
    hint: str

    @property
    def at(self) -> str:
        """`cell 7, line 3`; '' for the notebook as a whole."""
        return f"cell {self.cell_number}, line {self.line}" if self.cell_number else ""
