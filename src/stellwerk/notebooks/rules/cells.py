"""Tags, ids and the notebook's own name."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from stellwerk.model.findings import Severity
from stellwerk.notebooks.document import EXPORTED, TAGS
from stellwerk.notebooks.problem import Fault
from stellwerk.notebooks.rules.rule import Judged, NotebookRule, fault
from stellwerk.notebooks.rules.running import DEFINING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stellwerk.notebooks.flow import CellFlow

_TRAIN = """\
# %% train
def train(frame):
    return frame["sold"].mean()
"""
_TEST = """\
# %% test
def test_the_mean_is_learned():
    assert train({"sold": Sold()}) == 3
"""


def has_test(flow: CellFlow) -> bool:
    """Whether pytest finds a test in the cell."""
    return any(
        binding.name.startswith("test") if binding.kind == "function" else binding.name.startswith("Test")
        for binding in flow.names.bindings
        if binding.kind in {"function", "class"}
    )


def _no_test(judged: Judged) -> Iterator[Fault]:
    tests = judged.study.tests
    anywhere = any(has_test(flow) for flow in tests)
    for flow in tests:
        if has_test(flow) or flow.plain.tree is None:
            continue
        if not anywhere or not all(isinstance(statement, DEFINING) for statement in flow.statements):
            yield Fault(
                cell=flow.number,
                line=flow.statements[0].lineno if flow.statements else 1,
                message="the cell has the tag `test` and defines no test",
                hint="put the assertions into a function `def test_...():`, which pytest finds",
            )


def _misspelt(judged: Judged) -> Iterator[Fault]:
    for cell in judged.study.notebook.cells:
        for tag in sorted(cell.tags - TAGS):
            near = _nearest(tag)
            if near and near not in cell.tags:
                yield Fault(
                    cell=cell.number,
                    line=1,
                    message=f"the tag `{tag}` is none of Stellwerk's, so the cell does not ship for it",
                    hint=f"did you mean `{near}`?",
                )


def _nearest(tag: str) -> str:
    from difflib import get_close_matches

    found = get_close_matches(tag.casefold().strip("_-#"), sorted(TAGS), n=1, cutoff=0.8)
    return found[0] if found else ""


def _no_tags(judged: Judged) -> Iterator[Fault]:
    if all(cell.tags.isdisjoint(TAGS) for cell in judged.study.notebook.cells if cell.kind == "code"):
        yield Fault(
            cell=0,
            line=1,
            message="no cell has a tag, so nothing ships",
            hint="tag the cell that defines `train(frame)` with `train`, and those with its imports and helpers "
            "with `export`",
        )


def _same_id(judged: Judged) -> Iterator[Fault]:
    seen: dict[str, int] = {}
    for cell in judged.study.notebook.cells:
        if cell.derived:
            continue
        first = seen.setdefault(cell.id, cell.number)
        if first != cell.number:
            yield Fault(
                cell=cell.number,
                line=1,
                message=f"cell {first} has the id `{cell.id}` too",
                hint="delete the cell's `id` in the file, or copy its text into a new cell; Jupyter gives it another",
            )


def _shadowing(judged: Judged) -> Iterator[Fault]:
    taken = judged.study
    name = taken.notebook.name
    if name in sys.stdlib_module_names:
        yield Fault(
            cell=0,
            line=1,
            message=f"the module of this notebook would hide Python's own `{name}`",
            hint="rename the notebook",
        )
        return
    for flow in (*taken.exported, *taken.tests):
        for binding in flow.names.bindings:
            if binding.kind == "import" and binding.origin.partition(":")[0].partition(".")[0] == name:
                yield fault(
                    flow,
                    binding.line,
                    binding.column,
                    f"the module of this notebook is `{name}` too, and would import itself here",
                    "rename the notebook",
                )


def _contradicting(judged: Judged) -> Iterator[Fault]:
    for flow in judged.study.exported:
        if "test" in flow.cell.tags:
            other = min(flow.cell.tags & EXPORTED)
            yield Fault(
                cell=flow.number,
                line=1,
                message=f"the cell has the tags `test` and `{other}`: it would ship, and is no test",
                hint="take one of them off, or divide the cell",
            )


RULES = (
    NotebookRule(
        id="SW813",
        title="test cell without a test",
        severity=Severity.ERROR,
        explanation="A cell with the tag `test` becomes part of a pytest module, and pytest runs functions "
        "`test_...` and "
        "classes `Test...`. Bare assertions would be executed once, when the tests are collected, and count as "
        "none. Cells that "
        "only define helpers are fine beside others with tests.",
        failing=_TRAIN
        + """\
# %% test
assert train({"sold": [3]}) == 3
""",
        passing=_TRAIN
        + """\
# %% test
class Sold:
    def mean(self):
        return 3
"""
        + _TEST,
        check=_no_test,
    ),
    NotebookRule(
        id="SW814",
        title="misspelt tag",
        severity=Severity.WARNING,
        explanation="A tag that looks like one of Stellwerk's has no effect: the cell stays exploration. Other tags "
        "(papermill's, those of slides) are left alone.",
        failing=_TRAIN
        + """\
# %% exprot
SEASONS = ("summer", "winter")
""",
        passing=_TRAIN
        + """\
# %% export slideshow
SEASONS = ("summer", "winter")
""",
        check=_misspelt,
    ),
    NotebookRule(
        id="SW815",
        title="no tags at all",
        severity=Severity.ERROR,
        explanation="Only cells with a tag ship: `prepare`, `train`, `predict`, `decide`, `update`, "
        "`parameters`, `export`. "
        "A notebook without any becomes an empty module.",
        failing="""\
# %%
def train(frame):
    return frame["sold"].mean()
""",
        passing=_TRAIN,
        check=_no_tags,
    ),
    NotebookRule(
        id="SW816",
        title="two cells with one id",
        severity=Severity.ERROR,
        explanation="Generated source names cells by their id, and so do findings and failures of tests. Copying "
        "a cell in a "
        "text editor, or merging, leaves two with the same.",
        failing="""\
# %% export id=seasons
SEASONS = ("summer", "winter")
# %% id=seasons
print(SEASONS)
"""
        + _TRAIN,
        passing="""\
# %% export id=seasons
SEASONS = ("summer", "winter")
# %% id=look
print(SEASONS)
"""
        + _TRAIN,
        check=_same_id,
    ),
    NotebookRule(
        id="SW824",
        title="notebook named like a module it needs",
        severity=Severity.ERROR,
        explanation="The notebook `pandas.ipynb` would become the module `pandas`, which then imports itself "
        "instead of the "
        "package, and hides the package from all others.",
        failing="""\
# %% export
import demand
# %% train
def train(frame):
    return demand.mean(frame)
""",
        passing="""\
# %% export
import statsmodels
# %% train
def train(frame):
    return statsmodels.mean(frame)
""",
        check=_shadowing,
    ),
    NotebookRule(
        id="SW825",
        title="cell that is a test and ships",
        severity=Severity.ERROR,
        explanation="A cell is either part of the module or part of its tests.",
        failing=_TRAIN
        + """\
# %% export test
def test_nothing():
    assert True
""",
        passing=_TRAIN
        + """\
# %% test
def test_nothing():
    assert True
""",
        check=_contradicting,
    ),
)
