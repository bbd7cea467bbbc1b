"""`reconcile --jobs N` with real trainings: several models at once, one committer, nothing left behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest
from projects import CODE, DATA, build

from stellwerk.adapters.dvc.worktree import ROOMS

ENDLESS = CODE.replace("def train", "import threading\n\n\ndef train").replace(
    "    assert", "    threading.Event().wait()\n    assert"
)
BROKEN = CODE.replace("    assert", "    1 / 0\n    assert")
PATIENCE = 240  # seconds that a slow machine may take


def several(code: dict[str, str], *, regression: bool = False) -> dict[str, str]:
    """A project of models, each with its code, that share one dataset."""
    lines = ["version: 1", "datasets: {sales: {path: data/sales.csv, key: id}}", "models:"]
    files = {"data/sales.csv": DATA}
    asked = ", task: regression, thresholds: {mae: {max: 5}}" if regression else ""
    for name, text in code.items():
        lines.append(f"  {name}: {{source: models/{name}/{name}.py, target: sold, train: {{data: sales}}{asked}}}")
        files[f"models/{name}/{name}.py"] = text
    files["mlops.yaml"] = "\n".join(lines) + "\n"
    if regression:
        files["environments/regression.yaml"] = "purpose: regression\n"
        files["environments/production.yaml"] = (
            "purpose: production\nafter: regression\ndeploy: {target: local, path: deployed}\n"
        )
    return files


def start(project, *args, before=None):
    """A reconcile as a process of its own, in a session of its own, as a terminal or a CI job has it."""
    command = [sys.executable, "-m", "stellwerk", "reconcile", *args]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "preexec_fn": before}
    environ = {**os.environ, "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(command, cwd=project.root, env=environ, text=True, start_new_session=True, **pipes)


def work_trees(project) -> list[str]:
    """The folders of trainings, and what git has noted of their work trees."""
    places = [*(project.root / ROOMS).glob("*/tree"), *(project.root / ".git/worktrees").glob("*")]
    return sorted(path.relative_to(project.root).as_posix() for path in places)


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Those that still do something: a zombie only waits for somebody to ask how it ended."""
    return [item for item in processes if item.is_running() and item.status() != psutil.STATUS_ZOMBIE]


def at_work(project, process, *models: str) -> list[psutil.Process]:
    """Wait until these models are in training; the process and all that it started by then, directly or not."""
    waited_for = [f"{name}: train a new version" for name in models]
    while waited_for:
        line = process.stdout.readline()
        assert line, process.wait()
        waited_for = [start for start in waited_for if not line.startswith(start)]
    while len(work_trees(project)) < 2 * len(models):
        assert process.poll() is None
    root = psutil.Process(process.pid)
    return [root, *root.children(recursive=True)]


def test_a_model_goes_its_whole_way_while_another_one_fails(project_from):
    code = {"alpha": CODE, "broken": BROKEN}
    project = project_from("two", lambda project: build(project, several(code, regression=True)))
    outcome = project.reconcile(jobs=2)
    assert outcome.problems == ()
    assert [done.step.key for done in outcome.done if not done.passed] == ["train:broken"]
    trainings = [event.kind for event in project.events if event.step and event.step.key.startswith("train:")]
    assert trainings[:2] == ["start", "start"]
    assert (project.trainings(), project.running("production", "alpha")) == (["train: alpha v1"], 1)
    assert (work_trees(project), project.steps(), project.repo.status()) == ([], [], "")


@pytest.mark.own_templates
def test_however_a_run_is_ended_what_is_finished_stays_and_nothing_else_does(project_from):
    """Ctrl-C in a terminal reaches the whole group, a CI service's signal the run alone, a kill tells nobody."""
    code = {"alpha": CODE, "beta": ENDLESS, "gamma": ENDLESS}
    project = project_from("endless", lambda project: build(project, several(code)))
    for send in (
        lambda pid: os.killpg(pid, signal.SIGINT),
        lambda pid: os.kill(pid, signal.SIGTERM),
        lambda pid: os.kill(pid, signal.SIGKILL),
    ):
        process = start(project, "--jobs", "2")
        try:
            everybody = at_work(project, process, "beta", "gamma")
            send(process.pid)
            said, _ = process.communicate(timeout=PATIENCE)
            if process.returncode == 130:
                assert said.splitlines()[-1] == "interrupted; the next run goes on from git"
                assert alive(everybody) == []
                assert work_trees(project) == []
            else:
                assert process.returncode == -signal.SIGKILL
                assert alive(psutil.wait_procs(everybody, timeout=30)[1]) == []
        finally:
            if process.poll() is None:
                process.kill()
                process.communicate()
        assert [line for line in project.repo.log() if ":" in line and not line.startswith(("render", "snapshot"))] == [
            "train: alpha v1"
        ]
        assert project.repo.status() == ""
    project.repo.gen({"models/beta/beta.py": CODE}, commit="let beta end")
    assert project.reconcile(jobs=2, model="beta").problems == ()
    assert project.trainings() == ["train: beta v1", "train: alpha v1"]
    assert work_trees(project) == []


def ignore_all() -> None:
    """As `nohup` and `&` do, and a `trap ''` of a script."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def block_all() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGHUP, signal.SIGINT, signal.SIGTERM])


@pytest.mark.own_templates
@pytest.mark.parametrize(("jobs", "before"), [("2", ignore_all), ("1", block_all)], ids=["ignored", "blocked"])
def test_nothing_survives_a_killed_run_whatever_signals_it_was_told_not_to_heed(project_from, jobs, before):
    code = {"beta": ENDLESS, "gamma": ENDLESS}
    project = project_from("sleeping", lambda project: build(project, several(code)))
    process = start(project, "--jobs", jobs, before=before)
    try:
        everybody = in_training(project, process, int(jobs))
    finally:
        process.kill()
        process.communicate()
    assert alive(psutil.wait_procs(everybody, timeout=30)[1]) == []


def in_training(project, process, many: int) -> list[psutil.Process]:
    """Wait until as many models' code is at work; all processes of the run. Templates are nobody's children."""
    rooms, root = str(project.root / ROOMS), psutil.Process(process.pid)
    while process.poll() is None:
        with contextlib.suppress(psutil.NoSuchProcess):  # one ended while it was looked at
            templates = [item for item in psutil.process_iter() if folder_of(item).startswith(rooms)]
            if sum(len(item.children()) for item in templates if "confine" in item.cmdline()) >= many:
                forks = [fork for item in templates for fork in item.children(recursive=True)]
                return [root, *root.children(recursive=True), *templates, *forks]
        time.sleep(0.1)  # looking at all processes of the machine takes as long
    raise AssertionError(process.communicate()[0])


def folder_of(process: psutil.Process) -> str:
    try:
        return process.cwd()
    except psutil.Error:
        return ""
