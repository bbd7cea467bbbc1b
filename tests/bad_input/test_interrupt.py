"""Ctrl-C and kill at any time: the state before an action or after it, and the next run goes on."""

import os
import signal
import subprocess
import sysconfig
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.own_templates  # what a run started, it must end
ALL = os.environ.get("STELLWERK_CRASH") == "all"
MOMENTS = (400, 900, 1400, 2000, 2600, 3400) if ALL else (400, 1400, 2600)  # milliseconds after the start

SLOW = """\
import subprocess
import time
from pathlib import Path


def train(frame, bias=0.0):
    if not Path("/tmp/%s").exists():
        subprocess.Popen(["sleep", "%s"])
        time.sleep(%s)
    return {"bias": bias}


def predict(model, frame):
    return frame["x"] * 2 + model["bias"]
"""


def processes(word):
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and word in (entry / "cmdline").read_bytes().decode(errors="replace"):
                found.append(entry.name)
        except OSError:
            continue
    return found


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return False


def start(project):
    command = Path(sysconfig.get_path("scripts")) / "stellwerk"
    return subprocess.Popen(
        [command, "reconcile"],
        cwd=project.root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=dict(os.environ),
        start_new_session=True,
    )


@pytest.fixture
def slow_training(small, tmp_path):
    """A project whose training lasts until it is interrupted; `small.word` names its processes."""
    word = str(86_400 + os.getpid())
    small.word, small.quick = word, Path("/tmp") / f"quick-{word}"
    small.repo.gen({"models/demand/demand.py": SLOW % (small.quick.name, word, word)}, commit="slow")
    yield small
    small.quick.unlink(missing_ok=True)
    for pid in processes(f"sleep\0{word}"):
        os.kill(int(pid), signal.SIGKILL)


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="looks at /proc")
@pytest.mark.parametrize("everybody", [True, False], ids=["terminal", "process"])
def test_ctrl_c_during_a_training_leaves_no_half_state(slow_training, everybody):
    project = slow_training
    process = start(project)
    assert wait_for(lambda: processes(f"sleep\0{project.word}"))
    if everybody:
        os.killpg(process.pid, signal.SIGINT)  # what a terminal does
    else:
        process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted; the next run goes on from git" in err
    assert "Traceback" not in out + err
    assert wait_for(lambda: not processes(f"sleep\0{project.word}"), 5)
    assert len(project.repo.git("worktree", "list").splitlines()) == 1
    assert project.trainings() == []
    assert not (project.root / "registry").exists()
    assert project.repo.status() == ""
    assert project.steps() == ["train:demand"]
    project.repo.gen(
        {"models/demand/demand.py": project.repo.read("models/demand/demand.py").replace("if not", "if False and not")},
        commit="quick",
    )
    assert project.reconcile().problems == ()
    assert project.trainings() == ["train: demand v1"]


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="looks at /proc")
def test_a_killed_reconcile_is_finished_by_the_next_one(slow_training):
    project = slow_training
    process = start(project)
    assert wait_for(lambda: processes(f"sleep\0{project.word}"))
    process.kill()
    process.communicate(timeout=60)
    assert wait_for(lambda: not processes(f"sleep\0{project.word}"), 20)
    assert project.trainings() == []
    project.repo.gen(
        {"models/demand/demand.py": project.repo.read("models/demand/demand.py").replace("if not", "if False and not")},
        commit="quick",
    )
    assert project.reconcile().problems == ()
    assert project.trainings() == ["train: demand v1"]
    assert len(project.repo.git("worktree", "list").splitlines()) == 1
    assert project.repo.status() == ""


@pytest.mark.slow
def test_ctrl_c_at_any_moment_leaves_a_state_from_which_the_next_run_goes_on(small):
    for milliseconds in MOMENTS:
        process = start(small)
        time.sleep(milliseconds / 1000)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        assert process.returncode in (0, 130, -signal.SIGINT), err  # the last: while Python itself was starting
        if process.returncode == 130:
            assert "Traceback" not in out + err
        small.plan()  # raises where none can be made
    outcome = small.repo.stellwerk("reconcile")
    assert outcome.returncode == 0, outcome.stderr
    assert small.trainings() == ["train: demand v1"]
    assert small.repo.status() == ""
    assert small.steps() == []
