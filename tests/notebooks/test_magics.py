"""What only IPython understands is taken off, turned into requirements or refused, line for line."""

from __future__ import annotations

import ast

import pytest

from stellwerk.notebooks.installs import UnreadableInstallError, requirements_of
from stellwerk.notebooks.magics import plain
from stellwerk.notebooks.text import notebook_of


def cell(source):
    return plain(notebook_of(f"# %% export\n{source}").cells[0])


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("%%time\nx = 1", "\nx = 1"),
        ("%%time x = 1", "x = 1"),
        ("%%capture out --no-stderr\nx = 1", "\nx = 1"),
        ("%%capture\n%%time\nx = 1", "\n\nx = 1"),
        ("%time x = f(1) % 2", "x = f(1) % 2"),
        ("%timeit -n 10 -r3 f(x)", "f(x)"),
        ("x = 1\n%time", "x = 1\n"),
        ("%matplotlib inline\nx = 1", "\nx = 1"),
        ("%load_ext autoreload\n%autoreload 2\nx = 1", "\n\nx = 1"),
        ("x = 1\nx?\n?x\nx.y??\n%time?", "x = 1\n\n\n\n"),
        ("x = 10\nx %= 3\ny = (x\n%3)", "x = 10\nx %= 3\ny = (x\n%3)"),
        ("%matplotlib inline\ny = (x\n% 3)", "\ny = (x\n% 3)"),
        ("%matplotlib inline\ny = x \\\n% 3", "\ny = x \\\n% 3"),
        ('%matplotlib inline\ns = """\n%%time\n!ls\n"""', '\ns = """\n%%time\n!ls\n"""'),
        ("%matplotlib inline\ns = '(' # [\n%time x = 1", "\ns = '(' # [\nx = 1"),
        ("%matplotlib inline\ns = f'{d[\"(\"]}'\n%time x = 1", "\ns = f'{d[\"(\"]}'\nx = 1"),
        ("for x in y:\n    %matplotlib inline", "for x in y:\n    pass"),
        ("for x in y:\n    %matplotlib inline\n    %config a.b = 1\n    # why", "for x in y:\n    pass\n\n    # why"),
        ("for x in y:\n    %matplotlib inline\n    z = 1", "for x in y:\n\n    z = 1"),
        ("if x:\n    %time z = 1\nelse:\n    %who", "if x:\n    z = 1\nelse:\n    pass"),
        ("try:\n    x()\nfinally:\n    %who", "try:\n    x()\nfinally:\n    pass"),
        ("%%html\n<b>a</b>", "\n"),
        ("a != b\n%who\nc = a == b", "a != b\n\nc = a == b"),
    ],
)
def test_the_code_stays_on_its_lines(source, code):
    assert cell(source).code == code
    assert cell(source).problems == ()
    ast.parse(code)


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("x = 1\ny = !ls", 2),
        ("x = !ls | head", 1),
        ("x = %sql select 1", 1),
        ("x = 1\n!rm -r data", 2),
        ("if x:\n    !echo it's", 2),
        ("!!ls", 1),
        ("%%bash\necho it's", 1),
        ("%%sql\nselect 1", 1),
        ("%%script perl\n1", 1),
        ("%%timeit\nx = 1", 1),
        ("%%writefile a.py\nx = 1", 1),
        ("%%unheard of\nx", 1),
        ("%run other.ipynb", 1),
        ("%store -r x", 1),
        ("%load other.py", 1),
        ("%env A=1", 1),
        ("%cd ..", 1),
        ("%pylab inline", 1),
        ("x = 1\n%%bash\nls", 2),
        ("%pip uninstall -y pandas", 1),
        ("%pip install .", 1),
    ],
)
def test_what_cannot_ship_is_said_with_its_line(source, line):
    read = cell(source)
    assert [problem.line for problem in read.problems] == [line]
    assert read.problems[0].hint
    assert read.code.count("\n") == source.count("\n")


@pytest.mark.parametrize(
    ("command", "requirements"),
    [
        ("pip install pandas", ("pandas",)),
        ("pip install -q --upgrade 'pandas>=2,<3' numpy==2.1", ("pandas>=2,<3", "numpy==2.1")),
        ("pip install dvc[s3]==3.60  # remote", ("dvc[s3]==3.60",)),
        ("pip3 install -i https://example.com/simple pandas", ("pandas",)),
        ("python -m pip install pandas", ("pandas",)),
        ("{sys.executable} -m pip install pandas", ("pandas",)),
        ("uv pip install pandas~=2.2", ("pandas~=2.2",)),
        ("uv add pandas", ("pandas",)),
        ("conda install -y -c conda-forge xgboost=2.1 pandas", ("xgboost==2.1", "pandas")),
        ("pip list", ()),
        ("conda info", ()),
        ("ls", None),
        ("pipeline install x", None),
    ],
)
def test_an_install_is_a_requirement(command, requirements):
    assert requirements_of(command) == requirements


@pytest.mark.parametrize(
    "command",
    [
        "pip install -r requirements.txt",
        "pip install -e .",
        "pip install .",
        "pip install git+https://example.com/a.git",
        "pip install $NAME",
        "pip install {name}==1",
        "pip install 'pandas",
        "pip uninstall pandas",
        "conda env create",
    ],
)
def test_an_install_that_is_no_requirement_is_refused(command):
    with pytest.raises(UnreadableInstallError):
        requirements_of(command)


def test_an_install_over_several_lines_is_one():
    read = cell("%pip install -q pandas \\\n  numpy\nx = 1")
    assert read.requirements == ("pandas", "numpy")
    assert read.code == "\n\nx = 1"


def test_a_cell_of_many_lines_with_a_magic_takes_no_time():
    assert cell("%matplotlib inline\n" + "x = [1,\n2]\n" * 20_000).tree is not None
