"""What a person may set in `train.params`, and what the notebook makes of it."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from stellwerk.model.findings import Severity
from stellwerk.notebooks.literals import NoLiteralError, literal
from stellwerk.notebooks.problem import Fault
from stellwerk.notebooks.rules.rule import Judged, NotebookRule, fault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stellwerk.notebooks.flow import CellFlow

Function = ast.FunctionDef | ast.AsyncFunctionDef
BY_FRAMEWORK = "seed"  # `train` gets it where it asks for it
_PARAMETERS = """\
# %% parameters
depth = 6
"""
_TRAIN = """\
# %% train
def train(frame, depth=depth):
    return frame["sold"].mean() / depth
"""


def _undeclared_here(judged: Judged) -> Iterator[Fault]:
    taken = judged.study
    found = taken.function("train")
    if found is None:
        return
    flow, function = found
    taking = _keywords(function)
    known = {*taken.parameters, *taking}
    for name in sorted(set(judged.params or ()) - known):
        cell = next((other for other in taken.exported if "parameters" in other.cell.tags), None)
        near = _nearest(name, known)
        yield Fault(
            cell=(cell or flow).number,
            line=1 if cell else function.lineno,
            message=f"`train.params` declares `{name}`, and the notebook has no such parameter",
            hint=f"did you mean `{near}`?"
            if near
            else f"set its default in a `parameters` cell and take it: `def train(frame, {name}={name})`",
        )


def _nearest(name: str, known: set[str]) -> str:
    from difflib import get_close_matches

    found = get_close_matches(name, sorted(known), n=1)
    return found[0] if found else ""


def _only_here(judged: Judged) -> Iterator[Fault]:
    if judged.params is None:
        return
    for name, (flow, binding) in judged.study.parameters.items():
        if name not in judged.params and name != BY_FRAMEWORK:
            yield fault(
                flow,
                binding.line,
                binding.column,
                f"`{name}` is a parameter that `train.params` does not declare: the value here is what counts",
                f"declare `{name}` to set it without changing code, or make it a constant in an `export` cell",
            )


def _no_literals(judged: Judged) -> Iterator[Fault]:
    for flow in judged.study.exported:
        if "parameters" not in flow.cell.tags:
            continue
        for statement in flow.statements:
            wrong = _wrong(statement)
            if wrong:
                yield fault(
                    flow,
                    statement.lineno,
                    statement.col_offset,
                    f"a `parameters` cell holds `name = value` with plain values: {wrong}",
                    "a value is a number, text, True, False, None, or a list or dict of these; the rest belongs "
                    "into `export`",
                )


def _wrong(statement: ast.stmt) -> str:
    match statement:
        case (
            ast.Assign(targets=[ast.Name()], value=value) | ast.AnnAssign(target=ast.Name(), value=ast.expr() as value)
        ):
            try:
                literal(value)
            except NoLiteralError as error:
                return str(error)
            return ""
        case ast.Expr(value=ast.Constant()):
            return ""
        case _:
            return f"`{ast.unparse(statement).partition(chr(10))[0][:40]}` is something else"


def _not_taken(judged: Judged) -> Iterator[Fault]:
    taken = judged.study
    found = taken.function("train")
    if found is None:
        return
    flow, function = found
    keywords = _keywords(function)
    for name in taken.parameters:
        default = keywords.get(name)
        if name not in keywords and function.args.kwarg is None:
            message = f"`train` does not take the parameter `{name}`, so what is declared never reaches it"
        elif default is not None and not (isinstance(default, ast.Name) and default.id == name):
            message = f"`train` has a default of its own for the parameter `{name}`, which wins over the cell's"
        else:
            continue
        hint = f"write `def train(frame, {name}={name})`"
        yield fault(flow, function.lineno, function.col_offset, message, hint)


def _read_elsewhere(judged: Judged) -> Iterator[Fault]:
    taken = judged.study
    found = taken.function("train")
    allowed = _defaults(*found) if found else set()
    swallowing = found is not None and found[1].args.kwarg is not None
    for flow in taken.exported:
        seen = set()
        for use in flow.names.uses:
            place = (flow.number, use.line, use.column)
            if use.name not in taken.parameters or use.name in seen or place in allowed:
                continue
            if swallowing and use.inside == "train":
                continue
            seen.add(use.name)
            where = f"`{use.inside}` reads" if use.inside else "this reads"
            yield fault(
                flow,
                use.line,
                use.column,
                f"{where} the parameter `{use.name}`, and gets the notebook's default whatever is declared",
                "give it as an argument, or let `train` keep it in the model; a constant for all belongs into `export`",
            )


def _keywords(function: Function) -> dict[str, ast.expr | None]:
    """The arguments of `train` after the frame, with their defaults."""
    arguments = function.args
    positional = [*arguments.posonlyargs, *arguments.args]
    lacking = [None] * (len(positional) - len(arguments.defaults))
    defaults: list[ast.expr | None] = [*lacking, *arguments.defaults]
    taking = {argument.arg: default for argument, default in zip(positional, defaults, strict=True)}
    for argument in positional[:1]:
        del taking[argument.arg]
    return taking | {a.arg: default for a, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)}


def _defaults(flow: CellFlow, function: Function) -> set[tuple[int, int, int]]:
    """The places of names that are defaults of `train`."""
    nodes = [*function.args.defaults, *function.args.kw_defaults]
    return {(flow.number, node.lineno, node.col_offset) for node in nodes if isinstance(node, ast.Name)}


RULES = (
    NotebookRule(
        id="SW817",
        title="declared parameter that the notebook does not have",
        severity=Severity.ERROR,
        explanation="`train.params` sets a name that neither a `parameters` cell nor an argument of `train` has. "
        "It would have no "
        "effect, or training would refuse it.",
        failing=_PARAMETERS + _TRAIN,
        passing=_PARAMETERS + _TRAIN.replace("depth=depth", "depth=depth, rounds=100"),
        params={"depth": 8, "rounds": 50},
        check=_undeclared_here,
    ),
    NotebookRule(
        id="SW818",
        title="parameter that is not declared",
        severity=Severity.NOTE,
        explanation="A `parameters` cell has a name that `train.params` does not set. The notebook's value is "
        "used, and "
        "changing it is a change of code.",
        failing=_PARAMETERS + _TRAIN,
        passing=_TRAIN.replace("depth=depth", "depth=6"),
        check=_only_here,
    ),
    NotebookRule(
        id="SW819",
        title="parameter that is no plain value",
        severity=Severity.ERROR,
        explanation="A `parameters` cell holds assignments of plain values, which YAML can override: numbers, "
        "text, True, False, "
        "None, lists and dicts of these. What is computed from them, imports and functions belong into other cells.",
        failing="""\
