"""What a rule for notebooks is: an id, its words, two notebooks as examples, and a check."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from msgspec import Struct, field

from stellwerk.notebooks.problem import Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from stellwerk.model.declared import Json
    from stellwerk.model.findings import Severity
    from stellwerk.notebooks.flow import CellFlow, Study


class Judged(Struct, frozen=True, kw_only=True):
    """What rules judge: a notebook, and the declared `train.params` (None: not known)."""

    study: Study
    params: Mapping[str, Json] | None = None


class NotebookRule(Struct, frozen=True, kw_only=True):
    """One rule. The examples are notebooks as `notebooks.text` reads them, with `params` as what is declared.

    `failing` breaks this rule and no other; `passing` breaks none. `path` is the example's file.
    """

    id: str
    title: str
    severity: Severity
    explanation: str
    failing: str
    passing: str
    check: Callable[[Judged], Iterator[Fault]]
    params: Mapping[str, Json] = field(default_factory=lambda: MappingProxyType({}))
    failing_path: str = "demand.ipynb"


def fault(flow: CellFlow, line: int, column: int, message: str, hint: str) -> Fault:
    """A fault in a cell. `column` is a node's `col_offset`: bytes from 0."""
    lines = flow.plain.code.split("\n")
    text = lines[line - 1].encode() if 0 < line <= len(lines) else b""
    shown = len(text[:column].decode(errors="replace"))
    return Fault(cell=flow.number, line=line, column=shown + 1, message=message, hint=hint)
