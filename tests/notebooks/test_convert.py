"""What a notebook becomes: a module and tests that compile, that ruff has nothing to say of, and that work."""

from __future__ import annotations

import ast
import subprocess
import sys
import sysconfig
from itertools import pairwise
from pathlib import Path

import pytest
from realistic_notebook import REALISTIC

from stellwerk.model.findings import Severity
from stellwerk.notebooks.convert import CellLine, convert, docstring
from stellwerk.notebooks.imports import Import, import_text
from stellwerk.notebooks.magics import plain
from stellwerk.notebooks.text import notebook_of

RUFF = Path(sysconfig.get_path("scripts")) / "ruff"
TRAIN = "# %% train id=t\ndef train(frame):\n    return len(frame)\n"


def converted(text, path="demand.ipynb", **keys):
    return convert(notebook_of(text, path), model="shoe-demand", **keys)


def lint(folder, *options):
    done = subprocess.run(
        [RUFF, "check", "--isolated", "--no-cache", "--select", "E,F,I", *options, folder],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout if done.returncode else ""


def test_the_whole_module_is_as_it_should_be():
    given = converted(
        """\
# %% [markdown]
# Demand per *day*
# %% export id=a
# libraries
import numpy as np
import json
from math import log

SEASONS = ("summer", "winter")
# %% id=look
import seaborn
seaborn.plot(SEASONS)
# %% parameters id=p
depth = 6
# %% train id=t
%%time
from math import exp
def train(frame, depth=depth):

    for row in frame:
        %time log(row)


    return np.mean(frame) * exp(depth)
def helper(): pass
# %% test id=x
def test_it():
    assert train([1]) > 0 and np and SEASONS
""",
        params={"depth": 8},
    )
    assert given.problems == ()
    assert given.parameters == {"depth": 6}
    assert (
        given.module
        == '''\
"""Demand per *day*"""

from math import exp, log

import numpy as np

# cell a
SEASONS = ("summer", "winter")


# cell p
depth = 6


# cell t
def train(frame, depth=depth):

    for row in frame:
        log(row)

    return np.mean(frame) * exp(depth)


def helper(): pass
'''
    )
    assert (
        given.tests
        == '''\
"""Tests of demand.ipynb"""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from demand import SEASONS, train


# cell x
def test_it():
    assert train([1]) > 0 and np and SEASONS
'''
    )


def test_the_realistic_notebook_converts_without_a_word_and_its_tests_pass(tmp_path):
    given = converted(REALISTIC, params={"penalty": 1, "seasonal": True, "floor": 0})
    assert given.problems == ()
    assert given.requirements == ("pandas", "scikit-learn>=1.6")
    assert given.parameters == {"penalty": 1.0, "seasonal": True, "floor": 0.0}
    assert "seaborn" not in given.module
    assert "mean_absolute_error" not in given.module
    (tmp_path / "tests").mkdir()
    (tmp_path / "demand.py").write_text(given.module)
    (tmp_path / "tests/test_demand.py").write_text(given.tests)
    assert lint(tmp_path) == ""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/test_demand.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "4 passed" in done.stdout, done.stdout


NOTEBOOKS = {
    "no heading": TRAIN,
    "a heading of quotes": f'# %% [markdown]\n# The "best" """model""" of C:\\new"\n{TRAIN}',
    "a heading that ends in a backslash": f"# %% [markdown]\n# odd \\\n{TRAIN}",
    "a heading that is long": f"# %% [markdown]\n# {'very ' * 40}long\n{TRAIN}",
    "only constants": f"# %% export\nimport os\nA = os.sep\n\n\n\nB = 2\n# comment\n\n# another\nC = 3\n{TRAIN}",
    "comments around definitions": "# %% train\n# one\n\n# two\ndef train(frame):\n    return 1  # three\n# four\n\n\n\n# five\nA = 1\n# six\n@property\n# seven\ndef x(self): return 1\n# eight\n",
    "imports among code": f"# %% export\nimport os; A = os.sep\nimport sys, json; B = (json,\n  sys); import re\nC = re\n{TRAIN}",
    "long imports": f"# %% export\nfrom collections import OrderedDict, defaultdict, namedtuple, ChainMap, Counter, UserDict, UserList\nALL = (OrderedDict, defaultdict, namedtuple, ChainMap, Counter, UserDict, UserList)\n{TRAIN}",
    "a future import late": f"# %% export\nA = 1\n# %% export\nfrom __future__ import annotations\n\ndef f(x: int): ...\n{TRAIN}",
    "an import kept on purpose": f"# %% export\nfrom sklearn.experimental import enable_halving_search_cv  # noqa: F401\nfrom sklearn.model_selection import HalvingGridSearchCV\nS = HalvingGridSearchCV\n{TRAIN}",
    "a relative and a local import": f"# %% export\nfrom . import beside\nimport shop.prices\nimport zlib, yaml\nA = beside, shop, zlib, yaml\n{TRAIN}",
    "a string of many lines": f'# %% export\nTEXT = """a   \n\n\n\nb"""\nOTHER = f"""\n\n\n{{TEXT}}   \n"""\n{TRAIN}',
    "names that are not ASCII": f"# %% export\nlänge = 1; import os; größe = os.sep\n{TRAIN}",
    "tests that need nothing": f"{TRAIN}# %% test\ndef test_one():\n    assert 1\n",
    "tests with imports of their own": f"# %% export\nimport os\nA = os.sep\n{TRAIN}# %% test\nimport sys\nimport pytest\nfrom pathlib import Path\n\n@pytest.fixture\ndef here():\n    return Path(sys.prefix)\n# %% test\ndef test_it(here):\n    assert os and A and train([1])\n",
    "an empty exported cell": f"# %% export\n%matplotlib inline\n# %% export\n# nothing yet\n{TRAIN}",
}


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_what_is_made_compiles_and_keeps_every_statement(name):
    notebook = notebook_of(NOTEBOOKS[name])
    given = convert(notebook, model="m")
    assert not [problem for problem in given.problems if problem.severity is Severity.ERROR]
    module = ast.parse(given.module)
    compile(given.module, "module", "exec")
    own = [node for node in module.body[1:] if not isinstance(node, ast.Import | ast.ImportFrom)]
    cells = [
        node
        for cell in notebook.cells
        if cell.exported
        for node in ast.parse(cell.source.replace("%matplotlib inline", "")).body
        if not isinstance(node, ast.Import | ast.ImportFrom)
    ]
    assert [ast.dump(node) for node in own] == [ast.dump(node) for node in cells]


def is_import(statement):
    return isinstance(statement, ast.Import | ast.ImportFrom)


def test_code_as_people_write_it_keeps_every_statement():
    """Python's own library, each module cut into three cells: magics aside, there is hardly a form that it lacks."""
    files = sorted(Path(ast.__file__).parent.glob("*.py"))[::12]
    converted_files = 0
    for path in files:
        source = path.read_text(encoding="utf-8")
        tree = ast.parse(source)
        begins = [min([s.lineno, *(d.lineno for d in getattr(s, "decorator_list", []))]) for s in tree.body]
        cuts = [0, *(begin - 1 for begin in begins[len(begins) // 3 :: max(len(begins) // 3, 1)]), None]
        lines = source.split("\n")
        cells = "".join(
            f"# %% export id=c{n}\n" + "\n".join(lines[a:b]) + "\n" for n, (a, b) in enumerate(pairwise(cuts))
        )
        notebook = notebook_of(cells)
        if any(plain(cell).tree is None for cell in notebook.cells):
            continue  # statements that share a line were cut
        made = ast.parse(convert(notebook, model="m").module)
        own = [ast.dump(node) for node in made.body[1:] if not is_import(node)]
        assert own == [ast.dump(node) for node in tree.body if not is_import(node)], path.name
        converted_files += 1
    assert converted_files > 10


def test_ruff_has_nothing_to_say_of_what_is_made(tmp_path):
    for number, text in enumerate(NOTEBOOKS.values()):
        home = tmp_path / f"m{number}"
        (home / "tests").mkdir(parents=True)
        given = converted(text, local=frozenset({"shop"}))
        (home / "demand.py").write_text(given.module)
        if given.tests:
            (home / "tests/test_demand.py").write_text(given.tests)
    told = "lint.isort.known-first-party = ['shop']"
    assert lint(tmp_path, "--ignore", "E701,E702,E731", "--config", told) == ""


def test_an_import_that_only_exploration_uses_does_not_ship():
    given = converted(f"# %% export\nimport os\nimport sys\nA = sys\n# %%\nos.getcwd()\n{TRAIN}")
    assert "import sys" in given.module
    assert "import os" not in given.module


def test_a_name_that_only_an_annotation_in_quotes_uses_ships():
    text = "# %% train\nimport pandas as pd\n\ndef train(frame: 'pd.DataFrame'):\n    return 1\n"
    assert "import pandas as pd" in converted(text).module


def test_a_timed_cell_ships_as_code_and_not_as_a_string():
    given = converted(f"# %% export\n%%time\ndef helper():\n    return 1\n{TRAIN}")
    assert "helper" in {node.name for node in ast.parse(given.module).body if isinstance(node, ast.FunctionDef)}
    assert "get_ipython" not in given.module


def test_a_loop_whose_only_statement_was_a_magic_still_compiles():
    given = converted(f"# %% export\nfor name in ():\n    %matplotlib inline\n{TRAIN}")
    assert "for name in ():\n    pass\n" in given.module


def test_test_cells_are_not_part_of_the_module():
    given = converted(f"{TRAIN}# %% test\nimport pytest\n\ndef test_it():\n    assert train([1])\n")
    assert "pytest" not in given.module
    assert "test_it" not in given.module
    assert "test_it" in (given.tests or "")


def test_cells_that_ran_out_of_order_are_not_accepted():
    given = converted("# %% train\ndef train(frame):\n    return A\n# %% export\nA = B\n# %% export\nB = 1\n")
    assert [problem.rule for problem in given.problems] == ["SW802", "SW802"]


def test_a_notebook_whose_name_is_no_name_of_python_is_imported_all_the_same(tmp_path):
    given = converted(f"{TRAIN}# %% test\ndef test_it():\n    assert train([1]) == 1\n", "2-demand model.ipynb")
    (tmp_path / "tests").mkdir()
    (tmp_path / "2-demand model.py").write_text(given.module)
    (tmp_path / "tests/test_it.py").write_text(given.tests)
    code = "import runpy; runpy.run_path('tests/test_it.py')['test_it']()"
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    assert lint(tmp_path, "--ignore", "N999") == ""


def test_each_line_is_traced_to_the_line_of_its_cell():
    notebook = notebook_of(REALISTIC)
    given = convert(notebook, model="m")
    sources = {cell.id: cell.source.split("\n") for cell in notebook.cells}
    for text, lines in ((given.module, given.module_lines), (given.tests, given.test_lines)):
        assert len(lines) == text.count("\n")
        traced = [(line, place) for line, place in zip(text.split("\n"), lines, strict=False) if place]
        assert len(traced) > 15
        for line, place in traced:
            assert sources[place.cell_id][place.line - 1].strip() == line.strip()
    assert CellLine(cell_id="train", line=5) in given.module_lines


def test_parameters_that_yaml_could_say_are_given_as_json_has_them():
    text = "# %% parameters\na = -1\nb: tuple = (1, 'x', None)\nc = {'k': [True]}\nd = {1}\ne = f()\n"
    assert converted(text).parameters == {"a": -1, "b": [1, "x", None], "c": {"k": [True]}}


@pytest.mark.parametrize("title", ['"', '""', '"""', "\\", "a\\", 'a"', "a\n\x00b", "", '\\"', '""" + x + """'])
def test_a_docstring_holds_whatever_the_heading_is(title):
    (statement,) = ast.parse(docstring(title)).body
    assert isinstance(statement.value.value, str)
    shown = "".join(sign if sign.isprintable() else " " for sign in title)
    assert statement.value.value.split() == shown.split()


def test_imports_are_sorted_as_ruff_sorts_them(tmp_path):
    given = import_text(
        [
            Import(module="zoo"),
            Import(module="Alpha"),
            Import(module="beta10"),
            Import(module="beta9"),
            Import(module="beta9", alias="b"),
            Import(module="os.path"),
            Import(module="os"),
            Import(module="zoo", name="_private"),
            Import(module="zoo", name="T"),
            Import(module="zoo", name="CONSTANT"),
            Import(module="zoo", name="Class"),
            Import(module="zoo", name="function", alias="f"),
            Import(module="zoo", name="a10"),
            Import(module="zoo", name="a9"),
            Import(module="zoo.inner", name="x"),
            Import(module="..up", name="x"),
            Import(module=".here", name="x"),
            Import(module=".", name="x"),
            Import(module="__future__", name="annotations"),
        ]
    )
    (tmp_path / "a.py").write_text(f"{given}\n")
    assert lint(tmp_path, "--ignore", "F401,F811,E402") == "", given
