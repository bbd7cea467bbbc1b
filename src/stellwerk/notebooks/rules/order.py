"""What depends on the order of cells: late definitions, names with two values, objects changed on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stellwerk.model.findings import Severity
from stellwerk.notebooks.document import FUNCTIONS
from stellwerk.notebooks.rules.rule import Judged, NotebookRule, fault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stellwerk.notebooks.flow import CellFlow, Study
    from stellwerk.notebooks.problem import Fault
    from stellwerk.notebooks.uses import Binding, Change


def _late(judged: Judged) -> Iterator[Fault]:
    taken = judged.study
    for flow in taken.exported:
        seen = set()
        for use in flow.names.uses:
            definer = taken.shipped.get(use.name)
            binding = definer.binding(use.name) if definer else None
            if definer is None or binding is None or use.name in seen or definer.number < flow.number:
                continue
            if use.later and (binding.kind == "import" or definer is flow):
                continue
            if definer is flow and taken.explorer(use.name):
                continue  # a hidden assumption
            seen.add(use.name)
            when = f"when `{use.inside}` is called" if use.later and use.inside else "here"
            if definer is flow:
                message = f"`{use.name}` is read before line {binding.line} defines it"
                hint = f"define `{use.name}` first"
            else:
                message = f"`{use.name}` is read {when}, and cell {definer.number} defines it only later"
                hint = f"move cell {definer.number} above cell {flow.number}, then run all cells from the top"
            yield fault(flow, use.line, use.column, message, hint)


def _rebound(judged: Judged) -> Iterator[Fault]:
    taken = judged.study
    read = taken.reads.union(FUNCTIONS, *(flow.names.reads for flow in taken.tests))
    for flow in taken.touching:
        seen = set()
        for binding in flow.names.bindings:
            definer = taken.shipped.get(binding.name)
            first = definer.binding(binding.name) if definer else None
            if definer is None or first is None or definer.number >= flow.number or binding.name in seen:
                continue
            if _is_same(first, binding) or binding.kind == "global" or binding.name.strip("_") == "":
                continue
            if (flow.cell.exported and binding.name in FUNCTIONS) or not (flow.cell.exported or binding.name in read):
                continue
            seen.add(binding.name)
            if flow.cell.exported:
                message = f"`{binding.name}` of cell {definer.number} is bound again here"
            else:
                message = f"`{binding.name}` of cell {definer.number} is bound again here, in a cell that does not ship"
            hint = "give one of the two another name: code that reads it would depend on which cell ran last"
            yield fault(flow, binding.line, binding.column, message, hint)


def _is_same(one: Binding, other: Binding) -> bool:
    return one.kind == other.kind == "import" and one.origin == other.origin


def _changed(judged: Judged) -> Iterator[Fault]:
    taken = judged.study
    for flow in taken.touching:
        seen = set()
        for change in flow.names.changes:
            if change.name not in seen and _matters(taken, flow, change):
                seen.add(change.name)
                yield _change_fault(taken, flow, change)


def _matters(taken: Study, flow: CellFlow, change: Change) -> bool:
    known = taken.shipped.get(change.name) or taken.explorer(change.name)
    binding = known.binding(change.name) if known else None
    if binding is None or binding.kind == "import":
        return False
    if flow.cell.exported:
        return True
    mine = change.name in taken.shipped and change.name in taken.reads and binding.kind == "value"
    return mine and not flow.cell.tested and not change.later


def _change_fault(taken: Study, flow: CellFlow, change: Change) -> Fault:
    known = taken.shipped.get(change.name) or taken.explorer(change.name)
    number = known.number if known else flow.number
    if change.how.startswith("global "):
        message = f"`{change.inside}` sets the name `{change.name}` of the whole notebook"
        hint = "return the value instead; what a call leaves behind would change the next one"
    elif not flow.cell.exported:
        message = f"`{change.how}` changes `{change.name}` of cell {number}; the module keeps it as it was"
        hint = "work on a copy, or change it in an exported cell by a new name"
    elif change.later:
        message = f"`{change.how}` in `{change.inside}` changes `{change.name}`, which cell {number} defines for all"
        hint = "make it an argument and work on a copy, or return a new one"
    else:
        message = (
            f"`{change.how}` changes `{change.name}` of cell {number} in place: each run of the cell does it again"
        )
        hint = "do it in `prepare`, on a copy: `frame = frame.assign(...)`"
    return fault(flow, change.line, change.column, message, hint)


RULES = (
    NotebookRule(
        id="SW802",
        title="definition that comes later",
        severity=Severity.ERROR,
        explanation="An exported cell reads a name that a later cell defines, at once or when one of its functions or "
        "lambdas is called. Such a notebook only works where cells were run out of order.",
        failing="""\
# %% train
def train(frame):
    return frame["sold"].mean() * FACTOR
# %% export
FACTOR = 1.1
""",
        passing="""\
# %% export
FACTOR = 1.1
# %% train
def train(frame):
    return frame["sold"].mean() * FACTOR
""",
        check=_late,
    ),
    NotebookRule(
        id="SW803",
        title="name bound again by a later cell",
        severity=Severity.ERROR,
        explanation="A later cell gives another value to a name that an exported cell defines. Functions then "
        "see what ran "
        "last in the notebook, and what stands last in the module; with a cell that does not ship these differ.",
        failing="""\
# %% export
SEASONS = ("summer", "winter")
# %% train
def train(frame):
    return {season: 1.0 for season in SEASONS}
# %%
SEASONS = ("spring", "summer", "autumn", "winter")
""",
        passing="""\
# %% export
SEASONS = ("summer", "winter")
# %% train
def train(frame):
    return {season: 1.0 for season in SEASONS}
# %%
four_seasons = ("spring", "summer", "autumn", "winter")
""",
        check=_rebound,
    ),
    NotebookRule(
        id="SW804",
        title="shared object changed in place",
        severity=Severity.ERROR,
        explanation="A cell changes an object that another cell defines: a column is added, a list is appended "
        "to. What the "
        "object holds then depends on how often and in which order cells ran. A frame is prepared in `prepare`.",
        failing="""\
# %% export
weights = {"summer": 1.0}
# %% export
weights["winter"] = 0.5
# %% train
def train(frame):
    return weights
""",
        passing="""\
# %% export
weights = {"summer": 1.0}
weights["winter"] = 0.5
# %% train
def train(frame):
    return dict(weights)
""",
        check=_changed,
    ),
)
