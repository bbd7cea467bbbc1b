"""The functions that the framework calls."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from stellwerk.model.findings import Severity
from stellwerk.notebooks.document import FUNCTIONS, TAGS
from stellwerk.notebooks.problem import Fault
from stellwerk.notebooks.rules.rule import Judged, NotebookRule, fault

if TYPE_CHECKING:
    from collections.abc import Iterator

SHAPES = {
    "prepare": ("frame",),
    "train": ("frame",),
    "predict": ("model", "frame"),
    "decide": ("prediction", "frame"),
    "update": ("model", "frame"),
}
_TRAIN = """\
# %% train
def train(frame):
    return frame["sold"].mean()
"""


def _no_train(judged: Judged) -> Iterator[Fault]:
    taken = judged.study
    tagged = any(not cell.tags.isdisjoint(TAGS) for cell in taken.notebook.cells if cell.kind == "code")
    if not tagged or "train" in taken.shipped or any("train" in flow.cell.tags for flow in taken.exported):
        return
    definer = taken.explorer("train")
    binding = definer.binding("train") if definer else None
    yield Fault(
        cell=definer.number if definer else 0,
        line=binding.line if binding else 1,
        message="no exported cell defines `train`",
        hint=f"tag cell {definer.number} `train`"
        if definer
        else "define `def train(frame): ...`, which returns the model, in a cell with the tag `train`",
    )


def _without_function(judged: Judged) -> Iterator[Fault]:
    for flow in judged.study.exported:
        for name in FUNCTIONS:
            if name in flow.cell.tags and flow.plain.tree is not None and flow.binding(name) is None:
                yield Fault(
                    cell=flow.number,
                    line=1,
                    message=f"the cell has the tag `{name}` and does not define `{name}`",
                    hint=f"define `def {name}({', '.join(SHAPES[name])}): ...` here; a cell of other definitions "
                    "has the "
                    "tag `export`",
                )


def _twice(judged: Judged) -> Iterator[Fault]:
    for name in FUNCTIONS:
        definers = [flow for flow in judged.study.exported if flow.binding(name)]
        for flow in definers[1:]:
            binding = flow.binding(name)
            if binding:
                yield fault(
                    flow,
                    binding.line,
                    binding.column,
                    f"`{name}` is defined by cell {definers[0].number} already",
                    "keep one of the two; an older one may stay in a cell without a tag, by another name",
                )


def _arguments(judged: Judged) -> Iterator[Fault]:
    for name, shape in SHAPES.items():
        found = judged.study.function(name)
        if found is None:
            continue
        flow, function = found
        wrong = _wrong(name, function, judged)
        if wrong:
            further = ", **params" if name == "train" else ""
            hint = f"write `def {name}({', '.join(shape)}{further})`; further arguments need defaults"
            yield fault(flow, function.lineno, function.col_offset, wrong, hint)


def _wrong(name: str, function: ast.FunctionDef | ast.AsyncFunctionDef, judged: Judged) -> str:
    arguments = function.args
    positional = [*arguments.posonlyargs, *arguments.args]
    required = [argument.arg for argument in positional[: len(positional) - len(arguments.defaults)]]
    keywords = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    named = [argument.arg for argument, default in keywords if default is None]
    count = len(SHAPES[name])
    if isinstance(function, ast.AsyncFunctionDef):
        return f"`{name}` is `async`, which the framework does not wait for"
    if len(positional) < count and arguments.vararg is None:
        return f"`{name}` takes {len(positional)} of its {count} arguments"
    extra = [*required[count:], *named]
    if name == "train":
        given = None if judged.params is None else {*judged.params, "seed"}
        extra = [] if given is None else [argument for argument in extra if argument not in given]
    if extra:
        return f"`{name}` needs {', '.join(f'`{argument}`' for argument in extra)}, which nobody gives it"
    return ""


def _left_out(judged: Judged) -> Iterator[Fault]:
    taken = judged.study
    for name in FUNCTIONS:
        if name == "train" or name in taken.shipped or not taken.exported:
            continue
        definer = taken.explorer(name)
        binding = definer.binding(name) if definer else None
        if definer is not None and binding is not None and binding.kind == "function":
            yield fault(
                definer,
                binding.line,
                binding.column,
                f"`{name}` is defined in a cell without a tag, so the module has none",
                f"tag cell {definer.number} `{name}`, or give the function another name",
            )


def _argument_changed(judged: Judged) -> Iterator[Fault]:
    for flow in judged.study.exported:
        seen = set()
        for change in flow.names.arguments:
            if change.inside not in SHAPES or (change.inside, change.name) in seen:
                continue
            if change.inside == "update" and change.name != "frame":
                continue  # a model may be updated in place
            seen.add((change.inside, change.name))
            yield fault(
                flow,
                change.line,
                change.column,
                f"`{change.how}` changes the `{change.name}` that `{change.inside}` was given",
                f"begin with `{change.name} = {change.name}.copy()`: in the notebook the caller's object changes "
                "with it, and "
                "a second run of a cell meets a changed one",
            )


RULES = (
    NotebookRule(
        id="SW806",
        title="no train",
        severity=Severity.ERROR,
        explanation="A model's code defines `train(frame, **params)`, which returns the trained model. In a "
        "notebook it "
        "stands in a cell with the tag `train`.",
        failing="""\
