"""Names that exported code needs and nobody gives it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stellwerk.model.findings import Severity
from stellwerk.notebooks.flow import BY_JUPYTER, unknown
from stellwerk.notebooks.rules.rule import Judged, NotebookRule, fault
from stellwerk.notebooks.rules.running import DEFINING, READS, work

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stellwerk.notebooks.flow import CellFlow, Study
    from stellwerk.notebooks.problem import Fault
    from stellwerk.notebooks.uses import Use


def _hidden(judged: Judged) -> Iterator[Fault]:
    taken = judged.study
    shipped = {name for name, flow in taken.shipped.items() if flow.binding(name)}
    tested = {binding.name for flow in taken.tests for binding in flow.names.bindings}
    star = any(flow.names.stars for flow in (*taken.exported, *taken.tests))
    for flow in taken.exported:
        early = {use.name for use in flow.names.uses if not use.later and taken.shipped.get(use.name) is flow}
        for use in unknown(flow, shipped - {name for name in early if taken.explorer(name)}):
            if not star or taken.explorer(use.name):
                yield _fault(taken, flow, use)
    for flow in taken.tests:
        for use in unknown(flow, shipped | tested):
            if not star or taken.explorer(use.name):
                yield _fault(taken, flow, use)


def _fault(taken: Study, flow: CellFlow, use: Use) -> Fault:
    definer = taken.explorer(use.name)
    binding = definer.binding(use.name) if definer else None
    if use.name in BY_JUPYTER and binding is None:
        message = f"`{use.name}` exists in Jupyter only"
        hint = "take it out; what is only looked at belongs into a cell without a tag"
    elif definer is None or binding is None:
        message = f"`{use.name}` is defined nowhere in the notebook"
        hint = "define or import it in an exported cell; a deleted cell may have defined it"
    elif binding.kind == "import":
        message = f"`{use.name}` is imported by cell {definer.number} (line {binding.line}) only, which does not ship"
        shipping = _shipping(taken, definer, "import it in an exported cell")
        hint = f"{shipping}; imports that nothing uses are left out"
    else:
        message = f"`{use.name}` is defined by cell {definer.number} (line {binding.line}) only, which does not ship"
        given = "make it an argument" if use.later else "take this out of the exported cell"
        if any(what == READS and call.lineno == binding.line for call, what in work(definer, definer.statements)):
            told = "use the argument of this function" if use.later else "do this in `train(frame)`, and keep it there"
            return fault(flow, use.line, use.column, message, f"the framework loads the data: {told}")
        moved = f"move line {binding.line} of cell {definer.number} into a cell with the tag `export`"
        hint = f"{_shipping(taken, definer, moved)}, or {given}"
    return fault(flow, use.line, use.column, message, hint)


def _shipping(taken: Study, definer: CellFlow, otherwise: str) -> str:
    """How what the cell defines can ship: by a tag where the whole cell could, else `otherwise`."""
    could = all(isinstance(statement, DEFINING) for statement in definer.statements) and not (
        any(work(definer, definer.statements)) or any(unknown(definer, taken.shipped.keys()))
    )
    return f"tag cell {definer.number} `export`" if could else otherwise


def _stars(judged: Judged) -> Iterator[Fault]:
    for flow in (*judged.study.exported, *judged.study.tests):
        for module, line in flow.names.stars:
            yield fault(
                flow,
                line,
                0,
                f"`from {module} import *` hides which names come from there",
                f"import by name: `import {module}`, or `from {module} import` what is used",
            )


RULES = (
    NotebookRule(
        id="SW801",
        title="hidden assumption",
        severity=Severity.ERROR,
        explanation="An exported cell uses a name that no exported cell defines. In the notebook it works, "
        "because a cell "
        "without a tag, or one that is gone, has run before; the module does not have that cell. Bodies of "
        "functions and lambdas count, and so do imports.",
        failing="""\
# %%
import pandas as pd
frame = pd.read_csv("sales.csv")
# %% train
def train(frame, scale=1.0):
    return frame["sold"].mean() * scale
# %% predict
def predict(model, rows):
    return [model + frame["sold"].std() for _ in rows]
""",
        passing="""\
# %%
import pandas as pd
frame = pd.read_csv("sales.csv")
# %% train
def train(frame, scale=1.0):
    return {"mean": frame["sold"].mean() * scale, "spread": frame["sold"].std()}
# %% predict
def predict(model, rows):
    return [model["mean"] + model["spread"]] * len(rows)
""",
        check=_hidden,
    ),
    NotebookRule(
        id="SW805",
        title="star import",
        severity=Severity.ERROR,
        explanation="`from module import *` in an exported cell: which names it brings changes with the module's "
        "version, it "
        "may hide names of other cells, and nobody can tell whether a name is defined.",
        failing="""\
# %% export
from math import *
# %% train
def train(frame):
    return len(frame)
""",
        passing="""\
# %% export
from math import log
# %% train
def train(frame):
    return log(len(frame))
""",
        check=_stars,
    ),
)
