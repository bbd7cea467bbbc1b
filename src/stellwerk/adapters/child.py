"""Start a command through `worker/confine.py`, in a new process or in a fork of a template."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from msgspec import Struct

import stellwerk
from stellwerk.adapters.templates import fork, worker_template
from stellwerk.errors import StellwerkError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from stellwerk.adapters.templates import Forked


class Isolation(Struct, frozen=True, kw_only=True):
    """What the command must not read (`masked`), and the only folders it may write to besides its `cwd`.

    Holds where the machine grants Linux namespaces; `ProcessResult.isolation` says whether it did.
    """

    masked: tuple[Path, ...] = ()
    writable: tuple[Path, ...] = ()
    namespace: bool = True


class Forking(Struct, frozen=True, kw_only=True):
    """A command `[python, ..., worker.py, argument]` may be run by a fork of a template in the folder `at`.

    `modules` are what the template has imported; `code` the folders in which the command imports more.
    """

    at: Path
    modules: tuple[str, ...]
    code: tuple[Path, ...]


class Child(Struct, kw_only=True):
    """A started process, its output, and the pipe on which confine.py tells the isolation."""

    process: subprocess.Popen[bytes] | Forked
    output: BinaryIO
    told: int | None
    ended: bool = False

    def poll(self) -> tuple[int, float, int] | None:
        """Wait status, seconds of processor time and the most memory, in kilobytes on Linux; None while it runs."""
        if not isinstance(self.process, subprocess.Popen):
            end = self.process.poll()
            self.ended = end is not None
            return (end.status, end.cpu, end.memory) if end else None
        pid, status, usage = os.wait4(self.process.pid, os.WNOHANG)
        if not pid:
            return None
        self.ended = True
        self.process.returncode = os.waitstatus_to_exitcode(status)
        return status, usage.ru_utime + usage.ru_stime, int(usage.ru_maxrss)

    def kill(self, number: int, *, group: bool = False) -> None:
        if not isinstance(self.process, subprocess.Popen):
            self.process.kill(number, group=group)
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            (os.killpg if group else os.kill)(self.process.pid, number)


def start(
    words: list[str], *, cwd: Path, env: Mapping[str, str], isolation: Isolation, forking: Forking | None
) -> Child:
    """Start it in a session of its own, nothing to read, output and error output in one pipe."""
    writable = [str(path.resolve()) for path in (cwd, *isolation.writable)]
    program = (Path(words[0]),) if Path(words[0]).is_absolute() else ()
    masked = masks(isolation.masked, needed=(cwd, *isolation.writable, *program))
    plan = {
        "command": words,
        "masked": masked,
        "writable": writable,
        "namespace": isolation.namespace,
        "parent": os.getpid(),
    }
    if forking is not None:
        forked = _fork(plan, cwd=cwd, env=env, forking=forking)
        if forked is not None:
            return forked
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    if sys.platform != "linux":
        process = subprocess.Popen(words, cwd=cwd, env=dict(env), start_new_session=True, **pipes)  # type: ignore[call-overload]
        return Child(process=process, output=process.stdout, told=None)
    confine = Path(stellwerk.__file__).parent / "worker" / "confine.py"
    told, tell = os.pipe()
    try:
        process = subprocess.Popen(  # type: ignore[call-overload]
            [sys.executable, "-I", "-S", "-B", str(confine), str(tell), json.dumps(plan)],
            cwd=cwd,
            env=dict(env),
            start_new_session=True,
            pass_fds=(tell,),
            **pipes,
        )
    except BaseException:
        os.close(told)
        raise
    finally:
        os.close(tell)
    return Child(process=process, output=process.stdout, told=told)


def _fork(plan: Mapping[str, object], *, cwd: Path, env: Mapping[str, str], forking: Forking) -> Child | None:
    """The command in a fork of a template; None where there is none that could do it."""
    name = worker_template(forking.modules, at=forking.at, env=env)
    if name is None:
        return None
    command = plan["command"]
    assert isinstance(command, list)  # noqa: S101 - made above
    request = {
        "plan": plan,
        "argv": command[-2:],
        "cwd": str(cwd),
        "env": dict(env),
        "code": [str(folder) for folder in forking.code],
    }
    told, tell = os.pipe()
    output, write = os.pipe()
    try:
        forked = fork("worker", request, [write, tell], at=forking.at, name=name)
    except BaseException:
        os.close(told)
        os.close(output)
        raise
    finally:
        os.close(tell)
        os.close(write)
    if forked is None:
        os.close(told)
        os.close(output)
        return None
    return Child(process=forked, output=os.fdopen(output, "rb"), told=told)


def masks(paths: Sequence[Path], *, needed: Sequence[Path]) -> tuple[str, ...]:
    """The existing, resolved paths to hide, without those inside another. Hiding a `needed` folder is an error."""
    outermost: list[Path] = []
    for path in sorted({path.resolve() for path in paths if path.exists()}):
        if not outermost or not path.is_relative_to(outermost[-1]):  # what is inside a folder follows it
            outermost.append(path)
    hidden = set(outermost)
    for path in needed:
        resolved = path.resolve()
        for other in hidden.intersection((resolved, *resolved.parents)):
            message = f"the model's process needs {path}, which lies inside a folder that is hidden from it"
            hint = "set TMPDIR and keep environments outside DVC's cache, its local remotes and git's folder"
            raise StellwerkError(message, where=str(other), hint=hint)
    return tuple(str(path) for path in outermost)
