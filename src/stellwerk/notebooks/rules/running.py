"""Code that cannot ship, or that would do something while the module is imported."""

from __future__ import annotations

import ast
import re
import warnings
from typing import TYPE_CHECKING

from stellwerk.model.findings import Severity
from stellwerk.notebooks.document import FUNCTIONS
from stellwerk.notebooks.problem import Fault
from stellwerk.notebooks.rules.rule import Judged, NotebookRule, fault
from stellwerk.notebooks.scopes import CHANGING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stellwerk.notebooks.flow import CellFlow

SETTINGS = frozenset(  # calls that only set something
    [
        "filterwarnings",
        "simplefilter",
        "set_option",
        "set_theme",
        "set_config",
        "set_style",
        "set_context",
        "set_palette",
        "basicConfig",
        "seed",
        "set_seed",
        "manual_seed",
        "register",
        "setLevel",
        "addHandler",
        "register_matplotlib_converters",
    ]
)
READING = frozenset(
    [
        "open",
        "urlopen",
        "input",
        "connect",
        "read_text",
        "read_bytes",
        "read",
        "fit",
        "fit_transform",
        "fit_predict",
        "transform",
        "listdir",
        "iterdir",
        "glob",
        "urlretrieve",
        "execute",
        "run",
        "check_output",
        "Popen",
        "system",
    ]
)
_READING_STARTS = ("read_", "load", "fetch_", "download", "scan_")
_WEB = frozenset({"requests", "httpx", "urllib"})
_PLOTS = frozenset({"plt", "sns", "px", "alt", "ax", "axes", "fig"})
_PLOTTING = frozenset({"plot", "hist", "show", "boxplot", "scatter", "figure", "subplots", "savefig"})
DEFINING = (
    ast.FunctionDef,
    ast.AsyncFunctionDef,
    ast.ClassDef,
    ast.Import,
    ast.ImportFrom,
    ast.Assign,
    ast.AnnAssign,
)  # statements that a cell of definitions holds
READS = "reads data"
_AWKWARD = re.compile(r"__debug__|\\[uU]")  # a name that nobody may bind; half a character in a docstring
_TRAIN = """\
# %% train
def train(frame):
    return frame["sold"].mean()
"""


def _at_import(judged: Judged) -> Iterator[Fault]:
    for flow in (*judged.study.exported, *judged.study.tests):
        for call, what in work(flow, flow.statements):
            if flow.cell.tested and not any(call is getattr(statement, "value", None) for statement in flow.statements):
                continue  # an example that tests share
            if flow.cell.tested:
                hint = "pytest calls the functions `test_...`; delete this, or move it to a cell without a tag"
            elif what == READS:
                hint = "the framework loads the data and calls `train(frame)`; move this to a cell without a tag"
            else:
                hint = "move it to a cell of its own without a tag; exported cells hold definitions only"
            yield fault(
                flow, call.lineno, call.col_offset, f"`{_shown(call)}` {what} whenever the module is imported", hint
            )


def work(flow: CellFlow, statements: tuple[ast.stmt, ...] | list[ast.stmt]) -> Iterator[tuple[ast.Call, str]]:
    """What the statements do besides defining: calls, and words of what these do."""
    for statement in statements:
        match statement:
            case ast.Expr(value=ast.Call() as call):
                if not _is_setting(flow, call):
                    yield call, _kind(call) or "runs"
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef() | ast.Import() | ast.ImportFrom():
                pass
            case ast.If(test=ast.Compare(left=ast.Name(id="__name__"))):
                pass
            case ast.If() | ast.For() | ast.While() | ast.With() | ast.Try():
                yield from _reading(statement)
                for field in ("body", "orelse", "finalbody", "handlers"):
                    for part in getattr(statement, field, ()):
                        yield from work(flow, part.body if isinstance(part, ast.ExceptHandler) else [part])
            case _:
                yield from _reading(statement)


def _reading(statement: ast.stmt) -> Iterator[tuple[ast.Call, str]]:
    """The first call in the statement's own expressions that reads data or trains."""
    waiting: list[ast.AST] = [child for child in ast.iter_child_nodes(statement) if not isinstance(child, ast.stmt)]
    while waiting:
        node = waiting.pop(0)
        if isinstance(node, ast.Call) and _kind(node) == "reads data":
            yield node, "reads data"
            return
        if not isinstance(node, ast.Lambda | ast.ExceptHandler):
            waiting.extend(ast.iter_child_nodes(node))


def _is_setting(flow: CellFlow, call: ast.Call) -> bool:
    names = _dotted(call.func)
    if names and names[-1] in SETTINGS:
        return True
    bound = flow.binding(names[0]) if len(names) > 1 else None
    return bound is not None and bound.kind == "value" and names[-1] in CHANGING  # a constant that is built here


def _kind(call: ast.Call) -> str:
    names = _dotted(call.func)
    last, first = (names[-1], names[0]) if names else ("", "")
    if last in READING or last.startswith(_READING_STARTS) or first in _WEB or names in [[name] for name in FUNCTIONS]:
        return READS
    if first in {"print", "display", "pprint"}:
        return "prints"
    return "plots" if first in _PLOTS or last in _PLOTTING else ""


def _dotted(node: ast.expr) -> list[str]:
    """The names of a call's function, first to last: `pd.read_csv(x).head` -> pd, read_csv, head."""
    names: list[str] = []
    waiting: ast.expr = node
    while True:
        match waiting:
            case ast.Attribute(value=value, attr=attr):
                names.append(attr)
                waiting = value
            case ast.Call(func=value) | ast.Subscript(value=value):
                waiting = value
            case ast.Name(id=name):
                names.append(name)
                return names[::-1]
            case _:
                return names[::-1]


