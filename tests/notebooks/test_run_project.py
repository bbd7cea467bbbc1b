"""The proof in a project, from the command line: part of development's check, its verdict and what makes it stale."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sysconfig
import venv
from pathlib import Path

import pytest
import yaml
from dvc.cli import main as dvc_main
from proving import MODULE, NOTEBOOK, ROWS, SOURCE, TESTED, TESTS, written

from stellwerk.adapters.templates import TEMPLATES
from stellwerk.model.declared import Environment, Model, Project, Purpose
from stellwerk.planning.policy import Route

MLOPS = """
    version: 1
    datasets:
      sales: {path: data/sales.csv, stand_in: made-up}
      made-up: {path: data/made-up.csv}
    models: {demand: {source: models/demand/demand.ipynb, target: sold, train: {data: sales}}}
"""
DEV = "purpose: development\n"
VERDICT = "registry/demand/1/verdicts/dev.yaml"


@pytest.fixture
def project(repo, tmp_path):
    """Declared and committed, with data and remotes; made by `project(environments)`."""

    def make(files):
        repo.gen({"mlops.yaml": MLOPS, ".gitignore": "/data/*.csv\n", **files})
        assert dvc_main(["--cd", str(repo.root), "init", "--quiet"]) == 0
        for name, options in {"storage": ["-d"], "packages": []}.items():
            words = ["--cd", str(repo.root), "remote", "add", "-q", *options, name, str(tmp_path / name)]
            assert dvc_main(words) == 0
        written(repo.root, NOTEBOOK + TESTED)
        repo.gen({"data/made-up.csv": ROWS, "data/sales.csv": ROWS.replace("29", "31")})
        return repo

    return make


def commit(project, message: str) -> None:
    project.git("add", "--all")
    project.git("commit", "--quiet", "--message", message)


def steps(project) -> list[tuple[str, str]]:
    done = project.stellwerk("plan", "--format", "json")
    assert done.returncode == 0, done.stderr
    return [(step["key"], step["reason"]) for step in json.loads(done.stdout)["steps"]]


def test_a_version_is_born_with_the_proof_and_another_tolerance_asks_for_it_again(project):
    project = project({"environments/dev.yaml": DEV})
    project.stellwerk("render")
    commit(project, "declare")
    done = project.stellwerk("reconcile")
    assert done.returncode == 0, done.stdout + done.stderr
    verdict = yaml.safe_load(project.read(VERDICT))
    checks = {check["name"]: check["detail"] for check in verdict["checks"] if check["passed"]}
    assert checks["generated source"].startswith(f"{MODULE} and models/demand/tests/test_demand.py are what")
    assert checks["notebook runs"].startswith("5 cells")
    assert "1 passed" in checks["notebook tests"]
    assert re.fullmatch(r"the same 60 predictions; notebook (\w{16}), module \1", checks["equivalence"])
    assert "smoke training" in checks
    assert "unit tests" not in checks

    assert steps(project) == []
    declared = project.read("mlops.yaml")
    project.gen({"mlops.yaml": declared.replace("target:", "equivalence: {tolerance: 1e-9}, target:")})
    assert steps(project) == [("check:demand:dev", "its checks or thresholds changed")]
    module, recorded = project.read(MODULE), project.read(VERDICT)
    project.gen({MODULE: module.replace("SHIFT = 0.1", "SHIFT = 0.2")})
    commit(project, "edit what is generated")
    done = project.stellwerk("reconcile")
    assert done.returncode == 1
    assert "no verdict is recorded" in done.stdout
    assert project.read(VERDICT) == recorded
    project.gen({"mlops.yaml": declared, MODULE: module})
    assert steps(project) == []

    endless = NOTEBOOK.replace("frame.head()", "while True: pass")
    written(project.root, endless)
    (project.root / TESTS).unlink()
    done = project.stellwerk("notebook", "test", "demand", "--timeout", "1", "--out", "checks.json")
    assert done.returncode == 1
    assert "did not end within 1 seconds, and the kernel was ended" in done.stdout.replace("\n", " ")
    assert not json.loads(project.read("checks.json"))["passed"]

    project.gen({MODULE: project.read(MODULE).replace("SHIFT = 0.1", "SHIFT = 0.2")})
    for words in (("check", "demand", "dev"), ("notebook", "test", "demand")):
        done = project.stellwerk(*words, "--out", "checks.json")
        assert done.returncode == 1
        (check,) = json.loads(project.read("checks.json"))["checks"]
        assert (check["name"], check["passed"]) == ("generated source", False)
        assert f"{MODULE} is not what {SOURCE} becomes: change the notebook instead" in check["detail"]


def test_what_is_asked_of_a_notebook_is_in_the_key_of_developments_verdict_alone():
    asked = [
        Model(name="m", source="models/m/m.py"),
        Model(name="m", source="models/m/m.ipynb"),
        Model(name="m", source="models/m/m.ipynb", tolerance=0.0),
        Model(name="m", source="models/m/m.ipynb", tolerance=1e-9),
    ]
    dev, later = (
        Environment(name=purpose.value, purpose=purpose) for purpose in (Purpose.DEVELOPMENT, Purpose.INTEGRATION)
    )
    digests = [
        tuple(
            Route(Project(models=(model,), environments=(dev, later)), {}).policy(model, at).digest
            for at in (dev, later)
        )
        for model in asked
    ]
    assert len({here for here, _ in digests}) == 4
    assert len({there for _, there in digests}) == 1


@pytest.fixture
def without_jupyter(tmp_path, monkeypatch):
    """A `stellwerk` that is first in PATH, of an interpreter with all that is installed here but Jupyter."""
    packages, home = tmp_path / "installed", tmp_path / "core"
    packages.mkdir()
    for path in Path(sysconfig.get_path("purelib")).iterdir():
        if not path.name.lower().startswith(("nbclient", "nbformat", "ipykernel", "ipython", "jupyter")):
            (packages / path.name).symlink_to(path)
    venv.create(home, symlinks=True)
    site = next(home.glob("lib/python*/site-packages"))
    (site / "core.pth").write_text(f"import site; site.addsitedir({str(packages)!r})\n")
    python = home / "bin" / "python"
    script = home / "bin" / "stellwerk"
    script.write_text(f"#!{python}\nfrom stellwerk.cli.main import main\nmain()\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{home / 'bin'}{os.pathsep}{os.environ['PATH']}")
    return script


def test_without_jupyter_a_notebook_is_planned_and_trained_by_but_never_passes_development(project, without_jupyter):
    def run(*words: str):
        done = subprocess.run(
            [without_jupyter, *words], cwd=root, env=env, capture_output=True, encoding="utf-8", check=False
        )
        return done.returncode, done.stdout + done.stderr

    env = {name: value for name, value in os.environ.items() if name != TEMPLATES}  # they would fork from what is here
    project = project({})
    root = project.root
    assert project.stellwerk("render").returncode == 0
    commit(project, "declare")
    assert "train a new version" in run("plan")[1]
    code, said = run("reconcile")
    assert code == 0, said
    assert project.read("registry/demand/1/version.yaml")

    project.gen({"environments/dev.yaml": DEV}, commit="develop")
    tip = project.git("rev-parse", "HEAD")
    for command in (("reconcile",), ("notebook", "test", "demand")):
        code, said = run(*command)
        assert code == 1, said
        assert "Jupyter is not here: pip install nbclient nbformat ipykernel" in " ".join(said.split())
    assert project.git("rev-parse", "HEAD") == tip


def test_a_notebook_is_not_run_where_development_may_not_see_its_data(repo):
    mlops = MLOPS.replace(", stand_in: made-up}", ", classification: secret}")
    mlops = mlops.replace("version: 1", "version: 1\n    classifications: [public, secret]")
    dev = DEV + "data: {allows: [public]}\n"
    written(repo.root, NOTEBOOK)
    repo.gen({"mlops.yaml": mlops, "environments/dev.yaml": dev})
    commit(repo, "declare")
    done = repo.stellwerk("notebook", "test", "demand")
    assert done.returncode == 1
    assert "'dev' does not allow secret data, and 'sales' has no stand-in" in done.stderr, done.stderr
