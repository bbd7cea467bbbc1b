"""What holds for every notebook."""

from __future__ import annotations

import ast
import contextlib
import os
import random

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from realistic_notebook import REALISTIC

from stellwerk.model.findings import Severity
from stellwerk.notebooks.convert import convert
from stellwerk.notebooks.document import Cell, Notebook, NotebookError, first_heading, read_notebook
from stellwerk.notebooks.magics import plain
from stellwerk.notebooks.problems import judge
from stellwerk.notebooks.text import ipynb, notebook_of

EXAMPLES = int(os.environ.get("STELLWERK_NOTEBOOKS", "60"))  # of each law
law = settings(max_examples=EXAMPLES, deadline=None, derandomize=EXAMPLES <= 60)

names = st.sampled_from(["alpha", "beta", "größe", "x1", "_y"])
modules = st.sampled_from(["os", "json", "numpy as np", "a.b.c", "zlib as z"])
expressions = st.recursive(
    st.one_of(names, st.sampled_from(["1", "'text'", "os.sep", "np.pi", '"""a  \n\n\n\nb"""', "f'{alpha}'"])),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("({0[0]} +\n\n  {0[1]})".format),
        st.tuples(names, inner, inner).map("[{0[1]} for {0[0]} in {0[2]}]".format),
        st.tuples(names, inner).map("(lambda {0[0]}: {0[1]})".format),
        inner.map("{{'k': {0}}}".format),
    ),
    max_leaves=4,
)
statements = st.one_of(
    modules.map("import {}".format),
    names.map("from math import {} as pi".format),
    st.tuples(names, expressions).map("{0[0]} = {0[1]}".format),
    st.tuples(names, names, expressions).map("def {0[0]}({0[1]}):\n\n\n    return {0[2]}".format),
    st.tuples(names, expressions).map("@staticmethod\n# why\ndef {0[0]}():\n    pass\n    {0[1]}   ".format),
    st.tuples(names, expressions).map("class {0[0]}:\n    value = {0[1]}\n\n\n\n    other = 1".format),
    st.tuples(names, expressions).map("for {0[0]} in ():\n    %matplotlib inline\n    # {0[0]}".format),
    st.tuples(names, expressions).map("import os; {0[0]} = {0[1]}; import json".format),
    expressions.map("%time pi = {}".format),
    st.sampled_from(["# a comment", "", "%who", "!pip install numpy", "x?", "y = !ls", "# a\n# b\n\n# c"]),
)
codes = st.lists(statements, max_size=5).map("\n".join)
tags = st.sampled_from(["export", "train", "prepare", "parameters", "test", "", "", "hide"])


@st.composite
def notebooks(draw):
    """Notebooks of any code, with ids."""
    cells = []
    for number in range(1, draw(st.integers(1, 7)) + 1):
        head = draw(st.sampled_from(["", "", "%%time\n", "%%capture out\n", "%%bash\n"]))
        tag = draw(tags)
        cells.append(
            Cell(
                id=f"c{number}",
                number=number,
                kind="code",
                tags=frozenset({tag} - {""}),
                source=head + draw(codes),
            )
        )
    return Notebook(path="demand.ipynb", cells=tuple(cells))


prose = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
explorations = st.tuples(st.sampled_from(["code", "markdown", "raw"]), st.one_of(codes, prose))


def added(notebook, pieces, where):
    """The notebook with cells that do not ship put anywhere, but no new first heading."""
    cells = list(notebook.cells)
    for count, ((kind, source), at) in enumerate(zip(pieces, where, strict=False)):
        new = Cell(id=f"new{count}", number=0, kind=kind, tags=frozenset(), source=source)
        if kind == "markdown" and first_heading((new,)):
            continue
        cells.insert(at % (len(cells) + 1), new)
    numbered = tuple(replace(cell, number=number) for number, cell in enumerate(cells, start=1))
    return replace(notebook, cells=numbered)


def parts(converted):
    return converted.module, converted.tests, converted.requirements, converted.parameters, converted.module_lines


@law
@given(notebooks(), st.lists(explorations, max_size=4), st.lists(st.integers(0, 99), min_size=4, max_size=4))
def test_cells_that_do_not_ship_never_change_the_source(notebook, pieces, where):
    assert parts(convert(added(notebook, pieces, where), model="m")) == parts(convert(notebook, model="m"))


@law
@given(notebooks())
def test_the_same_notebook_gives_the_same_bytes_from_its_file_too(notebook):
    once = convert(notebook, model="m")
    assert convert(notebook, model="m") == once
    assert convert(read_notebook("demand.ipynb", ipynb(notebook)), model="m") == once


@law
@given(notebooks())
def test_what_has_no_error_compiles_and_keeps_its_statements_in_order(notebook):
    made = convert(notebook, model="m")
    if any(problem.severity is Severity.ERROR for problem in made.problems):
        syntax = [problem for problem in made.problems if problem.rule in {"SW810", "SW812"}]
        if syntax:
            return
    module = ast.parse(made.module)
    own = [ast.dump(node) for node in module.body[1:] if not isinstance(node, ast.Import | ast.ImportFrom)]
    expected = [
        ast.dump(node)
        for cell in notebook.cells
        if cell.exported
        for node in plain(cell).tree.body
        if not isinstance(node, ast.Import | ast.ImportFrom)
    ]
    assert own == expected


@law
@given(notebooks())
def test_each_line_of_a_cell_stays_on_its_line(notebook):
    made = convert(notebook, model="m")
    codes_of = {cell.id: plain(cell).code.split("\n") for cell in notebook.cells if cell.kind == "code"}
    for cell in notebook.cells:
        assert len(codes_of[cell.id]) == cell.source.count("\n") + 1
    for text, places in ((made.module, made.module_lines), (made.tests or "", made.test_lines)):
        lines = text.split("\n")
        assert len(places) == len(lines) - 1
        for line, place in zip(lines, places, strict=False):
            if place is not None:
                assert line.strip() in codes_of[place.cell_id][place.line - 1]


@law
@given(notebooks())
def test_every_problem_lies_in_its_cell_and_says_what_to_do(notebook):
    for problem in judge(notebook, {"alpha": 1}):
        assert problem.hint
        if problem.cell_number:
            cell = notebook.cells[problem.cell_number - 1]
            assert problem.cell_id == cell.id
            assert 1 <= problem.line <= cell.source.count("\n") + 1
            assert problem.column >= 1


@law
@given(st.binary(max_size=200) | prose.map(str.encode))
def test_any_bytes_are_a_notebook_or_a_notebook_error(content):
    with contextlib.suppress(NotebookError):
        read_notebook("a.ipynb", content)


@law
@given(prose, st.sampled_from(["export", "train", "parameters", "test"]))
def test_any_text_of_a_cell_is_judged_and_never_a_traceback(source, tag):
    cell = Cell(id="a", number=1, kind="code", tags=frozenset({tag}), source=source.replace("\r", "\n"))
    made = convert(Notebook(path="demand.ipynb", cells=(cell,)), model="m")
    assert made.module.endswith("\n")


def test_bytes_of_a_real_notebook_that_were_changed_are_read_or_refused():
    content = ipynb(notebook_of(REALISTIC))
    dice = random.Random(5)
    refused = 0
    for _ in range(EXAMPLES * 3):
        at = dice.randrange(len(content))
        broken = content[:at] + bytes([dice.randrange(256)]) + content[at + dice.randrange(3) :]
        try:
            convert(read_notebook("a.ipynb", broken), model="m")
        except NotebookError:
            refused += 1
    assert 0 < refused < EXAMPLES * 3
