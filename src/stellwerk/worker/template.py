"""A process that has imported what many others need, and forks for each of them.

    python template.py ROLE ALIVE BUSY MODULE...

Standard library only, imports nothing of Stellwerk by itself; the MODULEs are imported first, in their order. One that
cannot be is passed over: who needs it will say so. Standard input is the listening socket. The current folder belongs
to a run; its named pipe ALIVE has a writer as long as the run lives, BUSY as long as a template does.

One request per connection: a JSON object and file descriptors. ROLE says what a fork does with it:

- `stage`: `{"call": "module:function", "argv", "cwd", "env"}` and standard input, output and error: calls the function
  with the list of arguments.
- `worker`: `{"plan", "argv", "cwd", "env", "code"}`, output, and the pipe on which `confine.py` tells the isolation:
  runs `worker.py` confined. The template never sees a row or a model's code: a fork starts as empty as a new process.

Answers, a line of JSON each: `{"refused": why}`, or `{"pid"}` and at the end `{"status", "cpu", "memory"}` (wait
status, seconds, kilobytes). Meanwhile the word `NUMBER` sends the fork that signal, `-NUMBER` its process group. A
connection that the client closes before interrupts the fork.
"""

import array
import atexit
import contextlib
import gc
import importlib
import io
import json
import os
import selectors
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

MOST = 1 << 20  # bytes of a request
GRACE = 2.0  # seconds between the request to end and the end by force
TOLD = 3  # where a fork keeps the pipe to tell on

Task = Callable[[], int]


class Fork:
    """A fork at work, and who asked for it."""

    def __init__(self, pid: int, connection: socket.socket) -> None:
        self.pid = pid
        self.handle = os.pidfd_open(pid)
        self.connection: socket.socket | None = connection
        self.deadline: float | None = None

    def kill(self, number: int, *, group: bool = False) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            (os.killpg if group else os.kill)(self.pid, number)


