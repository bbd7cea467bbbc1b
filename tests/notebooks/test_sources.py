"""Notebooks among the declarations: judged and converted once, found at their lines, and held to their requirements."""

from __future__ import annotations

import json

import pytest

from stellwerk.notebooks.text import ipynb, notebook_of
from stellwerk.planning import sources

SOURCE = "models/demand/demand.ipynb"
TRAIN = "# %% train id=t\ndef train(frame, depth=1):\n    return len(frame)\n"


def mlops(rest: str = "") -> str:
    return (
        "version: 1\ndatasets: {sales: {path: data/sales.csv}}\n"
        f"models: {{demand: {{source: {SOURCE}, target: sold, train: {{data: sales}}{rest}}}}}\n"
    )


def found(repo, *, code: int):
    done = repo.stellwerk("validate", "--format", "json")
    assert done.returncode == code, done.stdout + done.stderr
    return [(item["rule"], item["place"]["line"], item["message"]) for item in json.loads(done.stdout)["findings"]]


@pytest.mark.parametrize(
    ("install", "requirements", "said"),
    [
        ("%pip install -q lightgbm>=4", None, "the model declares no `requirements:`"),
        ("%pip install -q pandas 'scikit_learn>=1.6'", None, ""),
        ("!pip install lightgbm", "pandas==3.0.1\n", "models/demand/requirements.txt does not hold it"),
        ("%pip install LightGBM>=4", "lightgbm==4.6.0 \\\n    --hash=sha256:00  # why\n", ""),
        ("%pip install lightgbm>=4", "lightgbm==3.3.5\n", "holds lightgbm==3.3.5"),
        ("%conda install -c conda-forge lightgbm", "--no-binary :all:\nlightgbm\n", ""),
        ("%pip list", "pandas==3.0.1\n", ""),
    ],
)
def test_what_a_notebook_installs_is_in_the_models_requirements(repo, install, requirements, said):
    text = f"# %% [markdown] id=m\nprose\n# %% export id=a\nimport os\n{install}\nA = os.sep\n{TRAIN}"
    declared = mlops("" if requirements is None else ", requirements: models/demand/requirements.txt")
    repo.gen({"mlops.yaml": declared, SOURCE: ipynb(notebook_of(text))}, commit="declare")
    if requirements is not None:
        repo.gen({"models/demand/requirements.txt": requirements}, commit="require")
    findings = [item for item in found(repo, code=0) if item[0] == "SW793"]
    if not said:
        assert findings == []
        return
    ((_, line, message),) = findings
    assert message.startswith("cell 2, line 2: `lightgbm")
    assert said in message
    assert install in repo.read(SOURCE).splitlines()[line - 1]


@pytest.mark.parametrize(
    ("content", "line", "said"),
    [
        ('{\n "cells": [\n}\n', 3, "this is not JSON"),
        ('{"nbformat": 3, "worksheets": []}', 1, "the notebook has nbformat 3"),
        ('{"a": 1}', 1, "this JSON is no notebook"),
        ('{"nbformat": 4, "cells": [{"cell_type": "poem"}]}', 1, "cell 1: this is no cell"),
        ('{"nbformat": 4, "cells": [], "n": ' + "9" * 5000 + "}", 1, "thousands of digits"),
    ],
)
def test_what_cannot_be_read_is_one_finding_at_its_place_and_nothing_is_written(repo, content, line, said):
    repo.gen({"mlops.yaml": mlops(), SOURCE: content}, commit="declare")
    ((rule, place, message),) = found(repo, code=1)
    assert (rule, place) == ("SW800", line)
    assert message.startswith(said) or said in message
    assert SOURCE not in message
    for words in (("notebook", "convert", "demand"), ("render",)):
        assert repo.stellwerk(*words).returncode == 1
    assert repo.status() == ""


def test_a_notebook_is_read_once_for_its_content_and_its_parameters(repo, monkeypatch):
    """`validate` twice, with another declaration between: what was found is kept, and is not kept for too long."""
    text = f"# %% parameters id=p\ndepth = 1\n{TRAIN.replace('depth=1', 'depth=depth')}"
    repo.gen({"mlops.yaml": mlops(), SOURCE: ipynb(notebook_of(text))}, commit="declare")
    first = found(repo, code=0)
    assert [rule for rule, *_ in first] == ["SW818"]
    repo.gen({"mlops.yaml": f"# why\n{mlops()}"})
    assert found(repo, code=0) == first
    repo.gen({"mlops.yaml": mlops().replace("data: sales}}", "data: sales, params: {depth: 2}}}")})
    assert found(repo, code=0) == []
    repo.gen({"mlops.yaml": mlops().replace("data: sales}}", "data: sales, params: {width: 2}}}")})
    assert {rule for rule, *_ in found(repo, code=1)} == {"SW817", "SW818"}


class Kept(dict):
    """A cache in memory."""

    def get(self, kind, key):
        return super().get((kind, key))

    def put(self, kind, key, value):
        self[kind, key] = json.loads(json.dumps(value))


class Files(dict):
    """A tree of files in memory, whose contents are their ids; `asked` are the paths that were read."""

    def __init__(self, files):
        super().__init__(files)
        self.asked = []

    def blobs(self):
        return dict(self)

    def read(self, paths):
        self.asked += sorted(paths)
        return {path: self[path].encode() for path in paths}


def project_of(text):
    from stellwerk.declarations.compose import load_declarations

    declarations, _ = load_declarations(Files({"mlops.yaml": text}), cache=Kept())
    return declarations.project


def test_what_is_kept_is_what_was_found_and_needs_no_notebook():
    notebook = ipynb(notebook_of(f"# %% export id=a\nA = 1\n# %%\nA = 2\n{TRAIN.replace('len(frame)', 'A')}")).decode()
    tree, cache, project = Files({SOURCE: notebook}), Kept(), project_of(mlops())
    first = sources.convert_notebooks(project, tree, cache)
    assert [finding.rule for finding in first.findings["demand"]] == ["SW803"]
    assert first.modules == {}
    assert sources.convert_notebooks(project, tree, cache) == first
    assert tree.asked == [SOURCE]
    for key in cache:
        dict.__setitem__(cache, key, {"texts": 3})
    assert sources.convert_notebooks(project, tree, cache) == first  # damaged


def test_a_declared_parameter_that_is_missing_never_changes_what_the_notebook_becomes():
    notebook = ipynb(notebook_of(TRAIN)).decode()
    made = [
        sources.convert_notebooks(project_of(mlops().replace("sales}", rest)), Files({SOURCE: notebook}), Kept())
        for rest in ("sales}", "sales, params: {width: 2}}")
    ]
    assert [finding.rule for finding in made[1].findings["demand"]] == ["SW817"]
    assert made[0].modules == made[1].modules != {}


def test_outputs_of_secret_data_are_found_at_their_cell(repo):
    document = json.loads(ipynb(notebook_of(f"{TRAIN}# %%\nframe.head()\n")))
    document["cells"][1]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": ["Ada,36\n"]}]
    secret = mlops().replace("data/sales.csv", "data/sales.csv, classification: secret")
    secret = secret.replace("version: 1", "version: 1\nclassifications: [public, secret]")
    repo.gen({"mlops.yaml": secret, SOURCE: json.dumps(document, indent=1)}, commit="declare")
    ((rule, line, message),) = found(repo, code=1)
    assert rule == "SW791"
    assert "cell 2" in message
    assert "frame.head()" in repo.read(SOURCE).splitlines()[line - 1]
