import io
import os
import pty
import re
import select
import signal
import subprocess
import sys

import pytest

from stellwerk.cli.progress import CLEAR, LiveLine
from stellwerk.report.terminal import cells

PROGRAM = """
import sys, threading
from types import ModuleType, SimpleNamespace
from stellwerk.model.actions import Plan, Step, Train
from stellwerk.model.views import Done, Outcome

step = Step(action=Train(model="shoe-demand", fingerprint="f"), reason="new")
done = Done(step=step, summary="train: shoe-demand v1", commit="1a2b3c4d")

class Workspace:
    @classmethod
    def open(cls, directory, *, environ):
        return cls()

    def reconcile(self, request, on_event):
        def event(kind, **rest):
            on_event(SimpleNamespace(kind=kind, **{"step": None, "text": "", "done": None, **rest}))
        event("start", step=step)
        event("line", text="epoch 1")
        if BLOCK:
            sys.stdout.write("ready\\n")
            sys.stdout.flush()
            threading.Event().wait()
        event("done", step=step, done=done)
        return Outcome(done=(done,), problems=(), remaining=Plan(basis=""))

module = ModuleType("stellwerk.app")
module.Workspace = Workspace
module.ReconcileRequest = SimpleNamespace
sys.modules["stellwerk.app"] = module
from stellwerk.cli.main import main
main(sys.argv[1:])
"""
NOT_BLOCKED = PROGRAM.replace("BLOCK", "False")


def on_a_terminal(*args, **environ):
    """What a person sees of the program, byte for byte."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", NOT_BLOCKED, *args],
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm", **environ},
    )
    os.close(theirs)
    seen = b""
    while select.select([ours], [], [], 30)[0]:
        try:
            chunk = os.read(ours, 4096)
        except OSError:
            break
        if not chunk:
            break
        seen += chunk
    os.close(ours)
    assert process.wait(timeout=30) == 0
    return seen.decode()


def test_a_terminal_shows_what_runs_and_is_clean_afterwards():
    seen = on_a_terminal("reconcile")
    assert "0 s  shoe-demand: train a new version" in seen
    assert re.search(r"train: shoe-demand v1\r\n", seen)
    assert seen.rindex(CLEAR) > seen.rindex("train a new version")


@pytest.mark.parametrize(("args", "environ"), [(("reconcile",), {"CI": "true"}), (("--quiet", "reconcile"), {})])
def test_a_ci_log_and_a_quiet_terminal_get_one_line_per_finished_action_only(args, environ):
    seen = on_a_terminal(*args, **environ)
    assert CLEAR not in seen
    assert "train a new version" not in seen
    assert "train: shoe-demand v1" in seen


def test_ctrl_c_ends_with_130_and_no_traceback():
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM.replace("BLOCK", "True"), "reconcile"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(os.environ),
        text=True,
    )
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert errors.strip() == "interrupted; the next run goes on from git"


def test_the_live_line_never_wraps():
    stream = io.StringIO()
    line = LiveLine(stream, width=30)
    line.start("a-model-with-a-very-long-name: train a new version")
    line.close()
    frames = stream.getvalue().split(CLEAR)
    assert max(cells(frame) for frame in frames) == 29
    assert frames[-1] == ""