# %% export
SEASONS = ("summer", "winter")
# %%
def train(frame):
    return frame["sold"].mean()
""",
        passing=_TRAIN,
        check=_no_train,
    ),
    NotebookRule(
        id="SW807",
        title="tagged cell without its function",
        severity=Severity.ERROR,
        explanation="A cell with the tag `prepare`, `train`, `predict`, `decide` or `update` defines the "
        "function of that "
        "name. Statements that work on the notebook's own frame are no function that the framework could call.",
        failing=_TRAIN
        + """\
# %% predict
def expected(model, frame):
    return [model] * len(frame)
""",
        passing=_TRAIN
        + """\
# %% predict
def predict(model, frame):
    return [model] * len(frame)
""",
        check=_without_function,
    ),
    NotebookRule(
        id="SW808",
        title="two cells define one function of the contract",
        severity=Severity.ERROR,
        explanation="Two exported cells define the same function that the framework calls. The later one would "
        "silently win.",
        failing=_TRAIN
        + """\
# %% train
def train(frame):
    return frame["sold"].median()
""",
        passing=_TRAIN
        + """\
# %%
def train_with_median(frame):
    return frame["sold"].median()
""",
        check=_twice,
    ),
    NotebookRule(
        id="SW822",
        title="function with other arguments",
        severity=Severity.ERROR,
        explanation="The framework calls `prepare(frame)`, `train(frame, **params)`, `predict(model, frame)`, "
        "`decide(prediction, frame)` and `update(model, frame)`, each waited for by nobody. Further arguments "
        "need defaults.",
        failing=_TRAIN
        + """\
# %% predict
def predict(frame):
    return [0.0] * len(frame)
""",
        passing=_TRAIN
        + """\
# %% predict
def predict(model, frame, floor=0.0):
    return [max(model, floor)] * len(frame)
""",
        check=_arguments,
    ),
    NotebookRule(
        id="SW823",
        title="function of the contract that does not ship",
        severity=Severity.WARNING,
        explanation="A cell without a tag defines a function that the framework would call if it shipped. "
        "Without it the model "
        "behaves differently in production than in the notebook.",
        failing=_TRAIN
        + """\
# %%
def predict(model, frame):
    return [model] * len(frame)
""",
        passing=_TRAIN
        + """\
# %% predict
def predict(model, frame):
    return [model] * len(frame)
""",
        check=_left_out,
    ),
    NotebookRule(
        id="SW826",
        title="argument changed in place",
        severity=Severity.WARNING,
        explanation="A function of the contract changes the frame (or model) it is given. In the notebook that "
        "is the frame that "
        "other cells look at, so results depend on how often the cell ran; in production each call has its own.",
        failing=_TRAIN
        + """\
# %% prepare
def prepare(frame):
    frame["weekday"] = frame["day"].dt.day_of_week
    return frame
""",
        passing=_TRAIN
        + """\
# %% prepare
def prepare(frame):
    frame = frame.copy()
    frame["weekday"] = frame["day"].dt.day_of_week
    return frame
""",
        check=_argument_changed,
    ),
)
