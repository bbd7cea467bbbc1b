"""A notebook is run from a fresh kernel and proven to be what its module is; each way to go wrong is told apart."""

from __future__ import annotations

import os
import sysconfig
import tempfile
import time
import venv
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest
from proving import NOTEBOOK, SOURCE, TESTED, proven, written

from stellwerk.adapters import environments, process
from stellwerk.adapters.child import Isolation
from stellwerk.training.notebook_proof import compare, in_sync
from stellwerk.training.smoke import Written
from stellwerk.worker.notebook_host import line_of

SLEEP = f"98765.{os.getpid()}"  # its own in each test process: what others leave for a moment is not ours
ENDLESS = f"""import subprocess, time
subprocess.Popen(["sleep", "{SLEEP}"], start_new_session=True)
open("started", "w").close()
while True: time.sleep(1)"""


def content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # it has ended meanwhile
        return b""


def test_state_that_exploration_leaves_behind_is_caught(tmp_path):
    text = NOTEBOOK.replace("frame.head()", 'globals().update({"SHIFT": 5.1})')
    checks = proven(written(tmp_path, text), tmp_path, namespace=False)
    assert checks["notebook runs"][0]
    assert "in a folder of its own, without namespaces to confine it" in checks["notebook runs"][1]
    passed, detail = checks["equivalence"]
    assert not passed
    assert "at most 5 apart" in detail
    assert "a cell that does not ship" in detail
    assert "notebook tests" not in checks


def test_training_by_chance_is_said_with_what_to_seed_and_each_test_names_its_cell(tmp_path):
    text = NOTEBOOK.replace("+ SHIFT", "+ np.random.default_rng().random()")
    text = text.replace("import pandas as pd\n", "import pandas as pd\nimport numpy as np\n") + TESTED
    text += "# %% test\ndef test_that_holds():\n    assert SHIFT == 0.1\ndef test_that_fails():\n    assert SHIFT > 1\n"
    checks = proven(written(tmp_path, text), tmp_path)
    passed, detail = checks["equivalence"]
    assert not passed
    assert detail.startswith("training is not deterministic")
    assert "default_rng(seed)" in detail
    passed, detail = checks["notebook tests"]
    assert not passed
    assert "cell 6, line 3: test_a_mean_is_predicted: assert" in detail
    assert "cell 7, line 4: test_that_fails: assert 0.1 > 1" in detail
    assert "2 failed, 1 passed" in detail


def test_a_cell_that_never_ends_is_named_and_nothing_is_left(tmp_path, monkeypatch):
    text = NOTEBOOK.replace("frame.head()", ENDLESS)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def clock() -> float:
        """An hour later from the moment at which the cell does nothing any more."""
        return time.monotonic() + 3600 * any(tmp_path.glob("stellwerk-job-*/code/models/demand/started"))

    monkeypatch.setattr(process, "time", SimpleNamespace(monotonic=clock, sleep=time.sleep))
    checks = proven(written(tmp_path, text), tmp_path, timeout=3000)
    passed, detail = checks["notebook runs"]
    assert not passed
    assert f"{SOURCE} cell 3 did not end within 3000 seconds" in detail
    assert "equivalence" not in checks
    assert not [path for path in Path("/proc").glob("[0-9]*/cmdline") if SLEEP.encode() in content(path)]


def test_a_notebook_that_writes_outside_of_its_folder_is_refused(tmp_path):
    other = tmp_path / "elsewhere"
    other.mkdir()
    write = f'import os\nos.system("touch {other}/by-a-child")\nframe.to_csv("{other}/by-python.csv")'
    checks = proven(written(tmp_path, NOTEBOOK.replace("frame.head()", write)), tmp_path)
    passed, detail = checks["notebook runs"]
    assert not passed
    assert f"cell 3, line 6: PermissionError: '{other}/by-python.csv' is outside of the notebook's folder" in detail
    assert [path.name for path in other.iterdir()] == ([] if grants_namespaces(tmp_path) else ["by-a-child"])


