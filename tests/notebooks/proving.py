"""Prove a notebook that is a text, without a project around it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from stellwerk.model.declared import Model
from stellwerk.notebooks.text import ipynb, notebook_of
from stellwerk.planning.sources import texts_of
from stellwerk.training.contract import decode_params
from stellwerk.training.jobs import Surroundings
from stellwerk.training.notebook_proof import NotebookSource, in_sync, prove_notebook

if TYPE_CHECKING:
    from pathlib import Path

SOURCE, MODULE, TESTS = "models/demand/demand.ipynb", "models/demand/demand.py", "models/demand/tests/test_demand.py"
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
"""
TESTED = """\
# %% test
def test_a_mean_is_predicted():
    frame = pd.DataFrame({"season": ["summer"] * 2, "sold": [1, 3]})
    assert predict(train(frame), frame).tolist() == [2.1, 2.1]
"""

Results = dict[str, tuple[bool, str]]


def written(root: Path, text: str) -> NotebookSource:
    """The notebook that the text describes and the files it becomes, below `root`."""
    content = ipynb(notebook_of(text))
    texts = texts_of(Model(name="demand", source=SOURCE), content, frozenset())
    for path, data in {SOURCE: content, **{path: text.encode() for path, text in texts.items()}}.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(data)
    return NotebookSource(model="demand", path=SOURCE, module=MODULE, tests=TESTS, texts=texts)


def params(requirements: str | None = None) -> dict[str, Any]:
    """What the stage of the model would be given."""
    return {
        "model": {
            "source": MODULE,
            "command": None,
            "code": [MODULE],
            "requirements": requirements,
            "task": None,
            "target": "sold",
            "positive": None,
            "features": {"include": [], "exclude": []},
        },
        "data": {"dataset": "sales", "path": "data/sales.csv", "format": "csv", "time": None, "identity": []},
        "train": {
            "params": {},
            "seed": 0,
            "timeout": 300,
            "holdout": {"fraction": 0.2, "last_share": None, "last_seconds": None, "by": []},
        },
        "privacy": {"min_group": 10},
    }


def proven(notebook: NotebookSource, root: Path, *, requirements: str | None = None, **around: Any) -> Results:
    """What `stellwerk notebook test` finds of it on these rows, by the checks' names."""
    rows = root / "made-up.csv"
    rows.write_text(ROWS)
    limits = Surroundings(**{"parent": dict(os.environ), "timeout": 300, "masked": (rows,), **around})
    stage = decode_params(params(requirements), where="")
    checks = (in_sync(notebook, root), *prove_notebook(notebook, stage, rows_file=rows, root=root, around=limits))
    return {check.name: (check.passed, check.detail) for check in checks}