# %% parameters
depth = int("6")
"""
        + _TRAIN,
        passing=_PARAMETERS + _TRAIN,
        params={"depth": 8},
        check=_no_literals,
    ),
    NotebookRule(
        id="SW820",
        title="parameter that train does not take",
        severity=Severity.ERROR,
        explanation="Declared values reach the code as keyword arguments of `train`. So `train` takes each "
        "parameter by its name, "
        "with the parameter as default: `def train(frame, depth=depth)`.",
        failing=_PARAMETERS
        + """\
# %% train
def train(frame):
    return frame["sold"].mean()
""",
        passing=_PARAMETERS + _TRAIN,
        params={"depth": 8},
        check=_not_taken,
    ),
    NotebookRule(
        id="SW821",
        title="parameter read past train",
        severity=Severity.ERROR,
        explanation="Exported code other than `train` reads a parameter. The framework gives declared values to "
        "`train` alone, so "
        "this code would go on with the default: training and prediction would work with two values.",
        failing=_PARAMETERS
        + _TRAIN
        + """\
# %% predict
def predict(model, frame):
    return [model * depth] * len(frame)
""",
        passing=_PARAMETERS
        + """\
# %% train
def train(frame, depth=depth):
    return {"mean": frame["sold"].mean(), "depth": depth}
# %% predict
def predict(model, frame):
    return [model["mean"] * model["depth"]] * len(frame)
""",
        params={"depth": 8},
        check=_read_elsewhere,
    ),
)
