"""A notebook on real data, from what is wrong in it to a release, through the command alone."""

from __future__ import annotations

import ast
import csv
import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
import yaml
from credit_notebook import CREDIT, as_it_was_first

from stellwerk.notebooks.text import ipynb, notebook_of

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("credit notebook")]

SOURCE = "models/credit-risk/credit.ipynb"
MODULE = "models/credit-risk/credit.py"
TESTS = "models/credit-risk/tests/test_credit.py"
NUMBERS = frozenset(
    {
        "age",
        "credit_amount",
        "duration",
        "existing_credits",
        "installment_commitment",
        "num_dependents",
        "residence_since",
    }
)
DECLARED = """\
version: 1
classifications: [public, restricted]
datasets:
  applications:
    path: data/applications.csv
    classification: restricted
    stand_in: made-up
    personal: [age, personal_status, foreign_worker]
    columns: {columns}
  made-up: {{path: data/made-up.csv, classification: public}}
models:
  credit-risk:
    source: models/credit-risk/credit.ipynb
    task: classification
    target: class
    positive: bad
    features: {{exclude: [age, personal_status, foreign_worker]}}
    train:
      data: applications
      params: {{strength: 0.3, balanced: true}}
      seed: 7
      holdout: {{fraction: 0.3}}
    thresholds:
      roc_auc: {{min: 0.65}}
      refused: {{max: 0.7}}
"""
ENVIRONMENTS = {
    "environments/dev.yaml": "purpose: development\ndata: {allows: [public]}\n",
    "environments/regression.yaml": (
        "purpose: regression\nafter: dev\nclone_of: production\ndata: {allows: [public, restricted]}\n"
    ),
    "environments/production.yaml": (
        "purpose: production\nafter: regression\ndata: {allows: [public, restricted]}\n"
        "promotion: auto\ndeploy: {target: local, path: deployed}\n"
    ),
}


def columns_of(rows: list[dict[str, str]]) -> dict[str, Any]:
    """What a team would declare: the texts that are allowed, and that all else are whole numbers from 1."""
    return {
        name: {"type": "integer", "min": 1, "max": max(int(row[name]) for row in rows)}
        if name in NUMBERS
        else {"type": "string", "allowed": sorted({row[name] for row in rows})}
        for name in rows[0]
    }


@dataclass
class Story:
    """What was done, by a name for each step, and the project as it ended."""

    repo: Any
    rows: list[dict[str, str]]
    said: dict[str, CompletedProcess[str]] = field(default_factory=dict)
    complete: bool = False

    def run(self, step: str, *words: str, expect: int = 0) -> None:
        done = self.repo.stellwerk(*words)
        assert done.returncode == expect, f"stellwerk {' '.join(words)}:\n{done.stdout}{done.stderr}"
        self.said[step] = done

    def commit(self, message: str) -> None:
        self.repo.git("add", "--all")
        self.repo.git("commit", "--quiet", "--message", message)

    def record(self, path: str) -> Any:
        return yaml.safe_load(self.repo.git("show", f"HEAD:{path}"))


@pytest.fixture(scope="session")
def told() -> list[Story]:
    return []


@pytest.fixture
def story(told, shared_data, repo):
    """The story, lived by the first test that asks for it."""
    if not told:
        data = shared_data("credit_g.csv")
        with data.open(encoding="utf-8", newline="") as file:
            told.append(Story(repo=repo, rows=list(csv.DictReader(file))))
        live(told[0], data)
    assert told[0].complete, "the story broke off in the first test that asked for it"
    return told[0]


def live(story: Story, data: Path) -> None:
    """From a notebook with hidden assumptions to a version in production."""
    repo = story.repo
    declared = DECLARED.format(columns=json.dumps(columns_of(story.rows)))
    first = ipynb(notebook_of(as_it_was_first())).decode()
    repo.gen({"mlops.yaml": declared, **ENVIRONMENTS, SOURCE: first, ".gitignore": "/deployed/\n"})
    story.run("init", "init", "--yes")
    shutil.copy(data, repo.root / "data/applications.csv")
    story.commit("Declare the project")
    story.run("first", "validate", "--format", "json", expect=1)
    story.run("annotated", "validate", "--format", "github", expect=1)
    story.run("refused", "notebook", "convert", "credit-risk", expect=1)
    assert not (repo.root / MODULE).exists()
    repo.gen({SOURCE: ipynb(notebook_of(CREDIT))})
    story.run("corrected", "validate", "--format", "json")
    story.run("diff", "notebook", "diff", "credit-risk")
    story.run("convert", "notebook", "convert", "credit-risk")
    story.run("stand-in", "stand-in", "applications", "--rows", "240")
    story.run("made up", "snapshot", "made-up", "--because", "rows to develop on")
    story.run("render", "render")
    story.commit("Decide about credits")
    story.run("reconcile", "reconcile")
    story.run("plan", "plan", "--detailed-exitcode")
    story.complete = True


def place_in_cell(text: str, cell: str, words: str) -> tuple[int, int]:
    """The number of the cell with that id, and the line of it that holds the words."""
    found = next(item for item in notebook_of(text).cells if item.id == cell)
    return found.number, next(at for at, line in enumerate(found.source.splitlines(), start=1) if words in line)


