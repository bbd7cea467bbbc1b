"""The whole way: a rendered stage, DVC, the real `stellwerk stage`, the package from the cache."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest

from stellwerk.adapters.dvc import DvcStore, DvcTrainer, init_dvc, run_templates
from stellwerk.adapters.dvc.worktree import ROOMS
from stellwerk.adapters.templates import TEMPLATES
from stellwerk.errors import TrainingFailed
from stellwerk.model.declared import Dataset, Limits, Model, Train
from stellwerk.render.stage import render_stage

SALES = Dataset(name="sales", path="data/sales.csv")
CODE = "models/demand/demand.py"
MODEL = Model(name="demand", source=CODE, target="sold", train=Train(data="sales", params={"depth": 2}))
SOURCE = """
from sklearn.tree import DecisionTreeRegressor

def train(frame, depth):
    print("training on", len(frame), "rows")
    return DecisionTreeRegressor(max_depth=depth, random_state=0).fit(frame.drop(columns="sold"), frame["sold"])
"""


def declare(repo, source: str) -> str:
    init_dvc(repo.root)
    chance = random.Random(0)
    rows = [(day, chance.randint(5, 60)) for day in range(300)]
    repo.gen({"data/sales.csv": "day,price,sold\n" + "".join(f"{d},{p},{d + 3 * p}\n" for d, p in rows)})
    added = DvcStore(repo.root).add("data/sales.csv")
    config = {name: repo.read(name) for name in (".dvc/config", ".dvc/.gitignore", ".dvcignore")}
    return repo.gen(
        {**render_stage(MODEL, SALES, (CODE,), Limits()), **added.files, **config, CODE: source}, commit="declare"
    )


@pytest.mark.slow
def test_a_source_is_trained_through_dvc_and_its_package_can_be_fetched(repo, tmp_path):
    lines: list[str] = []
    result = DvcTrainer(repo.root).train("demand", commit=declare(repo, SOURCE), on_line=lines.append)
    assert any("training on" in line for line in lines)
    assert result.report["task"] == "regression"
    DvcStore(repo.root).fetch(result.package_md5, tmp_path / "package", remote=None)
    assert (tmp_path / "package/package.json").exists()
    assert (tmp_path / "package/code" / CODE).read_text() == repo.read(CODE)


@pytest.mark.slow
def test_a_source_that_raises_is_a_failed_training_with_its_log(repo):
    with pytest.raises(TrainingFailed, match="no shoes") as caught:
        DvcTrainer(repo.root).train(
            "demand",
            commit=declare(repo, "def train(frame, **params):\n    raise ValueError('no shoes')\n"),
            on_line=print,
        )
    assert caught.value.kind == "raised"


SIMPLE = """
def train(frame, depth):
    print("training on", len(frame), "rows")
    return float(depth)

def predict(model, frame):
    return [model] * len(frame)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="templates are Linux only")
def test_a_stage_in_a_fork_is_the_stage_in_a_process(repo):
    """Its outputs, its lines, its failures; and nothing is left when the run ends."""
    lines: list[str] = []
    commit = declare(repo, SIMPLE)
    with run_templates(repo.root, {}) as variables:
        folder = Path(variables[TEMPLATES])
        trainer = DvcTrainer(repo.root, templates=str(folder))
        forked = trainer.train("demand", commit=commit, on_line=lines.append)
        assert (folder / "stage").is_socket()
        assert list(folder.glob("worker-*")), "the model's code was run by a fork as well"
        assert any(line.startswith("training on ") for line in lines)
        assert any(line.startswith("mean_absolute_error: ") for line in lines)
        broken = declare(repo, "def train(frame, **params):\n    raise ValueError('no shoes')\n")
        with pytest.raises(TrainingFailed, match="no shoes") as caught:
            trainer.train("demand", commit=broken, on_line=print)
        assert caught.value.kind == "raised"
        assert "ValueError: no shoes" in caught.value.log
    assert list((repo.root / ROOMS).iterdir()) == []
    with run_templates(repo.root, {}) as variables:
        (Path(variables[TEMPLATES]) / "stage").touch()  # what is there is no template
        gone = DvcTrainer(repo.root, templates=variables[TEMPLATES])
        with pytest.raises(TrainingFailed, match="no shoes"):
            gone.train("demand", commit=broken, on_line=print)
    assert forked.report["isolation"] in ("namespace", "directory")
