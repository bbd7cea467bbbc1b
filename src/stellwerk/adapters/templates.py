"""Processes that have imported what many others need, and fork for each of them: `worker/template.py` from outside.

A run has a folder for them (`held`), which its processes find by the variable STELLWERK_TEMPLATES. Who needs a template
first starts it; it ends with the run, however that ends. Linux only; where there is no folder, or a template cannot
serve, nothing is forked and the caller starts a process as ever.
"""

from __future__ import annotations

import array
import contextlib
import hashlib
import json
import os
import select
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

import stellwerk

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

TEMPLATES = "STELLWERK_TEMPLATES"
SCRIPT = Path(stellwerk.__file__).parent / "worker" / "template.py"
ALIVE, BUSY = "alive", "busy"
MOST = 4  # templates for models' code in one run: each keeps its libraries in memory
PATIENCE = 5.0  # seconds until a template that still imports is left to end by itself
QUEUE = 64
PER_JOB = ("HOME", "PATH", "TMPDIR")  # what no library reads when it is imported


class Ended(Struct, frozen=True, kw_only=True):
    """How a fork ended: wait status, seconds of processor time, kilobytes at most."""

    status: int
    cpu: float
    memory: int


class Forked:
    """A process that a template forked."""

    def __init__(self, connection: socket.socket, pid: int) -> None:
        self.pid = pid
        self._connection = connection
        self._received = b""
        self._connection.settimeout(0)

    def poll(self) -> Ended | None:
        """How it ended; None while it runs. A template that died takes its forks with it."""
        try:
            received = self._connection.recv(4096)
        except BlockingIOError:
            return None
        except OSError:
            received = b""
        self._received += received
        if self._received.endswith(b"\n"):
            said = json.loads(self._received)
            return Ended(status=said["status"], cpu=said["cpu"], memory=said["memory"])
        return None if received else Ended(status=9, cpu=0.0, memory=0)

    def kill(self, number: int, *, group: bool = False) -> None:
        """Send a signal to the process, or to all of its group; nothing where it has ended."""
        with contextlib.suppress(OSError):
            self._connection.sendall(f"{-number if group else number} ".encode())

    def close(self) -> None:
        """Let it go: it is ended where it still runs."""
        self._connection.close()


@contextlib.contextmanager
def held(folder: Path) -> Iterator[dict[str, str]]:
    """Keep templates in the folder until the block ends, and all of them have; the variables to find them by."""
    if sys.platform != "linux":
        yield {}
        return
    alive = busy = -1
    try:
        for name in (ALIVE, BUSY):
            os.mkfifo(folder / name, 0o600)
        alive = os.open(folder / ALIVE, os.O_RDWR | os.O_NONBLOCK)
        busy = os.open(folder / BUSY, os.O_RDONLY | os.O_NONBLOCK)
        yield {TEMPLATES: str(folder)}
    finally:
        if alive >= 0:
            os.close(alive)
        if busy >= 0:
            _wait_for_end(busy)
            os.close(busy)


def fork(role: str, request: Mapping[str, Any], descriptors: Sequence[int], *, at: Path, name: str) -> Forked | None:
    """Ask the template `name` in the folder `at`; None where it is not there or refuses."""
    try:
        connection = _connect(at, name)
    except OSError:
        return None
    try:
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))]
        message = json.dumps({**request, "role": role}).encode() + b"\n"
        sent = connection.sendmsg([message], rights)
        connection.sendall(message[sent:])
        answer = b""
        while not answer.endswith(b"\n"):
            more = connection.recv(1)  # what follows is for `Forked`
            if not more:
                break
            answer += more
        said = json.loads(answer) if answer else {}
    except (OSError, ValueError):
        said = {}
    if "pid" not in said:
        connection.close()
        return None
    return Forked(connection, said["pid"])


def start_template(
    role: str, modules: Sequence[str], *, at: Path, name: str, env: Mapping[str, str], flags: Sequence[str] = ()
) -> bool:
    """Have the template `name` in the folder `at`, whoever starts it; False where there can be none.

    Requests may be sent at once: they wait until it has imported the modules.
    """
    try:
        with _folder(at) as place:
            if (at / name).exists():
                return True
            own = f"{place}/{name}.{os.getpid()}"
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
                listener.bind(own)
                listener.listen(QUEUE)
                try:
                    os.link(own, f"{place}/{name}")
                except FileExistsError:
                    return True
                finally:
                    Path(own).unlink()
                command = [sys.executable, *flags, str(SCRIPT), role, ALIVE, BUSY, *modules]
                with (at / f"{name}.log").open("wb") as log:
                    done = subprocess.run(
                        command, cwd=at, env=dict(env), stdin=listener.fileno(), stdout=log, stderr=log, check=False
                    )
                return done.returncode == 0
    except OSError:
        return False


def worker_template(modules: Sequence[str], *, at: Path, env: Mapping[str, str]) -> str | None:
    """The name of the template for models' code that has imported just these modules; None where there can be none."""
    common = {key: value for key, value in env.items() if key not in PER_JOB}
    key = hashlib.sha256(json.dumps([sorted(common.items()), list(modules)]).encode()).hexdigest()[:16]
    name = f"worker-{key}"
    if not (at / name).exists() and sum(1 for _ in at.glob("worker-" + "?" * 16)) >= MOST:
        return None
    variables = {**common, "HOME": str(at), "PATH": os.defpath, "TMPDIR": str(at)}
    started = start_template("worker", ("confine", "worker", *modules), at=at, name=name, env=variables, flags=("-u",))
    return name if started else None


def _connect(at: Path, name: str) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with _folder(at) as place:
            connection.connect(f"{place}/{name}")
    except BaseException:
        connection.close()
        raise
    return connection


@contextlib.contextmanager
def _folder(at: Path) -> Iterator[str]:
    """A short name of the folder: a socket's path has 107 bytes at most."""
    descriptor = os.open(at, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


def _wait_for_end(busy: int) -> None:
    """Until nobody holds the other end."""
    limit = time.monotonic() + PATIENCE
    while (left := limit - time.monotonic()) > 0:
        try:
            if not os.read(busy, 1):
                return
        except BlockingIOError:
            select.select([busy], [], [], left)
