"""Training code that misbehaves: the failure is recorded, nothing half-born stays, the next version is unharmed."""

import os
import time
from pathlib import Path

import pytest
import yaml
from projects import CODE

START = "import os, sys, time\nfrom pathlib import Path\n\n\ndef train(frame, bias=0.0):\n"


def script(body):
    return (
        START + "".join(f"    {line}\n" for line in body.strip().splitlines()) + CODE[CODE.index("\n\ndef predict") :]
    )


def alive(word):
    """The processes whose command line holds the word."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            line = (entry / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if entry.name.isdigit() and word in line and int(entry.name) != os.getpid():
            found.append(line)
    return found


def incident(project):
    return yaml.safe_load(project.repo.read("registry/demand/incidents/0001.yaml"))


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("raise ValueError('no rows for spring')", "no rows for spring"),
        ("sys.exit(0)", ""),
        ("os._exit(0)", ""),
        ("os.kill(os.getpid(), 9)", ""),
        ("return lambda: 1", ""),
        ("open('/' + 'etc/stellwerk-was-here', 'w'); return 1", "stellwerk-was-here"),
    ],
    ids=["raises", "exits-0", "dies-silently", "is-killed", "unpicklable", "writes-outside"],
)
def test_code_that_fails_is_recorded_once_and_not_repeated(small, refused, body, words):
    small.repo.gen({"models/demand/demand.py": script(body)}, commit="broken")
    said = refused(small.repo.stellwerk("reconcile"), 1)
    if Path("/etc/stellwerk-was-here").exists():
        Path("/etc/stellwerk-was-here").unlink()
        pytest.fail("it wrote outside its folder")
    found = incident(small)
    assert (found["kind"], found["open"]) == ("training-failed", True)
    assert words in said
    assert words in found["summary"] + "\n".join(found.get("evidence", ()))
    assert not (small.root / "registry/demand/1").exists()
    assert small.steps() == []
    assert small.waits() == ["training"]
    assert small.repo.status() == ""
    assert "--retry" in small.repo.stellwerk("plan").stdout
    refused(small.repo.stellwerk("reconcile"), 3, "training failed before")
    small.repo.gen({"models/demand/demand.py": CODE}, commit="repaired")
    assert small.reconcile().problems == ()
    assert small.trainings() == ["train: demand v1"]
    assert incident(small)["open"] is False


@pytest.mark.own_templates
def test_code_that_hangs_is_ended_with_all_it_started(small, refused):
    marker = f"8642.{os.getpid()}"
    body = f"import subprocess\nsubprocess.Popen(['sleep', '{marker}'])\ntime.sleep(8642)"
    text = small.repo.read("mlops.yaml").replace("train: {data: sales}", "train: {data: sales, timeout: 2s}")
    small.repo.gen({"models/demand/demand.py": script(body), "mlops.yaml": text}, commit="hangs")
    started = time.monotonic()
    refused(small.repo.stellwerk("reconcile"), 1, "2 s")
    assert time.monotonic() - started < 60
    assert alive(marker) == []
    assert small.waits() == ["training"]
    assert worktrees(small) == 1


def worktrees(project):
    return len(project.repo.git("worktree", "list").splitlines())


@pytest.mark.own_templates
def test_code_that_forks_leaves_nobody_behind(small, refused):
    marker = f"7531.{os.getpid()}"
    body = f"import subprocess\nsubprocess.Popen(['setsid', 'sleep', '{marker}'])\nreturn {{'bias': bias}}"
    small.repo.gen({"models/demand/demand.py": script(body)}, commit="forks")
    refused(small.repo.stellwerk("reconcile"), 0)
    assert alive(marker) == []
    assert small.trainings() == ["train: demand v1"]


def test_code_that_prints_a_lot_neither_fills_memory_nor_the_record(small, refused):
    body = "for _ in range(3000): print('spam ' * 1000)\nreturn {'bias': bias}"
    small.repo.gen({"models/demand/demand.py": script(body)}, commit="prints")
    said = refused(small.repo.stellwerk("reconcile"), 0)
    assert len(said) < 10_000
    assert small.trainings() == ["train: demand v1"]


def test_code_that_cannot_be_read_is_a_failure_in_words(small, refused):
    small.repo.gen({"models/demand/demand.py": "def train(frame:\n"}, commit="a syntax error")
    said = refused(small.repo.stellwerk("reconcile"), 1)
    assert "demand.py" in said
    assert small.trainings() == []


def test_code_without_train_says_what_it_must_define(small, refused):
    small.repo.gen({"models/demand/demand.py": "x = 1\n"}, commit="no train")
    said = refused(small.repo.stellwerk("reconcile"), 1)
    assert "train" in said
    assert small.trainings() == []


def test_a_source_that_is_not_there_is_a_mistake_or_a_wait(small, refused):
    small.repo.gen({"models/demand/demand.py": None}, commit="deleted")
    done = small.repo.stellwerk("reconcile")
    said = refused(done, done.returncode)
    assert "models/demand/demand.py" in said
    assert small.trainings() == []


def test_a_prediction_that_fails_is_a_failed_training(small, refused):
    text = CODE.replace('return frame["x"] * 2 + model["bias"]', "return frame['no such column']")
    small.repo.gen({"models/demand/demand.py": text}, commit="cannot predict")
    said = refused(small.repo.stellwerk("reconcile"), 1)
    assert "no such column" in said
    assert small.trainings() == []