class Template:
    """Accepts requests, forks, passes on signals, reports ends."""

    def __init__(self, role: str, listener: socket.socket, alive: int) -> None:
        self.role = role
        self.listener = listener
        self.alive = alive
        self.forks: dict[int, Fork] = {}  # by the number of their handle, and of their connection
        self.selector = selectors.DefaultSelector()
        self.selector.register(listener, selectors.EVENT_READ)
        self.selector.register(alive, selectors.EVENT_READ)
        self.open = True

    def serve(self) -> Task | None:
        """Returns in a fork, with what it is to do; in the template itself with None, when the run has gone."""
        while self.open or self.forks:
            deadlines = [fork.deadline for fork in self.forks.values() if fork.deadline is not None]
            wait = max(0.0, min(deadlines) - time.monotonic()) if deadlines else None
            for key, _ in self.selector.select(wait):
                # Or it was closed meanwhile, and its number may be another's by now.
                if self.selector.get_map().get(key.fd) is key:
                    task = self._heard(key)
                    if task is not None:
                        return task
            for fork in tuple(self.forks.values()):
                if fork.deadline is not None and fork.deadline <= time.monotonic():
                    fork.deadline = None
                    fork.kill(signal.SIGKILL, group=True)
        return None

    def _heard(self, key: selectors.SelectorKey) -> Task | None:
        if key.fd == self.alive:
            self._close()
        elif key.fileobj is self.listener:
            return self._accept()
        elif key.fd == self.forks[key.fd].handle:
            self._ended(self.forks[key.fd])
        else:
            self._told(self.forks[key.fd])
        return None

    def _close(self) -> None:
        """The run has gone: nothing new is begun; what is at work is ended by those who asked for it."""
        self.selector.unregister(self.alive)
        self.selector.unregister(self.listener)
        self.listener.close()
        self.open = False

    def _accept(self) -> Task | None:
        connection, _ = self.listener.accept()
        connection.settimeout(GRACE)
        received: list[int] = []
        try:
            request = _request(connection, received)
            refused = unsuitable(self.role, request)
            if refused:
                _answer(connection, {"refused": refused})
                connection.close()
                return None
            pid = os.fork()
            if pid == 0:
                return self._or_die(connection, request, received)
        except (OSError, ValueError, KeyError) as error:
            _answer(connection, {"refused": f"{type(error).__name__}: {error}"})
            connection.close()
            return None
        finally:
            for descriptor in received:
                os.close(descriptor)
        fork = Fork(pid, connection)
        self.forks[fork.handle] = self.forks[connection.fileno()] = fork
        self.selector.register(fork.handle, selectors.EVENT_READ)
        self.selector.register(connection, selectors.EVENT_READ)
        _answer(connection, {"pid": pid})
        return None

    def _or_die(self, connection: socket.socket, request: dict[str, Any], received: list[int]) -> Task:
        """A fork must never go on as if it were the template."""
        try:
            return self._in_fork(connection, request, received)
        except BaseException:  # noqa: BLE001 - see above
            traceback.print_exc()
            os._exit(1)

    def _in_fork(self, connection: socket.socket, request: dict[str, Any], received: list[int]) -> Task:
        """Keep nothing that leads back to the template, or to another fork."""
        self.selector.close()
        self.listener.close()
        connection.close()
        for fork in self.forks.values():
            if fork.connection is not None:
                fork.connection.close()
        if self.role == "stage":
            places = {0: received[0], 1: received[1], 2: received[2]}
        else:
            empty = os.open(os.devnull, os.O_RDONLY)
            places = {0: empty, 1: received[0], 2: received[0], TOLD: received[1]}
        # First out of the way: what is to be at 1 may be where the listener was, or at another's place.
        moved = {place: _above(descriptor) for place, descriptor in places.items()}
        for place, descriptor in moved.items():
            os.dup2(descriptor, place, inheritable=place <= 2)  # noqa: PLR2004 - standard input, output, error
        received.clear()
        os.closerange(max(places) + 1, os.sysconf("SC_OPEN_MAX"))
        _open_streams()
        os.setsid()
        os.environ.clear()
        os.environ.update(request["env"])
        os.chdir(request["cwd"])
        if "tempfile" in sys.modules:
            sys.modules["tempfile"].tempdir = None  # type: ignore[attr-defined]
        time.tzset()
        sys.argv = list(request["argv"])
        return {"stage": stage, "worker": worker}[self.role](request)

    def _told(self, fork: Fork) -> None:
        if fork.connection is None:
            return
        try:
            text = fork.connection.recv(4096).decode("ascii", "replace")
        except OSError:
            text = ""
        for word in text.split():
            with contextlib.suppress(ValueError):
                fork.kill(abs(int(word)), group=word.startswith("-"))
        if not text:
            self._forget(fork)
            if self.role == "stage":
                fork.kill(signal.SIGINT)
            else:
                fork.kill(signal.SIGTERM)
                fork.deadline = time.monotonic() + GRACE

    def _ended(self, fork: Fork) -> None:
        fork.kill(signal.SIGKILL, group=True)  # whom it left; the number is not another's before it is waited for
        _, status, usage = os.wait4(fork.pid, 0)
        self.selector.unregister(fork.handle)
        del self.forks[fork.handle]
        os.close(fork.handle)
        if fork.connection is not None:
            cpu = usage.ru_utime + usage.ru_stime
            _answer(fork.connection, {"status": status, "cpu": cpu, "memory": usage.ru_maxrss})
            self._forget(fork)

    def _forget(self, fork: Fork) -> None:
        if fork.connection is not None:
            del self.forks[fork.connection.fileno()]
            self.selector.unregister(fork.connection)
            fork.connection.close()
            fork.connection = None


def unsuitable(role: str, request: dict[str, Any]) -> str:
    """Why a fork would not do what a new process does; '' where it would.

    A module that is imported already hides the one of the same name that lies beside the model's code.
    """
    if role == "stage":
        return ""
    for folder in request["code"]:
        with contextlib.suppress(OSError):
            for name in os.listdir(folder):
                if name.partition(".")[0] in sys.modules:
                    return f"{name} would be hidden by a module that is imported already"
    return ""


