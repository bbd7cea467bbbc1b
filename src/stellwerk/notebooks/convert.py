"""Makes a notebook's source: the module that ships, and its tests. Nothing here has a header or a seal."""

from __future__ import annotations

import ast
import keyword
import re
import sys
from typing import TYPE_CHECKING

from msgspec import Struct

from stellwerk.notebooks.flow import study
from stellwerk.notebooks.imports import WIDTH, Import, import_text, imports_in
from stellwerk.notebooks.layout import AROUND, laid_out
from stellwerk.notebooks.literals import NoLiteralError, literal
from stellwerk.notebooks.problems import judge_study

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from stellwerk.model.declared import Json
    from stellwerk.notebooks.document import Notebook
    from stellwerk.notebooks.flow import CellFlow, Study
    from stellwerk.notebooks.layout import Line
    from stellwerk.notebooks.problem import Problem

_NOQA = re.compile(r"#\s*noqa\b", re.IGNORECASE)
_FOUND = "sys.path.insert(0, str(Path(__file__).resolve().parent.parent))"


class CellLine(Struct, frozen=True, kw_only=True):
    """Where a generated line comes from: the cell's id, and the line of its source from 1."""

    cell_id: str
    line: int


class Converted(Struct, frozen=True, kw_only=True):
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


class _Text:
    """Lines with where they come from."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.places: list[CellLine | None] = []

    def add(self, text: str) -> None:
        """Lines that no cell holds."""
        made = text.split("\n")
        self.lines += made
        self.places += [None] * len(made)

    def blank(self, count: int) -> None:
        """So many blank lines, if anything stands above."""
        if self.lines:
            self.lines += [""] * count
            self.places += [None] * count

    def cell(self, flow: CellFlow, lines: Sequence[Line]) -> None:
        """A cell's lines below a comment that names it."""
        self.add(f"# cell {flow.cell.id}")
        for text, number in lines:
            for part in text.split("\n"):
                self.lines.append(part)
                self.places.append(CellLine(cell_id=flow.cell.id, line=number) if number else None)

    def text(self) -> str:
        return "\n".join(self.lines) + "\n"


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
    taken = study(notebook)
    module = _module(taken, model, local)
    tests = _tests(taken, local) if taken.tests else None
    return Converted(
        module=module.text(),
        tests=tests.text() if tests else None,
        requirements=tuple(sorted({item for flow in taken.exported for item in flow.plain.requirements})),
        parameters=_parameters(taken),
        problems=judge_study(taken, params),
        module_lines=tuple(module.places),
        test_lines=tuple(tests.places) if tests else (),
    )


def _module(taken: Study, model: str, local: frozenset[str]) -> _Text:
    text = _Text()
    text.add(docstring(taken.notebook.heading or model))
    imports = [item for item in _imports(taken.exported) if _needed(item, taken.reads)]
    _blocks(text, import_text(imports, local), taken.exported)
    return text


def _tests(taken: Study, local: frozenset[str]) -> _Text:
    """The tests' module: it finds the notebook's module beside its folder, and imports what it uses of it."""
    text = _Text()
    text.add(docstring(f"Tests of {taken.notebook.name}.ipynb"))
    reads = frozenset().union(*(flow.names.reads for flow in taken.tests))
    own = {binding.name for flow in taken.tests for binding in flow.names.bindings}
    imports = [item for item in _imports(taken.tests) if _needed(item, reads)]
    shipped = list(_imports(taken.exported))
    imports += [item for item in shipped if item.bound in reads - own and item.module != "__future__"]
    above = {item.bound for item in shipped}
    wanted = sorted(name for name in reads - own - above if name in taken.shipped)
    beside = [item for item in imports if item.module.startswith(".") or item.module.partition(".")[0] in local]
    found = [Import(module="sys"), Import(module="pathlib", name="Path")]
    name = taken.notebook.name
    awkward = not name.isidentifier() or keyword.iskeyword(name) or name in sys.stdlib_module_names
    if wanted and awkward:
        found.append(Import(module="importlib"))
    if not wanted and not beside:
        _blocks(text, import_text(imports, local), taken.tests)
        return text
    text.blank(1)
    text.add(import_text([*(item for item in imports if item not in beside), *found], local))
    text.blank(1)
    text.add(_FOUND)
    if wanted and awkward:
        text.blank(1)
        text.add(f'_module = importlib.import_module("{name}")')
        text.add("\n".join(f"{item} = _module.{item}" for item in wanted))
        wanted = []
    beside += [Import(module=name, name=item) for item in wanted]
    _blocks(text, import_text(beside, local | {name}), taken.tests)
    return text


def _imports(flows: Iterable[CellFlow]) -> Iterable[Import]:
    """What the cells import at their top level."""
    for flow in flows:
        lines: list[str] = []
        for statement in flow.statements:
            if isinstance(statement, ast.Import | ast.ImportFrom):
                lines = lines or flow.plain.code.split("\n")
                kept = any(_NOQA.search(line) for line in lines[statement.lineno - 1 : statement.end_lineno])
                yield from imports_in(statement, kept=kept)


def _needed(item: Import, reads: frozenset[str]) -> bool:
    return item.bound in reads or item.kept or item.name == "*" or item.module == "__future__"


def _blocks(text: _Text, imports: str, flows: Iterable[CellFlow]) -> None:
    """The imports, then each cell that holds more than imports."""
    if imports:
        text.blank(1)
        text.add(imports)
    above = bool(imports)
    for flow in flows:
        lines = laid_out(flow.plain.code, flow.plain.tree) if flow.plain.tree else ()
        if lines:
            text.blank(1 if above and not _begins_with_definition(flow) else AROUND)
            text.cell(flow, lines)
            above = False


def _begins_with_definition(flow: CellFlow) -> bool:
    rest = (s for s in flow.statements if not isinstance(s, ast.Import | ast.ImportFrom))
    return isinstance(next(rest, None), ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)


def _parameters(taken: Study) -> dict[str, Json]:
    """The defaults, the last one where a name is set twice."""
    found: dict[str, Json] = {}
    for flow in taken.exported:
        for statement in flow.statements if "parameters" in flow.cell.tags else ():
            match statement:
                case (
                    ast.Assign(targets=[ast.Name(id=name)], value=value)
                    | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value)
                ):
                    try:
                        found[name] = literal(value)
                    except NoLiteralError:
                        continue
                case _:
                    pass
    return found


def docstring(title: str) -> str:
    """The title as a module's docstring, wrapped; whatever it holds, it stays inside."""
    words = "".join(sign if sign.isprintable() else " " for sign in title)
    safe = words.replace("\\", "\\\\")
    if '"""' in words or words.rstrip().endswith('"'):
        safe = safe.replace('"', '\\"')
    lines = [""]
    for word in safe.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and len(longer) > WIDTH - 6:
            lines.append(word)
        else:
            lines[-1] = longer
    return f'"""{lines[0]}"""' if len(lines) == 1 else '"""' + "\n".join(lines) + '\n"""'
