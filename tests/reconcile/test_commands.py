"""Models that are not a Python source, and models whose packages exclude each other."""

import os
import sys
import sysconfig
import zipfile

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


SOURCE = """\
{imports}

assert {module}.__version__ == "{version}", {module}.__version__


def train(frame):
    return LinearRegression().fit(frame[["x"]], frame["sold"])


def predict(model, frame):
    return model.predict(frame[["x"]])
"""
FITTING = """\
__version__ = "{version}"


class LinearRegression:
    def fit(self, frame, target):
        self.factor = float(target.sum() / frame["x"].sum())
        return self

    def predict(self, frame):
        return frame["x"] * self.factor
"""


def write_wheel(folder, name, version, files):
    """What pip installs from a folder: a wheel of these files."""
    info = f"{name}-{version}.dist-info"
    whole = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    folder.mkdir(exist_ok=True)
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        for path, text in whole.items():
            archive.writestr(path, text)
        archive.writestr(f"{info}/RECORD", "".join(f"{path},,\n" for path in (*whole, f"{info}/RECORD")))


def reach_production(repo, package, versions, imports, others):
    """Two models go the whole way, each with its version of the package; `others` are further requirements."""
    files = {
        "mlops.yaml": "version: 1\ndatasets: {sales: {path: data/sales.csv, key: id}}\nmodels:\n"
        + "".join(
            f"  {name}:\n    source: {name}.py\n    requirements: {name}.txt\n    task: regression\n    target: sold\n"
            "    train: {data: sales}\n    thresholds: {mae: {max: 2}}\n"
            for name in versions
        ),
        "data/sales.csv": DATA,
        **ROUTE,
    }
    module = imports.split()[1]
    for name, version in versions.items():
        files[f"{name}.py"] = SOURCE.format(imports=imports, module=module, version=version)
        files[f"{name}.txt"] = f"{package}=={version}\n{others}"
    project = build(Project(repo), files)
    assert project.reconcile().problems == ()
    for name, version in versions.items():
        assert project.running(model=name) == 1
        record = yaml.safe_load(repo.read(f"registry/{name}/1/version.yaml"))
        assert record["packages"][package] == version
    assert project.steps() == []


@pytest.mark.slow
def test_two_models_that_exclude_each_other_s_packages_reach_production(repo, tmp_path, monkeypatch):
    """Each trains, is checked and predicts with its own version; the record says which. Pandas is lent by the tests."""
    wheels = tmp_path / "wheels"
    for version in ("1.0", "2.0"):
        write_wheel(wheels, "fitting", version, {"fitting.py": FITTING.format(version=version)})
    write_wheel(wheels, "lent", "1.0", {"lent.pth": f"{sysconfig.get_path('purelib')}\n"})
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    imports = "import fitting\nfrom fitting import LinearRegression"
    reach_production(repo, "fitting", {"new": "2.0", "old": "1.0"}, imports, "lent\n")


@pytest.mark.slow
@pytest.mark.skipif(
    "STELLWERK_TEST_PACKAGE" not in os.environ, reason="STELLWERK_TEST_PACKAGE=1 asks the package index"
)
def test_two_models_that_exclude_each_other_s_scikit_learn_reach_production(repo):
    imports = "import sklearn\nfrom sklearn.linear_model import LinearRegression"
    versions = {"new": "1.7.2", "old": "1.6.1"}
    reach_production(repo, "scikit-learn", versions, imports, "pandas>=2.2\njoblib\npyarrow\n")
