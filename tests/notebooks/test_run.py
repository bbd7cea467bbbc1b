"""A notebook is run as a whole, tested, and proven to be what its module is."""

from __future__ import annotations

import json

import pytest
from dvc.cli import main as dvc_main

from stellwerk.notebooks.text import ipynb, notebook_of

pytest.importorskip("nbclient", reason="running notebooks needs the extra stellwerk[notebook]")
pytest.importorskip("ipykernel", reason="running notebooks needs the extra stellwerk[notebook]")

SOURCE = "models/demand/demand.ipynb"
MLOPS = """
    version: 1
    datasets: {sales: {path: data/sales.csv}}
    models: {demand: {source: models/demand/demand.ipynb, target: sold, train: {data: sales}}}
"""
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
        repo.gen({**files, ".gitignore": "/data/sales.csv\n"})
        assert dvc_main(["--cd", str(repo.root), "init", "--quiet"]) == 0
        assert dvc_main(["--cd", str(repo.root), "remote", "add", "-q", "-d", "storage", str(tmp_path / "store")]) == 0
        repo.git("add", "--all")
        repo.git("commit", "--quiet", "--message", "declare")
        repo.gen({"data/sales.csv": ROWS})
        # The snapshot lets `stellwerk check` and `notebook test` see rows.
        done = repo.stellwerk("snapshot", "sales", "--because", "first rows")
        assert done.returncode == 0, done.stderr
        done = repo.stellwerk("notebook", "convert", "demand")
        assert done.returncode == 0, done.stdout + done.stderr
        return repo

    return make


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
    ("line", "said"),
    [
        ("while True: pass", "cell 3 did not end within 6 seconds"),
        ("import os; os._exit(9)", "cell 3 killed its kernel"),
        ("1 / 0", "cell 3, line 3: ZeroDivisionError"),
    ],
)
def test_a_cell_that_does_not_end_well_is_named_and_nothing_is_left(project, line, said):
    text = NOTEBOOK.replace("frame.head()", line).partition("# %% test")[0]
    code, checks = outcome(project(text), "notebook", "test", "demand", "--timeout", "6")
    assert code == 1
    passed, detail = checks["notebook runs"]
    assert not passed
    assert said in detail
    assert "equivalence" not in checks
