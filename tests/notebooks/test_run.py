"""A notebook is run as a whole, tested, and proven to be what its module is."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from dvc.cli import main as dvc_main

from stellwerk.notebooks.text import ipynb, notebook_of
from stellwerk.training import notebook_proof, notebook_run
from stellwerk.training.notebook_proof import NotebookSource
from stellwerk.training.notebook_run import Written

pytest.importorskip("nbclient", reason="running notebooks needs the extra stellwerk[notebook]")
pytest.importorskip("ipykernel", reason="running notebooks needs the extra stellwerk[notebook]")

SOURCE = "models/demand/demand.ipynb"
MLOPS = """
    version: 1
    datasets:
      sales: {path: data/sales.csv, stand_in: made-up}
      made-up: {path: data/made-up.csv}
    models: {demand: {source: models/demand/demand.ipynb, target: sold, train: {data: sales}}}
"""
SLEEP = f"98765.{os.getpid()}"  # its own in each test process: what others leave for a moment is not ours
ENDLESS = f"""import subprocess, time
subprocess.Popen(["sleep", "{SLEEP}"], start_new_session=True)
while True: time.sleep(1)"""
DEV = "purpose: development\n"
ROWS = "season,sold\n" + "".join(f"{season},{n}\n" for n in range(30) for season in ("summer", "winter"))
NOTEBOOK = """\
# %% [markdown]
# Demand
# %% export
import pandas as pd
SHIFT = 0.1
# %%
frame = pd.read_csv("../../data/sales.csv")
assert set(frame["season"]) == {"summer", "winter"}, "these are not the stand-in rows"
open("note.txt", "w").write("inside")
frame.head()
# %% train
def train(frame):
    return frame.groupby("season")["sold"].mean() + SHIFT
# %% predict
def predict(model, frame):
    return frame["season"].map(model).to_numpy()
# %% test
def test_a_mean_is_predicted():
    frame = pd.DataFrame({"season": ["summer"] * 2, "sold": [1, 3]})
    assert predict(train(frame), frame).tolist() == [2.1, 2.1]
