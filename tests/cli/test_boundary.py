import errno
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from stellwerk.errors import BlockedError, PushLostError, StellwerkError, UsageError
from stellwerk.model.findings import DeclarationsError, Finding, Place, Severity

MISTAKE = Finding(
    rule="SW201", severity=Severity.ERROR, place=Place(path="mlops.yaml", line=3), message="no such team", hint="ada?"
)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (StellwerkError("no repository", where="/tmp/x", hint="git init"), 1),
        (BlockedError("a gate is closed"), 3),
        (PushLostError("lost the race"), 4),
        (UsageError("makes no sense"), 64),
        (KeyboardInterrupt(), 130),
        (PermissionError(errno.EACCES, "Permission denied", "data/x"), 1),
        (OSError(errno.ENOSPC, "No space left on device"), 1),
        (RecursionError("deep"), 70),
        (FileNotFoundError(errno.ENOENT, "No such file", "x"), 70),
    ],
)
def test_each_kind_of_error_has_its_exit_code_and_never_a_traceback(run, workspace, error, code, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    workspace.answers["plan"] = error
    result = run("plan")
    assert result.exit_code == code
    assert "Traceback" not in result.output
    assert result.stdout == ""


def test_an_error_says_where_what_and_what_to_do_on_standard_error(run, workspace):
    workspace.answers["open"] = StellwerkError("this is no git repository", where="/srv/x", hint="stellwerk init")
    result = run("status")
    assert result.stderr == "error: /srv/x: this is no git repository\n  → stellwerk init\n"


def test_control_characters_in_an_error_are_escaped(run, workspace):
    workspace.answers["plan"] = StellwerkError("bad \x1b[2J name")
    assert run("plan").stderr == "error: bad \\x1b[2J name\n"


def test_mistakes_in_declarations_are_shown_with_exit_code_1(run, workspace):
    workspace.answers["plan"] = DeclarationsError((MISTAKE,), {})
    result = run("plan")
    assert result.exit_code == 1
    assert "mlops.yaml:3:1" in result.stderr
    assert "SW201" in result.stderr
    assert result.stderr.endswith("error: the declarations have 1 mistake\n")


def test_a_bug_saves_its_traceback_and_names_the_file(run, workspace, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    workspace.answers["plan"] = ZeroDivisionError("a number")
    result = run("plan")
    assert result.exit_code == 70
    assert "this is a bug in Stellwerk (ZeroDivisionError: a number)" in result.stderr
    saved = Path(re.search(r"with the file (\S+)", result.stderr)[1])
    assert saved.parent == tmp_path
    assert "ZeroDivisionError: a number" in saved.read_text()
    assert "Traceback" in saved.read_text()


def test_a_bug_shows_its_traceback_only_on_demand(run, workspace):
    workspace.answers["plan"] = ZeroDivisionError("a number")
    result = run("plan", env={"STELLWERK_DEBUG": "1"})
    assert result.exit_code == 70
    assert "Traceback" in result.stderr


def test_a_bug_is_told_even_where_nothing_can_be_saved(run, workspace, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "absent"))
    workspace.answers["plan"] = ZeroDivisionError("a number")
    result = run("plan")
    assert result.exit_code == 70
    assert "STELLWERK_DEBUG=1" in result.stderr


@pytest.mark.parametrize(
    "args",
    [
        ("plna",),
        ("plan", "--nonsense"),
        ("plan", "--format", "xml"),
        ("-C", "/nowhere/at/all", "plan"),
        ("approve", "credit"),
        ("hold", "credit", "production"),
        ("hold", "credit", "production", "--end", "--until", "2026-12-01"),
        ("rollback", "credit", "production"),
        ("promote", "credit", "production", "--version", "0"),
    ],
)
def test_a_wrong_command_line_exits_with_64(run, workspace, args):
    result = run(*args)
    assert result.exit_code == 64
    assert result.stdout == ""
    assert [name for name, _, _ in workspace.calls if name != "open"] == []


BROKEN_PIPE = """
import sys
from types import ModuleType
from stellwerk.model.views import Status

class Workspace:
    @classmethod
    def open(cls, directory, *, environ):
        return cls()

    def status(self, *, live):
        datasets = tuple((f"dataset-{n}", None) for n in range(20_000))
        return Status(basis="", environments=(), rows=(), models=(), datasets=datasets)

module = ModuleType("stellwerk.app")
module.Workspace = Workspace
sys.modules["stellwerk.app"] = module
from stellwerk.cli.main import main
main(["status"])
"""


def test_a_reader_that_goes_away_is_no_error():
    process = subprocess.Popen(
        [sys.executable, "-c", BROKEN_PIPE], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=dict(os.environ)
    )
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(timeout=30) == 0


def test_an_encoding_without_arrows_gets_escapes_instead_of_a_traceback():
    code = BROKEN_PIPE.replace("20_000", "1")
    environ = {**os.environ, "PYTHONIOENCODING": "latin-1"}
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, env=environ, check=False, timeout=60)
    assert result.returncode == 0
    assert b"\\u2013" in result.stdout


def test_an_error_that_nobody_reads_keeps_its_exit_code(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-m", "stellwerk", "-C", str(tmp_path), "plan", "--nonsense"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(os.environ),
    )
    process.stdout.close()
    process.stderr.close()
    assert process.wait(timeout=30) == 64
