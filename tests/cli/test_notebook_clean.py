"""`stellwerk notebook clean`, `init --notebook-filter` and git, in real repositories."""

import json
import os
import subprocess
import sys
import sysconfig

import pytest

OUTPUT = {"name": "stdout", "output_type": "stream", "text": ["Ada,36,Bern\n"]}


def notebook(*outputs, count=None):
    cell = {"cell_type": "code", "execution_count": count, "metadata": {}, "outputs": [*outputs], "source": ["x"]}
    return json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 4}, indent=1) + "\n"


CLEAN, DIRTY = notebook(), notebook(OUTPUT, count=3)


def test_it_strips_notebooks_and_those_in_folders_and_leaves_clean_ones_alone(repo):
    repo.gen({"a.ipynb": DIRTY, "models/b.ipynb": DIRTY, "models/c.ipynb": CLEAN, "models/.trash/d.ipynb": DIRTY})
    before = (repo.root / "models/c.ipynb").stat()
    done = repo.stellwerk("notebook", "clean", "a.ipynb", "models")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["cleaned: a.ipynb", "cleaned: models/b.ipynb"]
    assert repo.read("a.ipynb") == repo.read("models/b.ipynb") == CLEAN
    assert repo.read("models/.trash/d.ipynb") == DIRTY
    after = (repo.root / "models/c.ipynb").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_check_writes_nothing_and_says_by_its_code_what_it_found(repo):
    repo.gen({"a.ipynb": DIRTY})
    done = repo.stellwerk("notebook", "clean", "--check", "a.ipynb")
    assert (done.returncode, done.stdout) == (1, "not clean: a.ipynb\n")
    assert repo.read("a.ipynb") == DIRTY
    repo.gen({"a.ipynb": CLEAN})
    done = repo.stellwerk("notebook", "clean", "--check", "a.ipynb")
    assert (done.returncode, done.stdout) == (0, "1 notebook is clean.\n")


def test_where_one_cannot_be_read_none_is_written(repo):
    repo.gen({"a.ipynb": DIRTY, "b.ipynb": "{"})
    done = repo.stellwerk("notebook", "clean", ".")
    assert done.returncode == 1
    assert "b.ipynb:1:2: this is not JSON" in done.stderr
    assert repo.read("a.ipynb") == DIRTY


@pytest.mark.parametrize("words", [("nothing.ipynb",), ("-", "a.ipynb"), ("-", "--check"), ()])
def test_a_wrong_path_is_said(repo, words):
    done = repo.stellwerk("notebook", "clean", *words)
    assert done.returncode in {1, 64}
    assert done.stderr


def test_as_a_filter_it_passes_bytes_and_refuses_what_is_no_notebook():
    run = [sys.executable, "-m", "stellwerk", "notebook", "clean", "-"]
    crlf = CLEAN.replace("\n", "\r\n").encode()
    for given, expected in ((DIRTY.encode(), CLEAN.encode()), (crlf, crlf)):
        assert subprocess.run(run, input=given, capture_output=True, check=True).stdout == expected
    refused = subprocess.run(run, input=b"[1]", capture_output=True, check=False)
    assert (refused.returncode, refused.stdout) == (1, b"")
    assert b"no notebook" in refused.stderr


def test_with_the_filter_git_stores_notebooks_stripped_and_refuses_what_it_cannot_strip(repo):
    repo.gen({"a.ipynb": DIRTY, "mlops.yaml": "version: 1\n", ".gitattributes": "*.bin binary"})
    asked = repo.stellwerk("init", "--yes")
    assert "--notebook-filter" in asked.stdout
    assert repo.read(".gitattributes") == "*.bin binary"
    done = repo.stellwerk("init", "--yes", "--notebook-filter")
    assert done.returncode == 0, done.stderr
    assert "each clone" in done.stdout
    assert repo.read(".gitattributes") == "*.bin binary\n*.ipynb filter=stellwerk-notebook\n"
    repo.git("add", "a.ipynb")
    assert repo.git("show", ":a.ipynb").strip() == CLEAN.strip()
    assert repo.read("a.ipynb") == DIRTY
    repo.git("commit", "-qm", "Add")
    assert repo.git("status", "--porcelain", "a.ipynb").strip() == ""
    again = repo.stellwerk("init", "--yes", "--notebook-filter")
    assert "+ " not in again.stdout
    assert "--notebook-filter`" not in repo.stellwerk("init", "--yes").stdout
    repo.gen({"b.ipynb": "{"})
    with pytest.raises(AssertionError, match="clean filter 'stellwerk-notebook' failed"):
        repo.git("add", "b.ipynb")
    assert repo.git("ls-files", "b.ipynb").strip() == ""


def test_where_the_command_is_not_on_path_the_filter_names_its_file(repo, monkeypatch):
    repo.gen({"a.ipynb": DIRTY, "mlops.yaml": "version: 1\n"})
    monkeypatch.setenv("PATH", os.defpath)  # as after `.venv/bin/stellwerk init`, without an activated environment
    command = f"{sysconfig.get_path('scripts')}/stellwerk"
    subprocess.run([command, "init", "--yes", "--notebook-filter"], cwd=repo.root, check=True, capture_output=True)
    repo.git("add", "a.ipynb")
    assert repo.git("show", ":a.ipynb").strip() == CLEAN.strip()


def test_validate_finds_outputs_that_git_would_keep_and_none_that_the_filter_strips(repo):
    declared = """
        version: 1
        classifications: [public, confidential]
        datasets: {people: {path: data/people.csv, classification: confidential}}
        models: {churn: {source: models/churn/churn.py, target: churned, train: {data: people}}}
    """
    repo.gen({"mlops.yaml": declared, "models/churn/churn.py": "def train(frame): ...\n"})
    repo.gen({"models/churn/eda/look.ipynb": DIRTY, "elsewhere/look.ipynb": DIRTY}, commit="declare")
    found = repo.stellwerk("validate")
    assert found.returncode == 1
    assert "SW791" in found.stdout + found.stderr
    assert "elsewhere" not in found.stdout + found.stderr
    repo.stellwerk("init", "--yes", "--notebook-filter")
    repo.git("add", "--renormalize", ".")
    repo.git("add", "-A")
    repo.git("commit", "-qm", "Strip notebooks")
    assert repo.read("models/churn/eda/look.ipynb") == DIRTY
    assert "SW791" not in repo.stellwerk("validate").stdout
    repo.gen({"models/churn/eda/look.ipynb": DIRTY.replace("1", "2")})  # run once more, and not added yet
    assert "SW791" not in repo.stellwerk("validate").stdout
    repo.git("config", "--remove-section", "filter.stellwerk-notebook")  # a clone in which it was not set up
    assert "SW791" in repo.stellwerk("validate").stdout