"""


@pytest.fixture
def project(repo, tmp_path):
    """A project with a snapshot, whose notebook is the text that is asked for."""

    def make(text: str, train: str = ""):
        mlops = MLOPS.replace("{data: sales}", f"{{data: sales{train}}}")
        files = {"mlops.yaml": mlops, "environments/dev.yaml": DEV, SOURCE: ipynb(notebook_of(text)).decode()}
        repo.gen({**files, ".gitignore": "/data/*.csv\n"})
        assert dvc_main(["--cd", str(repo.root), "init", "--quiet"]) == 0
        assert dvc_main(["--cd", str(repo.root), "remote", "add", "-q", "-d", "storage", str(tmp_path / "store")]) == 0
        repo.git("add", "--all")
        repo.git("commit", "--quiet", "--message", "declare")
        repo.gen({"data/made-up.csv": ROWS, "data/sales.csv": "season,sold\nautumn,1\n"})
        # The snapshot lets `stellwerk check` and `notebook test` see rows.
        done = repo.stellwerk("snapshot", "made-up", "--because", "first rows")
        assert done.returncode == 0, done.stderr
        done = repo.stellwerk("notebook", "convert", "demand")
        assert done.returncode == 0, done.stdout + done.stderr
        return repo

    return make


def content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # it has ended meanwhile
        return b""


def outcome(project, *words: str) -> tuple[int, dict[str, tuple[bool, str]]]:
    done = project.stellwerk(*words, "--out", "checks.json")
    assert (project.root / "checks.json").exists(), done.stdout + done.stderr
    checks = json.loads(project.read("checks.json"))["checks"]
    return done.returncode, {check["name"]: (check["passed"], check.get("detail", "")) for check in checks}


def test_a_notebook_runs_passes_its_tests_and_is_what_its_module_is(project):
    code, checks = outcome(project(NOTEBOOK), "check", "demand", "dev")
    assert code == 0, checks
    assert checks["notebook runs"][1].startswith("5 cells")
    assert checks["notebook tests"] == (True, checks["notebook tests"][1])
    assert "1 passed" in checks["notebook tests"][1]
    assert "the same 60 predictions" in checks["equivalence"][1]
    assert "unit tests" not in checks
    assert "smoke training" in checks


def test_state_that_exploration_leaves_behind_is_caught(project):
    text = NOTEBOOK.replace("frame.head()", 'globals().update({"SHIFT": 5.1})')
    code, checks = outcome(project(text), "notebook", "test", "demand")
    assert code == 1
    assert checks["notebook runs"][0]
    passed, detail = checks["equivalence"]
    assert not passed
    assert "at most 5 apart" in detail
    assert "a cell that does not ship" in detail


def test_training_by_chance_is_said_with_what_to_seed(project):
    text = NOTEBOOK.replace("+ SHIFT", "+ np.random.default_rng().random()").replace(
        "import pandas as pd\n", "import pandas as pd\nimport numpy as np\n"
    )
    _, checks = outcome(project(text), "notebook", "test", "demand")
    passed, detail = checks["equivalence"]
    assert not passed
    assert detail.startswith("training is not deterministic")
    assert "default_rng(seed)" in detail
    assert "cell 6, line 3: test_a_mean_is_predicted" in checks["notebook tests"][1]


@pytest.mark.parametrize(
    ("line", "seconds", "said"),
    [
        (ENDLESS, "12", "cell 3 did not end within 12 seconds"),
        ("import os; os._exit(9)", "100", "cell 3 killed its kernel"),
        ("1 / 0", "100", "cell 3, line 4: ZeroDivisionError"),
    ],
)
def test_a_cell_that_does_not_end_well_is_named_and_nothing_is_left(project, line, seconds, said):
    text = NOTEBOOK.replace("frame.head()", line).partition("# %% test")[0]
    code, checks = outcome(project(text), "notebook", "test", "demand", "--timeout", seconds)
    assert code == 1
    passed, detail = checks["notebook runs"]
    assert not passed
    assert said in detail
    assert "equivalence" not in checks
    assert not [path for path in Path("/proc").glob("[0-9]*/cmdline") if SLEEP.encode() in content(path)]


def judged(monkeypatch, modules, *, tolerance):
    """What is said where the notebook predicted 1.0 and 2.0, and the module in its runs these."""
    runs = iter(Written(predictions=f"prediction\n{text}\n", decisions=None) for text in modules)
    monkeypatch.setattr(notebook_proof, "_module_predicts", lambda *_, **__: next(runs))
    source = NotebookSource(path=SOURCE, tests="", tolerance=tolerance)
    theirs = Written(predictions="prediction\n1.0\n2.0\n", decisions=None)
    rows = SimpleNamespace(rows=[0, 1])
    return notebook_proof._equivalence(source, None, rows, theirs, root=None, around=None)


@pytest.mark.parametrize(
    ("modules", "tolerance", "passed", "said"),
    [
        (["1.0\n2.0"], None, True, "the same 2 predictions"),
        (["1.0\n2.0000000000000004"] * 2, None, False, "at most 4.44089e-16 apart"),
        (["1.0\n2.0000000000000004"], 1e-9, True, "1e-09 is declared"),
        (["1.0\n2.1"] * 2, 1e-9, False, "does not predict what the notebook does"),
        (["1.0\n2.1", "1.0\n2.2"], 1e-9, False, "not deterministic"),
        (["1.0\nnan"] * 2, 1e-9, False, "does not predict what the notebook does"),
        (["yes\nno"] * 2, 1e-9, False, "does not predict what the notebook does"),
    ],
)
def test_predictions_are_the_same_bit_for_bit_or_as_near_as_declared(monkeypatch, modules, tolerance, passed, said):
    result = judged(monkeypatch, modules, tolerance=tolerance)
    assert result.passed == passed
    assert said in result.detail


def test_without_jupyter_the_check_fails_and_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setattr(notebook_run.importlib.util, "find_spec", lambda _: None)
    (tmp_path / "demand.ipynb").write_bytes(ipynb(notebook_of(NOTEBOOK.partition("# %% test")[0])))
    source = NotebookSource(path="demand.ipynb", tests="")
    (result,) = notebook_proof.prove_notebook(source, None, rows_file=None, root=tmp_path, around=None)
    assert not result.passed
    assert "pip install 'stellwerk[notebook]'" in result.detail


def test_a_notebook_is_not_run_where_development_may_not_see_its_data(repo):
    mlops = MLOPS.replace(", stand_in: made-up}", ", classification: secret}")
    mlops = mlops.replace("version: 1", "version: 1\n    classifications: [public, secret]")
    dev = DEV + "data: {allows: [public]}\n"
    repo.gen({"mlops.yaml": mlops, "environments/dev.yaml": dev, SOURCE: ipynb(notebook_of(NOTEBOOK)).decode()})
    repo.git("add", "--all")
    repo.git("commit", "--quiet", "--message", "declare")
    done = repo.stellwerk("notebook", "test", "demand")
    assert done.returncode == 1
    assert "'dev' does not allow secret data, and 'sales' has no stand-in" in done.stderr, done.stderr
