"""Makes a notebook's source: the module that ships, and its tests. Nothing here has a header or a seal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stellwerk.model.declared import Json
    from stellwerk.notebooks.document import Notebook
    from stellwerk.notebooks.problem import Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class CellLine:
    """Where a generated line comes from: the cell's id, and the line of its source from 1."""

    cell_id: str
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Converted:
    """What a notebook becomes. `tests` is None without `test` cells. Both texts end in a line break.

    `requirements` are what its exported cells install. `parameters` are the defaults of its `parameters` cells.
    `module_lines[n - 1]` and `test_lines[n - 1]` say where line n comes from; None: it was made. Only without an error
    among the `problems` is the module sure to compile.
    """

    module: str
    tests: str | None
    requirements: tuple[str, ...]
    parameters: Mapping[str, Json]
    problems: tuple[Problem, ...]
    module_lines: tuple[CellLine | None, ...] = ()
    test_lines: tuple[CellLine | None, ...] = ()


def convert(
    notebook: Notebook,
    *,
    model: str,
    params: Mapping[str, Json] | None = None,
    local: frozenset[str] = frozenset(),
) -> Converted:
    """The notebook's module and tests, and what `judge` says of it. Same notebook, same bytes.

    `model` is the title of a notebook without a heading. `params` as for `judge`. `local` are the importable top-level
    names of the repository, whose imports stand last.
    """
    raise NotImplementedError
