"""Notebooks as text, for the examples of rules and for tests: a cell begins with a line `# %% TAG...`.

`# %% [markdown]` begins a cell of prose; `id=NAME` among the tags gives the cell that id. Magics stand as typed.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from stellwerk.notebooks.document import Cell, Notebook, derived_id, first_heading

if TYPE_CHECKING:
    from stellwerk.model.declared import Json

_BEGIN = re.compile(r"^# %%(?: +(.*))?$", re.MULTILINE)


def notebook_of(text: str, path: str = "demand.ipynb") -> Notebook:
    """The notebook that the text describes. What stands before the first cell is dropped."""
    parts = _BEGIN.split(text)
    made = []
    for number, (head, body) in enumerate(zip(parts[1::2], parts[2::2], strict=True), start=1):
        words = (head or "").split()
        kind = "markdown" if "[markdown]" in words else "code"
        source = body.strip("\n")
        named = [word.removeprefix("id=") for word in words if word.startswith("id=")]
        tags = frozenset(word for word in words if word != "[markdown]" and not word.startswith("id="))
        made.append(
            Cell(
                id=named[0] if named else derived_id(source),
                number=number,
                kind=kind,
                tags=tags,
                source=source,
                derived=not named,
            )
        )
    cells = tuple(made)
    return Notebook(path=path, cells=cells, heading=first_heading(cells))


def ipynb(notebook: Notebook) -> bytes:
    """The notebook as Jupyter saves it, without outputs."""
    cells: list[Json] = []
    for cell in notebook.cells:
        raw: dict[str, Json] = {"cell_type": cell.kind}
        if not cell.derived:
            raw["id"] = cell.id
        raw["metadata"] = {"tags": [*sorted(cell.tags)]} if cell.tags else {}
        raw["source"] = [*cell.source.splitlines(keepends=True)]
        if cell.kind == "code":
            raw |= {"execution_count": None, "outputs": []}
        cells.append(dict(sorted(raw.items())))
    document: Json = {
        "cells": cells,
        "metadata": {"language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5 if all(not cell.derived for cell in notebook.cells) else 4,
    }
    return (json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode()
