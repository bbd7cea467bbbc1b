"""Projects whose trainings take no time: git, DVC and the targets are real, the models' own work is not."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import quick_model
from projects import CODE, DATA, Project, build

CRASH = Path(quick_model.__file__).resolve().parent
HERE = Path(__file__).resolve().parent
COMMAND = "import quick_project; quick_project.put_in(); from stellwerk.cli.main import main; main()"
STAND_INS = ("evaluate", "function_check", "check_source")
PRODUCTION = """\
purpose: production
deploy: {target: local, path: deployed/production}
"""


def declared(models: Mapping[str, str], *, head: str = "") -> str:
    """`mlops.yaml` of models on one dataset: name -> further keys of the model, as flow YAML."""
    lines = ["version: 1", "datasets: {sales: {path: data/sales.csv, key: id}}", *head.splitlines(), "models:"]
    for name, more in models.items():
        lines.append(f"  {name}: {{source: code/demand.py, task: regression, target: sold{more and ', '}{more}}}")
    text = "\n".join(lines) + "\n"
    return text.replace("target: sold", "target: sold, train: {data: sales}") if "train: {" not in text else text


def training(bias: float) -> str:
    return f"train: {{data: sales, params: {{bias: {bias}}}}}"


def files(models: Mapping[str, str], *, head: str = "", production: str | None = PRODUCTION) -> dict[str, str]:
    found = {"mlops.yaml": declared(models, head=head), "code/demand.py": CODE, "data/sales.csv": DATA}
    return found | ({"environments/production.yaml": production} if production else {})


def put_in() -> None:
    """Use the stand-ins in this process from now on."""
    from stellwerk.app import session
    from stellwerk.reconcile import check

    session._trainer = lambda root, *_, **__: quick_model.QuickTrainer(root=root, environ=dict(os.environ))
    for name in STAND_INS:
        setattr(check, name, getattr(quick_model, name))


def put_in_for(monkeypatch) -> None:
    """Use the stand-ins in this process until the test ends."""
    from stellwerk.app import session
    from stellwerk.reconcile import check

    monkeypatch.setattr(session, "_trainer", session._trainer)
    for name in STAND_INS:
        monkeypatch.setattr(check, name, getattr(check, name))
    put_in()


def make(project: Project, models: Mapping[str, str], **options) -> Project:
    """Declare, commit, reconcile."""
    build(project, files(models, **options))
    outcome = project.reconcile()
    assert outcome.problems == ()
    return project


def run(project: Project, *args: str, cwd: Path | None = None):
    """The command in this process, through its real boundary; answers as `process` does."""
    from click.testing import CliRunner

    from stellwerk.cli.main import cli

    words = [str(arg) for arg in args]
    done = CliRunner().invoke(cli, ["-C", str(cwd or project.root), *words], prog_name="stellwerk")
    return subprocess.CompletedProcess(words, done.exit_code, done.stdout, done.stderr)


def process(project: Project, *args: str, env: Mapping[str, str] | None = None, cwd: Path | None = None, before=()):
    """The command as a process of its own, with the stand-ins; `before` are the words it is started through."""
    return subprocess.run(
        [*before, sys.executable, "-c", COMMAND, *args],
        cwd=cwd or project.root,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(map(str, (HERE, CRASH, HERE.parent / "reconcile"))),
            **(env or {}),
        },
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )
