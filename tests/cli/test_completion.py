import os
import subprocess
import sys

import pytest
from click.shell_completion import ShellComplete

from stellwerk.cli.main import cli

MAIN = """\
version: 1
include: [models/*/model.yaml, absent.yaml]
datasets: {sales: {path: data/sales.csv}}
models: {churn: {source: churn.py}}
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / "mlops.yaml").write_text(MAIN)
    for folder in ("models/shoes", "environments/production", "registry/shoes/2", "registry/shoes/10"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "models/shoes/model.yaml").write_text("models:\n  shoes:\n    train: {data: sales}\n")
    for name in ("production", "dev"):
        (tmp_path / f"environments/{name}.yaml").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def completed(*words, incomplete=""):
    found = ShellComplete(cli, {}, "stellwerk", "_STELLWERK_COMPLETE").get_completions(list(words), incomplete)
    return [item.value for item in found]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script_for_the_shell(run, shell):
    result = run("completion", shell)
    assert result.exit_code == 0
    assert "_STELLWERK_COMPLETE" in result.stdout


def test_verbs_complete():
    assert completed(incomplete="re") == ["report", "reconcile", "render", "reject"]


@pytest.mark.parametrize(
    ("words", "incomplete", "expected"),
    [
        (("why",), "", ["churn", "shoes"]),
        (("why",), "sh", ["shoes"]),
        (("plan", "--model"), "", ["churn", "shoes"]),
        (("snapshot",), "", ["sales"]),
        (("why", "shoes"), "", ["dev", "production"]),
        (("promote", "shoes"), "p", ["production"]),
        (("reconcile", "--environment"), "", ["dev", "production"]),
        (("diff",), "", ["shoes@2", "shoes@10"]),
    ],
)
def test_names_complete_from_the_declarations_and_what_they_include(project, words, incomplete, expected):
    assert completed(*words, incomplete=incomplete) == expected


def test_names_complete_below_the_root_and_with_dash_c(project, monkeypatch):
    monkeypatch.chdir(project / "registry/shoes")
    assert completed("why", incomplete="s") == ["shoes"]
    monkeypatch.chdir("/")
    assert completed("-C", str(project), "why", incomplete="s") == ["shoes"]


@pytest.mark.parametrize(
    "text", ["models: {", "models: [a]", "[1]", "", "\x00", "models: {? [a] : b}", "include: [/*]"]
)
def test_a_file_without_names_completes_nothing_and_never_fails(tmp_path, monkeypatch, text):
    (tmp_path / "mlops.yaml").write_text(text)
    monkeypatch.chdir(tmp_path)
    assert completed("snapshot") == []
    assert completed("-C", "/nowhere/at/all", "why") == []


def test_what_is_readable_completes_although_an_included_file_is_being_written(project):
    (project / "models/shoes/model.yaml").write_text("models: {shoes: ")
    assert completed("why") == ["churn"]


def test_a_shell_gets_its_answer_without_the_packages_that_judge_declarations(project):
    code = (
        "import atexit, sys; atexit.register(lambda: sys.stderr.write(' '.join(sys.modules)));"
        "from stellwerk.cli.main import main; main()"
    )
    environ = {"COMP_WORDS": "stellwerk why ", "COMP_CWORD": "2", "_STELLWERK_COMPLETE": "bash_complete"}
    result = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **environ}, capture_output=True, text=True, check=True
    )
    assert result.stdout == "plain,churn\nplain,shoes\n"
    loaded = set(result.stderr.split())
    assert "stellwerk.cli.names" in loaded
    assert loaded & {"rich", "git", "dvc", "jsonschema", "stellwerk.app", "stellwerk.declarations"} == set()