def test_without_namespaces_it_is_refused_as_well_and_a_cell_that_kills_its_kernel_is_named(tmp_path):
    cell = f"""
import os
for write in (os.mkdir, os.remove, lambda path: open(path, "a"), lambda path: os.rename("note.txt", path)):
    try:
        write("{tmp_path}/{SOURCE}")
    except PermissionError as error:
        assert "outside of the notebook's folder" in str(error), error
    else:
        raise AssertionError(write)
os.makedirs("../demand/below/more", exist_ok=True)
open("/dev/null", "w").close()
os._exit(9)"""
    checks = proven(written(tmp_path, NOTEBOOK.replace("frame.head()", cell)), tmp_path, namespace=False)
    passed, detail = checks["notebook runs"]
    assert not passed
    assert f"{SOURCE} cell 3 killed its kernel" in detail


def grants_namespaces(folder: Path) -> bool:
    settings = {"env": dict(os.environ), "timeout": 30, "log": folder / "probe.txt", "isolation": Isolation()}
    return process.run(["true"], cwd=folder, **settings).isolation == "namespace"


@pytest.fixture
def own_environment(tmp_path, monkeypatch):
    """`own_environment(packages=True)`: requirements whose environment has what is installed here, else nothing."""

    def declare(*, packages: bool) -> str:
        def make(folder: Path, _python: Path, _requirements: Path) -> None:
            venv.create(folder, symlinks=True)
            if packages:
                site = next(folder.glob("lib/python*/site-packages"))
                (site / "here.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
            (folder / environments.COMPLETE).touch()

        monkeypatch.setattr(environments, "_make", make)
        (tmp_path / "requirements.txt").write_text("ipykernel\npandas\n" if packages else "pandas\n")
        return "requirements.txt"

    return declare


def test_the_kernel_and_the_module_are_of_the_models_own_environment_and_as_near_as_declared(
    tmp_path, own_environment, isolated_environment
):
    own = f'assert sys.prefix.startswith("{isolated_environment}"), sys.prefix'
    train = f'    {own}\n    last = 1e-12 if "ipykernel" in sys.modules else 0.0\n'
    text = NOTEBOOK.replace("frame.head()", own).replace("def train(frame):\n", f"def train(frame):\n{train}")
    text = text.replace("+ SHIFT", "+ SHIFT + last").replace(
        "import pandas as pd\n", "import sys\nimport pandas as pd\n"
    )
    notebook = msgspec.structs.replace(written(tmp_path, text), tolerance=1e-9)
    checks = proven(notebook, tmp_path, requirements=own_environment(packages=True))
    assert checks["notebook runs"][0], checks
    passed, detail = checks["equivalence"]
    assert passed
    assert detail.startswith("60 predictions at most ")
    assert "1e-09 is declared" in detail


def test_an_environment_without_ipykernel_is_told_what_to_require(tmp_path, own_environment):
    checks = proven(written(tmp_path, NOTEBOOK), tmp_path, requirements=own_environment(packages=False))
    message = "the model's environment has no ipykernel: add `ipykernel` to requirements.txt"
    assert checks["notebook runs"] == (False, message)


def same(values: str, decisions: str | None = None) -> Written:
    return Written(predictions=f"prediction\n{values}\n", decisions=decisions)


@pytest.mark.parametrize(
    ("modules", "tolerance", "passed", "said"),
    [
        (["1.0\n2.0"], None, True, "the same 2 predictions"),
        (["1.0\n2.0000000000000004"] * 2, None, False, "at most 4.44089e-16 apart"),
        (["1.0\n2.0000000000000004"], 1e-9, True, "1e-09 is declared"),
        (["1.0\n2.1"] * 2, 1e-9, False, "does not predict what the notebook does"),
        (["1.0\n2.1", "1.0\n2.1000000000000005"], 1e-9, False, "does not predict what the notebook does"),
        (["1.0\n2.1", "1.0\n2.2"], 1e-9, False, "not deterministic"),
        (["1.0\nnan"] * 2, 1e-9, False, "does not predict what the notebook does"),
        (["yes\nno"] * 2, 1e-9, False, "does not predict what the notebook does"),
    ],
)
def test_predictions_are_the_same_bit_for_bit_or_as_near_as_declared(modules, tolerance, passed, said):
    """The notebook predicts 1.0 and 2.0, its module in its runs these."""
    ours, *more = map(same, modules)
    result = compare(same("1.0\n2.0"), ours, lambda: more[0], tolerance=tolerance)
    assert result.passed == passed
    assert said in result.detail


@pytest.mark.parametrize(
    ("decisions", "tolerance", "passed"),
    [
        ("order,unit\n3.0,box\n,bag\n", None, True),
        ("order,unit\n3.0000000000000004,box\n,bag\n", None, False),
        ("order,unit\n3.0000000000000004,box\n,bag\n", 1e-9, True),
        ("order,unit\n3.0,bag\n,bag\n", 1e-9, False),
        ("order,unit\n3.0,box\n0.0,bag\n", 1e-9, False),
        (None, 1e-9, False),
    ],
)
def test_decisions_are_compared_as_predictions_are(decisions, tolerance, passed):
    theirs, ours = same("1.0", "order,unit\n3.0,box\n,bag\n"), same("1.0", decisions)
    assert compare(theirs, ours, lambda: ours, tolerance=tolerance).passed == passed


def edit(path: str, old: str, new: str):
    return lambda root: (root / path).write_text((root / path).read_text().replace(old, new))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (edit("models/demand/demand.py", "SHIFT = 0.1", "SHIFT = 0.2"), "render --force models/demand/demand.py"),
        (edit("models/demand/tests/test_demand.py", "2.1", "3.1"), "--force models/demand/tests/test_demand.py"),
        (edit("models/demand/demand.py", "# Rendered", "# Written"), "render --force models/demand/demand.py"),
        (lambda root: (root / "models/demand/demand.py").unlink(), "demand.py is missing: stellwerk notebook convert"),
        (
            lambda root: written(root, NOTEBOOK.replace("0.1", "0.2") + TESTED),
            "demand.py was made from another state of models/demand/demand.ipynb: stellwerk notebook convert demand",
        ),
    ],
)
def test_a_module_that_is_not_what_the_notebook_becomes_is_no_proof(tmp_path, change, said):
    notebook = written(tmp_path, NOTEBOOK + TESTED)
    assert in_sync(notebook, tmp_path).passed
    change(tmp_path)
    result = in_sync(notebook, tmp_path)
    assert not result.passed
    assert said in result.detail