def stage(request: dict[str, Any]) -> Task:
    def task() -> int:
        module, _, name = request["call"].partition(":")
        found = getattr(importlib.import_module(module), name)(sys.argv)
        return int(found or 0)

    return task


def worker(request: dict[str, Any]) -> Task:
    confine, code = importlib.import_module("confine"), importlib.import_module("worker")

    def start(_plan: object) -> None:
        """In the place of an exec: SystemExit goes up to the top, so that this ends as a script does."""
        os.closerange(TOLD, os.sysconf("SC_OPEN_MAX"))
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        sys.modules["__main__"] = code
        try:
            ended = code.main()
        except BaseException:  # noqa: BLE001 - OSError would be taken for a failure of the confinement
            traceback.print_exc()
            ended = 1
        sys.exit(ended)

    return lambda: os._exit(confine.confined(request["plan"], TOLD, start))


def _open_streams() -> None:
    """Anew, as an interpreter does: the template's own know their file as one with positions."""
    for name, number in (("stdout", 1), ("stderr", 2)):
        before = getattr(sys, name)
        stream = io.TextIOWrapper(
            open(number, "wb", buffering=0 if before.write_through else -1, closefd=False),  # noqa: SIM115 - lives as long as the process
            encoding=before.encoding,
            errors=before.errors,
            newline="\n",
            line_buffering=before.line_buffering,
            write_through=before.write_through,
        )
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def _above(descriptor: int) -> int:
    """A copy at a number that no place has."""
    import fcntl

    return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, TOLD + 1)


def _request(connection: socket.socket, received: list[int]) -> dict[str, Any]:
    """The request; its descriptors are added to `received`."""
    size = array.array("i").itemsize
    data, ancillary, _, _ = connection.recvmsg(MOST, socket.CMSG_SPACE(4 * size))
    for level, kind, content in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            numbers = array.array("i")
            numbers.frombytes(content[: len(content) - len(content) % size])
            received.extend(numbers)
    while data and not data.endswith(b"\n"):
        more = connection.recv(MOST)
        if not more:
            break
        data += more
    found: dict[str, Any] = json.loads(data)
    return found


def _answer(connection: socket.socket, answer: dict[str, Any]) -> None:
    with contextlib.suppress(OSError):
        connection.sendall(json.dumps(answer).encode() + b"\n")


def heed_signals() -> None:
    """Nothing is ignored or held back in a fork because it was where the run was started: `nohup` and `&` do."""
    for number in (signal.SIGHUP, signal.SIGQUIT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _detach() -> bool:
    """Go on in a process without a parent to wait for it; False in the one that was started."""
    os.setsid()
    return os.fork() == 0


def _leave(code: list[int]) -> None:
    """The last thing a fork does: to take apart all that it shares with the template would copy it first."""
    if code:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(code[0])


def main() -> int:
    forked: list[int] = []
    atexit.register(_leave, forked)  # called last, since it is registered before any other
    role, alive, busy, *modules = sys.argv[1:]
    heed_signals()
    os.open(busy, os.O_WRONLY | os.O_NONBLOCK)  # held open until this process ends
    if not _detach():
        return 0
    listener = socket.socket(fileno=os.dup(0))
    watched = os.open(alive, os.O_RDONLY | os.O_NONBLOCK)
    with contextlib.suppress(BlockingIOError):
        os.read(watched, 1)
        return 0  # at its end already: the run has gone
    for name in modules:
        with contextlib.suppress(Exception):
            importlib.import_module(name)
    if role == "worker":
        importlib.import_module("worker").installed()
    gc.collect()
    gc.freeze()  # or each fork copies all of it when its first collection marks what it sees
    task = Template(role, listener, watched).serve()
    if task is None:
        return 0
    try:
        code = task()
    except SystemExit as end:
        if not isinstance(end.code, int):
            raise
        code = end.code
    forked.append(code)
    return code


if __name__ == "__main__":
    sys.exit(main())
