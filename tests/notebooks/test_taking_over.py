"""A module written by hand gives way to the one its notebook becomes only when a person says so."""

from __future__ import annotations

from stellwerk.notebooks.text import ipynb, notebook_of

MLOPS = """
    version: 1
    datasets: {sales: {path: sales.csv}}
    models: {demand: {source: models/demand/demand.ipynb, target: sold, train: {data: sales}}}
"""
MODULE = "models/demand/demand.py"
BY_HAND = "def train(frame):\n    return 2\n"
NOTEBOOK = "# %% train\ndef train(frame):\n    return 1\n# %% predict\ndef predict(model, frame):\n    return [model]\n"


def test_a_module_written_by_hand_is_kept_until_it_is_named_with_force(repo):
    notebook = ipynb(notebook_of(NOTEBOOK)).decode()
    repo.gen({"mlops.yaml": MLOPS, "models/demand/demand.ipynb": notebook, MODULE: BY_HAND}, commit="declare")
    done = repo.stellwerk("render")
    assert f"stellwerk render --force {MODULE}" in done.stdout
    assert repo.read(MODULE) == BY_HAND
    done = repo.stellwerk("render", "--force", MODULE)
    assert done.returncode == 0, done.stderr
    assert "return 1" in repo.read(MODULE)
    assert repo.stellwerk("render", "--check").returncode == 0