def _shown(call: ast.Call) -> str:
    """The call as it is written, without arguments: `pd.read_csv(...).head(...)`."""
    written, waiting = "(...)", call.func
    while True:
        match waiting:
            case ast.Attribute(value=value, attr=attr):
                written, waiting = f".{attr}{written}", value
            case ast.Call(func=value):
                written, waiting = f"(...){written}", value
            case ast.Subscript(value=value):
                written, waiting = f"[...]{written}", value
            case ast.Name(id=name):
                return f"{name}{written}"
            case _:
                return "...(...)"


def _magics(judged: Judged) -> Iterator[Fault]:
    for flow in (*judged.study.exported, *judged.study.tests):
        yield from flow.plain.problems


def _awaits(judged: Judged) -> Iterator[Fault]:
    for flow in (*judged.study.exported, *judged.study.tests):
        for line, column in flow.names.awaits:
            yield fault(
                flow,
                line,
                column,
                "`await` outside of a function works in Jupyter only",
                "move it into an `async def` that a function runs by `asyncio.run(...)`",
            )


def _syntax(judged: Judged) -> Iterator[Fault]:
    for flow in (*judged.study.exported, *judged.study.tests):
        for statement in _globals(flow) if "global" in flow.cell.source else ():
            names = ", ".join(f"`{name}`" for name in statement.names)
            message = f"`global` outside of a function: a module that sets {names} above it cannot be compiled"
            yield fault(flow, statement.lineno, statement.col_offset, message, "delete the line, which does nothing")
        found = _mistake(flow)
        if found:
            line, column, message = found
            yield Fault(
                cell=flow.number,
                line=line,
                column=column,
                message=f"this is not Python: {message}",
                hint="correct it, and run all cells from the top",
            )


def _globals(flow: CellFlow) -> Iterator[ast.Global]:
    """The `global` statements that no function holds."""
    waiting: list[ast.AST] = [*flow.statements]
    while waiting:
        node = waiting.pop(0)
        if isinstance(node, ast.Global):
            yield node
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.expr):
            waiting.extend(ast.iter_child_nodes(node))


def _mistake(flow: CellFlow) -> tuple[int, int, str] | None:
    """Line, column and words of what keeps the cell from being compiled."""
    if flow.too_deep:
        return 1, 1, "an expression is nested too deeply"
    code = flow.plain.code
    if flow.plain.tree is not None and not flow.names.doubtful and code.isascii() and not _AWKWARD.search(code):
        return None  # compiling is slow, and there is nothing in the cell that it could refuse
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about somebody's code, which is not ours to print
            compile(flow.plain.tree or code, "cell", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    except SyntaxError as error:
        last = flow.plain.code.count("\n") + 1
        return min(error.lineno or 1, last), max(error.offset or 1, 1), error.msg
    except (ValueError, RecursionError, MemoryError) as error:
        return 1, 1, str(error) or "it is nested too deeply"
    return None


RULES = (
    NotebookRule(
        id="SW809",
        title="work at import",
        severity=Severity.ERROR,
        explanation="Exported cells hold imports, functions, classes and constants. A statement that reads data, "
        "trains, prints "
        "or plots would run whenever the module is imported: in training, in each check and in the service.",
        failing=_TRAIN
        + """\
# %% export
import pandas as pd
HOLIDAYS = pd.read_csv("holidays.csv")
""",
        passing=_TRAIN
        + """\
# %% export
HOLIDAYS = frozenset({"2026-01-01", "2026-12-25"})
# %%
print(len(HOLIDAYS))
""",
        check=_at_import,
    ),
    NotebookRule(
        id="SW810",
        title="magic that cannot ship",
        severity=Severity.ERROR,
        explanation="`%%time`, `%%capture`, `%time` and `%timeit` are taken off, magics that only change what is "
        "shown are dropped, "
        "and `%pip install` becomes a requirement. Shell commands, other languages (`%%bash`, `%%sql`), `%run`, "
        "`%store` "
        "and `%load` do what a module cannot do.",
        failing="""\
# %% export
FILES = !ls data
"""
        + _TRAIN,
        passing="""\
# %% export
%matplotlib inline
%pip install scikit-learn==1.6
# %% train
%%time
def train(frame):
    return frame["sold"].mean()
""",
        check=_magics,
    ),
    NotebookRule(
        id="SW811",
        title="await outside of a function",
        severity=Severity.ERROR,
        explanation="Jupyter runs `await` at the top level of a cell; a module cannot be imported with it.",
        failing="""\
# %% export
import asyncio
await asyncio.sleep(0)
"""
        + _TRAIN,
        passing="""\
# %% export
import asyncio

def pause():
    asyncio.run(asyncio.sleep(0))
# %% train
def train(frame):
    pause()
    return frame["sold"].mean()
""",
        check=_awaits,
    ),
    NotebookRule(
        id="SW812",
        title="exported cell that is not Python",
        severity=Severity.ERROR,
        explanation="A cell that ships must be Python once its magics are taken off. Half-written cells belong "
        "into cells "
        "without a tag, where nothing is asked of them.",
        failing=_TRAIN
        + """\
# %% export
SEASONS = ("summer", "winter"
""",
        passing=_TRAIN
        + """\
# %%
SEASONS = ("summer", "winter"
""",
        check=_syntax,
    ),
)
