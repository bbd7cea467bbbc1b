"""A model whose source is a notebook, from the command line: what ships is rendered, and only that counts."""

from __future__ import annotations

import json

import pytest

from stellwerk.notebooks.text import ipynb, notebook_of

NOTEBOOK = """\
# %% [markdown] id=title
# Forecast demand

# %% export id=imports
import pandas as pd

# %% id=look
frame = pd.read_csv("../../data/sales.csv")
frame.head()

# %% train id=fit
def train(frame):
    return frame["sold"].mean()

# %% predict id=guess
def predict(model, frame):
    return [model] * len(frame)

# %% test id=check
def test_a_mean_is_predicted_for_each_row():
    assert predict(2.0, pd.DataFrame({"x": [1, 2]})) == [2.0, 2.0]
"""
MLOPS = """
    version: 1
    datasets: {sales: {path: data/sales.csv}}
    models: {demand: {source: models/demand/demand.ipynb, target: sold, train: {data: sales}}}
"""
SOURCE = "models/demand/demand.ipynb"


@pytest.fixture
def project(repo):
    """The declarations and the notebook, rendered and committed."""
    repo.gen({"mlops.yaml": MLOPS, SOURCE: ipynb(notebook_of(NOTEBOOK)).decode()}, commit="declare")
    repo.stellwerk("render")
    repo.git("add", "--all")
    repo.git("commit", "--quiet", "--message", "render")
    return repo


def edit(project, change) -> None:
    document = json.loads(project.read(SOURCE))
    change({cell["id"]: cell for cell in document["cells"]}, document)
    (project.root / SOURCE).write_text(json.dumps(document, indent=1))


def test_a_notebook_becomes_a_module_and_tests_that_are_rendered(project):
    module = project.read("models/demand/demand.py")
    assert '"""Forecast demand"""' in module
    assert "# cell fit\ndef train(frame):" in module
    assert "read_csv" not in module
    assert "import pandas" not in module  # only its tests and its exploration use it
    assert "from demand import predict" in project.read("models/demand/tests/test_demand.py")
    assert "- demand.py" in project.read("models/demand/dvc.yaml")


def test_outputs_counts_and_exploration_change_nothing_that_ships(project):
    def run_again(cells, document):
        cells["look"] |= {"execution_count": 7, "outputs": [{"output_type": "stream", "name": "stdout", "text": ["x"]}]}
        cells["look"]["source"] = ["print(1)\n", "frame.tail()"]
        document["metadata"]["kernelspec"] = {"name": "python3", "display_name": "Python 3"}

    edit(project, run_again)
    assert project.stellwerk("render", "--check").returncode == 0
    assert "Nothing that ships changed." in project.stellwerk("notebook", "diff", "demand").stdout


def test_a_changed_cell_is_shown_as_a_change_of_the_source_and_written(project):
    edit(
        project, lambda cells, _: cells["fit"].update(source=["def train(frame):\n", "    return frame['sold'].max()"])
    )
    shown = project.stellwerk("notebook", "diff", "demand").stdout
    assert "-    return frame[\"sold\"].mean()\n+    return frame['sold'].max()" in shown
    assert project.stellwerk("notebook", "convert", "demand", "--check").returncode == 1
    assert "update models/demand/demand.py" in project.stellwerk("notebook", "convert", "demand").stdout
    assert "max()" in project.read("models/demand/demand.py")
    assert project.stellwerk("notebook", "convert", "demand", "--check").returncode == 0


def test_an_edited_module_is_left_alone_and_shown(project):
    path = project.root / "models/demand/demand.py"
    path.write_text(path.read_text() + "# mine\n")
    done = project.stellwerk("render")
    assert done.returncode == 1
    assert "models/demand/demand.py was edited by hand" in done.stdout
    assert path.read_text().endswith("# mine\n")


def test_a_hidden_assumption_is_found_on_its_line(project):
    def assume(cells, _):
        cells["fit"]["source"] = ["def train(frame):\n", "    return frame['sold'].mean() + len(other)"]
        cells["look"]["source"] = ["other = [1]"]

    edit(project, assume)
    done = project.stellwerk("validate", "--format", "github")
    assert done.returncode == 1
    (finding,) = [line for line in done.stdout.splitlines() if line.startswith("::error")]
    line = int(finding.partition("line=")[2].partition(",")[0])
    assert "len(other)" in project.read(SOURCE).splitlines()[line - 1]
    assert "cell 4, line 2: `other` is defined by cell 3 (line 1) only" in finding


def test_a_file_that_is_no_notebook_is_a_finding_and_nothing_is_rendered(project):
    (project.root / SOURCE).write_text("not json")
    done = project.stellwerk("validate")
    assert done.returncode == 1
    assert "SW800" in done.stdout
    assert project.stellwerk("render").returncode == 1


def test_a_model_without_a_notebook_is_told_so(repo):
    repo.gen(
        {"mlops.yaml": MLOPS.replace("models/demand/demand.ipynb", "demand.py"), "demand.py": "x = 1\n"}, commit="x"
    )
    done = repo.stellwerk("notebook", "diff", "demand")
    assert done.returncode == 64
    assert "is no notebook" in done.stderr


def test_a_notebook_that_is_not_committed_is_named_by_plan_and_refused_by_reconcile(repo):
    repo.gen({"mlops.yaml": MLOPS, SOURCE: ipynb(notebook_of(NOTEBOOK)).decode()})
    repo.git("add", "mlops.yaml")
    repo.git("commit", "--quiet", "--message", "all but the notebook")
    assert f"Next: commit {SOURCE}; then" in " ".join(repo.stellwerk("plan").stdout.split())
    refused = repo.stellwerk("reconcile")
    assert (refused.returncode, f"uncommitted changes: {SOURCE}" in refused.stderr) == (1, True)


def test_a_change_of_a_notebook_that_is_not_committed_is_refused(project):
    edit(project, lambda cells, _: cells["fit"].update(source="def train(frame):\n    return 2.0\n"))
    refused = project.stellwerk("reconcile")
    assert (refused.returncode, f"uncommitted changes: {SOURCE}" in refused.stderr) == (1, True)


def test_a_notebook_that_only_ran_needs_no_commit(project):
    output = {"output_type": "stream", "name": "stdout", "text": ["seen"]}
    edit(project, lambda cells, _: cells["look"].update(outputs=[output], execution_count=3))
    assert project.git("status", "--porcelain").strip() == f"M {SOURCE}"
    assert "uncommitted changes" not in project.stellwerk("reconcile").stderr
