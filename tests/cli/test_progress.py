import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios

import pytest

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
BEGIN, END = PROGRAM.index('        event("start", step=step)'), PROGRAM.index("        return Outcome")
SEVERAL = (
    PROGRAM[:BEGIN]
    + """
        steps = [Step(action=Train(model=name, fingerprint="f"), reason="", key=name) for name in ("oak", "elm", "ash")]
        event("observe", text="3 steps planned")
        for one in steps:
            event("start", step=one)
        event("line", step=steps[1], text="epoch 1")
        event("tick")
        threading.Event().wait(0.2)  # a frame's time
        event("tick")
        event("done", step=steps[0], done=Done(step=steps[0], summary="train: oak v1", commit="1a2b3c4d"))
        failed = Done(step=steps[1], summary="training of elm failed", commit=None, passed=False, detail="line 1\\nline 2")
        event("failed", step=steps[1], done=failed)
        event("failed", step=steps[2], text="killed")
"""
    + PROGRAM[END:]
)
ERASE_LINE = "\x1b[2K"
HIDE_CURSOR, SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"
CONTROL = re.compile(r"\x1b\[[?0-9;]*[A-Za-z]|\r")


def on_a_terminal(*args, width=80, program=NOT_BLOCKED, **environ):
    """What the program writes to a terminal of that many columns, byte for byte."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-c", program, *args],
        stdout=theirs,
        stderr=theirs,
        env={
            **{name: value for name, value in os.environ.items() if name not in {"CI", "COLUMNS"}},
            "TERM": "xterm",
            **environ,
        },
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
    assert seen.rindex(ERASE_LINE) > seen.rindex("train a new version")
    assert seen.rindex(SHOW_CURSOR) > seen.rindex(HIDE_CURSOR)


def test_the_cursor_is_back_while_work_runs_so_that_a_killed_process_leaves_it_visible():
    seen = on_a_terminal("reconcile")
    shown_first = seen.index("train a new version")
    assert seen.index(SHOW_CURSOR, shown_first) < seen.index("train: shoe-demand v1")
    assert seen.index(SHOW_CURSOR, shown_first) < seen.rindex("train a new version")


def test_without_colours_the_live_line_has_none():
    assert "\x1b[36m" in on_a_terminal("reconcile")
    assert "\x1b[36m" not in on_a_terminal("reconcile", NO_COLOR="1")


@pytest.mark.parametrize(("args", "environ"), [(("reconcile",), {"CI": "true"}), (("reconcile", "--quiet"), {})])
def test_a_ci_log_and_a_quiet_terminal_get_one_line_per_finished_action_only(args, environ):
    seen = on_a_terminal(*args, **environ)
    assert ERASE_LINE not in seen
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


def test_the_live_line_never_wraps_not_even_with_the_echo_of_ctrl_c():
    seen = on_a_terminal("reconcile", width=30)
    live = [line for line in CONTROL.sub("\n", seen).splitlines() if "shoe-demand: " in line and "✓" not in line]
    assert live
    assert max(map(cells, live)) + len("⠋^C") <= 30
    assert live[-1].endswith("…")


def screens(seen):
    """What a terminal shows after each carriage return, as lines: enough of one for what is written here."""
    lines, row = [""], 0
    for part in re.findall(r"\x1b\[[?0-9;]*[A-Za-z]|\r|\n|[^\r\n\x1b]+", seen):
        if part == "\n":
            row += 1
            lines += [""] * (row == len(lines))
        elif part == "\r":
            yield list(lines)
        elif part == ERASE_LINE:
            lines[row] = ""
        elif part.startswith("\x1b[") and part.endswith("A"):
            row -= int(part[2:-1])
            assert row >= 0
        elif not part.startswith("\x1b"):
            lines[row] += part
    yield lines


def test_with_several_jobs_a_terminal_shows_a_line_for_each_and_finished_ones_above():
    shown = list(screens(on_a_terminal("reconcile", "--jobs", "3", program=SEVERAL)))
    live = [
        [line.partition("0 s  ")[2] for line in lines] for lines in shown if sum("0 s" in line for line in lines) == 3
    ]
    assert live[-1][:3] == [
        "oak: train a new version",
        "elm: train a new version · epoch 1",
        "ash: train a new version",
    ]
    two = [lines for lines in shown if sum("0 s" in line for line in lines) == 2]
    assert two[-1][0] == "✓ 1a2b3c4  train: oak v1"
    assert [line for line in shown[-1] if line] == [
        "✓ 1a2b3c4  train: oak v1",
        "✗ ·······  training of elm failed",
        "  line 1",
        "  line 2",
        "✗ ·······  ash: train a new version failed",
        "Done: 1 action.",
    ]


def test_with_several_jobs_a_log_says_whose_every_line_is():
    seen = on_a_terminal("reconcile", "--jobs", "3", program=SEVERAL, CI="true", NO_COLOR="1").replace("\r", "")
    assert ERASE_LINE not in seen
    assert seen.split("\n\n")[0].splitlines() == [
        "oak: train a new version ...",
        "elm: train a new version ...",
        "ash: train a new version ...",
        "oak: ✓ 1a2b3c4  train: oak v1",
        "elm: ✗ ·······  training of elm failed",
        "elm:   line 1",
        "elm:   line 2",
        "ash: ✗ ·······  ash: train a new version failed",
    ]


def test_a_quiet_run_of_several_jobs_says_only_what_came_of_them():
    seen = on_a_terminal("reconcile", "--jobs", "3", "--quiet", program=SEVERAL)
    assert "..." not in seen
    assert "epoch" not in seen
    assert seen.count("oak: ") == 1 + seen.count("train: oak: ")


def test_more_jobs_than_lines_do_not_scroll_the_terminal():
    from io import StringIO

    from rich.console import Console as Terminal

    from stellwerk.cli.console import Console
    from stellwerk.cli.progress import Progress

    progress = Progress(Console(directory=".", environ={}), jobs=99)
    for number in range(50):
        progress.task(f"model {number}", f"key {number}")
    terminal = Terminal(file=StringIO(), width=80, height=10)
    terminal.print(progress)
    assert len(terminal.file.getvalue().splitlines()) == 9