def test_line_ends_do_not_count_but_tests_that_no_cell_has_any_more_do(tmp_path):
    written(tmp_path, NOTEBOOK + TESTED)
    notebook = written(tmp_path, NOTEBOOK)
    module = tmp_path / "models/demand/demand.py"
    module.write_bytes(module.read_bytes().replace(b"\n", b"\r\n"))
    detail = f"models/demand/tests/test_demand.py is left over, {SOURCE} has no test cell any more: stellwerk render"
    assert in_sync(notebook, tmp_path).detail == detail
    (tmp_path / "models/demand/tests/test_demand.py").write_text("def test_of_our_own(): pass\n")
    assert in_sync(notebook, tmp_path).passed


@pytest.mark.parametrize(
    ("trace", "line"),
    [
        (
            'File pandas/base.py:3812, in get_loc\n   3811 try:\n-> 3812     return\n\nCell In[5], line 2\n----> 2 df["a"]',
            2,
        ),
        ("Cell In[3], line 9, in helper()\n----> 9 int(x)\n\nThe above\n\nCell In[5], line 2\n----> 2 helper(x)", 2),
        ("Cell In[5], line 4\n----> 4 helper(x)\n\nCell In[3], line 9, in helper()\n----> 9 int(x)", 4),
        ("  Cell In[1], line 3\n    def (:\n        ^", 3),
        ("----> 7 in an older IPython\n", 7),
        ("KeyError: 'a'", None),
    ],
)
def test_an_error_is_placed_in_the_cell_that_ran_not_in_the_library_that_caused_it(trace, line):
    assert line_of(trace) == line
