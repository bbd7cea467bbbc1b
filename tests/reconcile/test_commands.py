"""Models that are not a Python source, and models whose packages exclude each other."""

import shutil
import subprocess
import sys

import pytest
import yaml
from projects import DATA, Project, build

SHELL = """\
set -eu
case "$STELLWERK_STEP" in
  train)
    # The mean of the target, the last column.
    awk -F, 'NR > 1 { sum += $NF; n++ } END { print sum / n }' "$STELLWERK_DATA" > "$STELLWERK_MODEL/mean"
    ;;
  predict)
    mean=$(cat "$STELLWERK_MODEL/mean")
    awk -v mean="$mean" 'NR == 1 { print "prediction" } NR > 1 { print mean }' "$STELLWERK_DATA" > "$STELLWERK_PREDICTIONS"
    ;;
esac
"""

SKLEARN = """\
import json
import os
import pickle
from pathlib import Path

import pandas as pd
from sklearn.linear_model import LinearRegression

model = Path(os.environ["STELLWERK_MODEL"]) / "model.pkl"
frame = pd.read_csv(os.environ["STELLWERK_DATA"])
params = json.loads(Path(os.environ["STELLWERK_PARAMS"]).read_text())
if os.environ["STELLWERK_STEP"] == "train":
    fitted = LinearRegression(fit_intercept=params["intercept"]).fit(frame[["x"]], frame[os.environ["STELLWERK_TARGET"]])
    model.write_bytes(pickle.dumps(fitted))
else:
    fitted = pickle.loads(model.read_bytes())
    out = pd.DataFrame({"prediction": fitted.predict(frame[["x"]])})
    out.to_csv(os.environ["STELLWERK_PREDICTIONS"], index=False)
"""

ROUTE = {
    "environments/integration.yaml": "purpose: integration\n",
    "environments/regression.yaml": "purpose: regression\nafter: integration\n",
    "environments/production.yaml": "purpose: production\nafter: regression\ndeploy: {target: local, path: deployed}\n",
}


def declaration(command, extra):
    return (
        "version: 1\ndatasets: {sales: {path: data/sales.csv, key: id}}\nmodels:\n  demand:\n"
        f"    command: {command}\n    task: regression\n    target: sold\n    train: {{data: sales{extra}}}\n"
    )


def test_a_shell_script_goes_from_data_to_production(repo):
    files = {
        "mlops.yaml": declaration("sh model.sh\n    inputs: [model.sh]\n    thresholds: {mae: {max: 15}}", ""),
        "model.sh": SHELL,
        "data/sales.csv": DATA,
        **ROUTE,
    }
    project = build(Project(repo), files)
    assert project.reconcile().problems == ()
    assert project.running() == 1
    record = yaml.safe_load(repo.read("registry/demand/1/version.yaml"))
    assert record["package"]["format"] == "command"
    assert 5 < record["metrics"]["mean_absolute_error"]["value"] < 15
    assert project.steps() == []


def test_a_scikit_learn_script_goes_from_data_to_production(repo):
    python = f'"{sys.executable} model.py"\n    inputs: [model.py]\n    thresholds: {{mae: {{max: 2}}}}'
    files = {
        "mlops.yaml": declaration(python, ", params: {intercept: true}"),
        "model.py": SKLEARN,
        "data/sales.csv": DATA,
        **ROUTE,
    }
    project = build(Project(repo), files)
    assert project.reconcile().problems == ()
    assert project.running() == 1
    before = project.trainings()
    repo.gen({"model.py": SKLEARN + "\n# A comment.\n"}, commit="a comment")
    assert [key for key in project.steps() if key.startswith("train")] == []
    assert project.trainings() == before


def test_a_command_that_writes_no_model_is_refused(repo):
    files = {"mlops.yaml": declaration('"true"', ""), "data/sales.csv": DATA}
    project = build(Project(repo), files)
    (done,) = [item for item in project.reconcile().done if not item.passed]
    assert "model" in done.summary
    assert project.trainings() == []


VERSIONS = ("1.7.2", "1.6.1")
SOURCE = """\
import sklearn
from sklearn.linear_model import LinearRegression

assert sklearn.__version__ == "{version}", sklearn.__version__


def train(frame):
    return LinearRegression().fit(frame[["x"]], frame["sold"])


def predict(model, frame):
    return model.predict(frame[["x"]])
"""


@pytest.mark.slow
def test_two_models_that_exclude_each_other_s_packages_reach_production(repo, monkeypatch):
    """Each trains, is checked and predicts with its own scikit-learn; the record says which."""
    asked = subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-deps",
            "--dest",
            "wheels",
            f"scikit-learn=={VERSIONS[0]}",
        ],
        cwd=repo.root.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    if asked.returncode:
        pytest.skip(f"the package index cannot be reached: {asked.stderr.strip().splitlines()[-1:]}")
    shutil.rmtree(repo.root.parent / "wheels")
    files = {
        "mlops.yaml": "version: 1\ndatasets: {sales: {path: data/sales.csv, key: id}}\nmodels:\n"
        + "".join(
            f"  {name}:\n    source: {name}.py\n    requirements: {name}.txt\n    task: regression\n    target: sold\n"
            "    train: {data: sales}\n    thresholds: {mae: {max: 2}}\n"
            for name in ("old", "new")
        ),
        "data/sales.csv": DATA,
        **ROUTE,
    }
    for name, version in zip(("new", "old"), VERSIONS, strict=True):
        files[f"{name}.py"] = SOURCE.format(version=version)
        files[f"{name}.txt"] = f"scikit-learn=={version}\npandas>=2.2\njoblib\npyarrow\n"
    project = build(Project(repo), files)
    outcome = project.reconcile()
    assert outcome.problems == ()
    for name, version in zip(("new", "old"), VERSIONS, strict=True):
        assert project.running(model=name) == 1
        record = yaml.safe_load(repo.read(f"registry/{name}/1/version.yaml"))
        assert record["packages"]["scikit-learn"] == version
    assert project.steps() == []