@pytest.mark.parametrize(
    ("name", "how", "used_in", "by", "defined_in", "words"),
    [
        ("without_quotes", "defined", "prepare", "without_quotes(frame", "unquote", "def without_quotes"),
        ("CUT_OFF", "defined", "predict", ">= CUT_OFF", "costs", "CUT_OFF ="),
        ("LOST", "defined", "decide", "* LOST", "costs", "LOST ="),
        ("np", "imported", "prepare", "np.log1p", "plot-bars", "import numpy"),
        ("np", "imported", "test-decisions", "np.array", "plot-bars", "import numpy"),
    ],
)
def test_a_hidden_assumption_is_found_with_its_cell_its_line_and_the_cell_that_made_it(
    story, name, how, used_in, by, defined_in, words
):
    first = as_it_was_first()
    cell, line = place_in_cell(first, used_in, by)
    definer, definer_line = place_in_cell(first, defined_in, words)
    said = f"cell {cell}, line {line}: `{name}` is {how} by cell {definer} (line {definer_line}) only"
    findings = json.loads(story.said["first"].stdout)["findings"]
    (finding,) = [found for found in findings if found["message"].startswith(said)]
    assert finding["rule"] == "SW801"
    # The line of the file is the one on which a pull request shows it.
    text = ipynb(notebook_of(first)).decode().splitlines()[finding["place"]["line"] - 1]
    assert by in json.loads(text.strip().removesuffix(","))
    note = f"::error file={SOURCE},line={finding['place']['line']},col=1,title=SW801::{said}"
    assert note in story.said["annotated"].stdout


def test_nothing_else_is_said_of_it_and_no_module_is_written(story):
    findings = json.loads(story.said["first"].stdout)["findings"]
    assert {(found["rule"], found["place"]["path"]) for found in findings} == {("SW801", SOURCE)}
    assert {found["message"].split("`")[1] for found in findings} == {
        "without_quotes",
        "np",
        "CUT_OFF",
        "LOST",
        "COST_OF_REVIEW",
        "COST_OF_DEFAULT",
    }
    assert "error[SW801]: cell" in story.said["refused"].stdout + story.said["refused"].stderr


def test_the_corrected_notebook_has_no_finding(story):
    assert json.loads(story.said["corrected"].stdout)["findings"] == []


def test_its_module_holds_what_ships_and_nothing_that_was_only_looked_at(story):
    module = story.repo.read(MODULE)
    assert f"+++ b/{MODULE}" in story.said["diff"].stdout
    body = ast.parse(module).body
    functions = [node.name for node in body if isinstance(node, ast.FunctionDef)]
    assert functions == ["without_quotes", "prepare", "train", "predict", "decide", "update"]
    imported = {node.names[0].name for node in body if isinstance(node, ast.Import)}
    assert imported == {"numpy", "pandas"}  # `Path` and `SVG` are for looking
    for gone in ("credits", "Path", "SVG", "bars", "%", "pytest"):
        assert gone not in module.replace("Credits that", "")
    assert ast.get_docstring(ast.parse(module)) == "Credits that are not paid back"
    tests = ast.parse(story.repo.read(TESTS)).body
    assert sum(isinstance(node, ast.FunctionDef) and node.name.startswith("test_") for node in tests) == 3


def test_it_runs_passes_its_tests_and_predicts_what_its_module_does(story):
    checks = story.record("registry/credit-risk/1/verdicts/dev.yaml")["checks"]
    said = {check["name"]: check["detail"] for check in checks if check["passed"]}
    code_cells = sum(cell.kind == "code" for cell in notebook_of(CREDIT).cells)
    assert said["notebook runs"].startswith(f"{code_cells} cells from a fresh kernel")
    assert "the same 240 predictions" in said["equivalence"]
    assert "4 passed" in said["notebook tests"]
    assert "generated source" in said
    assert said["smoke training"] == "trained on 192 of 240 stand-in rows, predicted all"


def test_development_saw_made_up_rows_only(story):
    with (story.repo.root / "data/made-up.csv").open(encoding="utf-8", newline="") as file:
        made_up = list(csv.DictReader(file))
    assert len(made_up) == 240
    assert not [row for row in made_up if row in story.rows]
    for name in story.rows[0].keys() - NUMBERS:
        assert {row[name] for row in made_up} <= {row[name] for row in story.rows}


def test_the_version_was_trained_on_the_real_rows_and_is_in_production(story):
    version = story.record("registry/credit-risk/1/version.yaml")
    assert version["data"]["rows"] == len(story.rows) == 1000
    verdict = story.record("registry/credit-risk/1/verdicts/regression.yaml")
    assert all(check["passed"] for check in verdict["checks"])
    measured = {check["name"]: check["measured"]["value"] for check in verdict["checks"] if "measured" in check}
    assert measured["roc_auc_score"] > 0.65
    assert 0 < measured["refused"] <= 0.7
    assert "Nothing to do" in story.said["plan"].stdout
    assert story.repo.status() == ""
