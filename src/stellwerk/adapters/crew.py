"""Jobs in processes of their own, forked from this one, so that each starts with everything that is known here.

A job may change its current folder, crash or be ended without harm to the others. What must happen in one place (a
commit, a push) it asks its parent for and waits. The first SIGINT or SIGTERM asks for a clean end (`Crew.stopping`), a
second one interrupts; one that is ignored (`nohup`, `&`) stays so. A job whose parent has gone interrupts itself,
whatever signals that heeded. Linux and macOS.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import threading
import time
import traceback
import warnings
from importlib import import_module
from multiprocessing.connection import Pipe, wait
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from stellwerk.errors import StellwerkError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from multiprocessing.connection import Connection
    from types import FrameType, TracebackType
    from typing import Self

GRACE = 20.0  # seconds in which an interrupted job cleans up behind itself
AGAIN = 5.0  # seconds after which a job that goes on is interrupted again
SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Said(Struct, frozen=True, kw_only=True):
    """What a job says: a `line` of text, what it asks (`ask`), or how it ended.

    The ends are `result` (what it returned), `problem` (a StellwerkError's where, message and hint), `bug` (an
    unexpected exception's name, words and traceback), `interrupted`, and `gone` (how a process ended without a word).
    """

    job: str
    kind: str
    value: Any = None


class Asker:
    """A job's way to its parent. `line` may be called in any thread, `ask` in the job's own."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        self._held = False  # whether an interruption has to wait
        self._interrupted = False

    def line(self, text: str) -> None:
        """Tell a line of output."""
        if threading.current_thread() is not threading.main_thread():
            self._send("line", text)
            return
        with self._uninterrupted():  # half a message would be none
            self._send("line", text)
        self.check()

    def ask(self, *question: object, last: bool = False) -> Any:
        """The parent's answer. Raises the StellwerkError it refuses with. What was asked for is never interrupted.

        After its `last` question a job is not interrupted any more, so that it can say what came of it.
        """
        with self._uninterrupted(to_the_end=last):
            try:
                self._send("ask", question)
                refused, answer = self._connection.recv()
            except (EOFError, OSError) as error:
                raise KeyboardInterrupt from error  # the parent has gone
        if refused:
            raise answer
        return answer

    def check(self) -> None:
        """Raises KeyboardInterrupt where an interruption came while something was said or asked."""
        if self._interrupted:
            raise KeyboardInterrupt

    def end(self, kind: str, value: object) -> None:
        """The job's last words."""
        with self._uninterrupted(), contextlib.suppress(OSError):
            self._send(kind, value)

    def interrupt(self, _number: int, _frame: FrameType | None) -> None:
        """The job's signal handler. Nothing is raised while an interruption is being cleaned up behind.

        It may come again, since an exception that meets a callback of the interpreter's is swallowed.
        """
        self._interrupted = True
        if not self._held and not _cleaning_up():
            raise KeyboardInterrupt

    @contextlib.contextmanager
    def _uninterrupted(self, *, to_the_end: bool = False) -> Iterator[None]:
        held, self._held = self._held, True
        try:
            yield
        finally:
            self._held = held or to_the_end

    def _send(self, kind: str, value: object) -> None:
        with self._lock:
            self._connection.send((kind, value))


def _cleaning_up() -> bool:
    """Whether the code that a signal met is dealing with an interruption already."""
    error = sys.exc_info()[1]
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__context__
    return error is not None


class _Member(Struct, frozen=True, kw_only=True):
    job: str
    pid: int
    connection: Connection


class Crew:
    """The jobs at work. Use as a context manager, in the main thread: no process outlives the block."""

    def __init__(self) -> None:
        self.stopping = False
        self._members: dict[str, _Member] = {}
        self._before: dict[int, Any] = {}
        self._alive = (-1, -1)
        self._told = False
        self._told_at = 0.0

    def __enter__(self) -> Self:
        self._alive = os.pipe()  # at its end once this process has gone: only it holds the writing side
        if threading.current_thread() is threading.main_thread():
            heeded = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
            self._before = {number: signal.signal(number, self._stop) for number in heeded}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.interrupt()
            limit = time.monotonic() + GRACE
            while self._members and time.monotonic() < limit:
                for said in self.wait(0.1):
                    if said.kind == "ask":
                        self.refuse(said.job, StellwerkError("the run has ended"))
        finally:
            for member in self._members.values():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(member.pid, signal.SIGKILL)
                os.waitpid(member.pid, 0)
            self._members.clear()
            for number, handler in self._before.items():
                signal.signal(number, handler)
            for descriptor in self._alive:
                os.close(descriptor)

    @property
    def busy(self) -> int:
        """How many jobs are at work."""
        return len(self._members)

    @staticmethod
    def prepare(modules: Iterable[str]) -> None:
        """Import here, once, what every job would import for itself; what there is not is passed over."""
        for name in modules:
            with contextlib.suppress(ImportError):
                import_module(name)

    def start(self, job: str, call: Callable[[Asker], object]) -> None:
        """Make the call in a process of its own; what it returns must be picklable. StellwerkError: no room."""
        ours, theirs = Pipe()
        for stream in (sys.stdout, sys.stderr):
            stream.flush()  # or both processes would write what is left
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # other threads: of a display, of a test runner
            before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # until the new process has handlers of its own
            try:
                pid = os.fork()
                if pid == 0:
                    self._work(call, ours, theirs)
                self._members[job] = _Member(job=job, pid=pid, connection=ours)
            except OSError as error:
                hint = "run fewer jobs at once"
                raise StellwerkError(f"no process can be started: {error.strerror}", hint=hint) from error
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)
        theirs.close()

    def wait(self, seconds: float) -> list[Said]:
        """What the jobs say, as soon as one says something, or nothing after that many seconds."""
        if self._told and time.monotonic() - self._told_at > AGAIN:
            self._tell()
        connections = {member.connection: member for member in self._members.values()}
        return [self._hear(connections[ready]) for ready in wait(list(connections), seconds)]  # type: ignore[index]

    def answer(self, job: str, value: object) -> None:
        """Answer what the job asked."""
        self._reply(job, (False, value))

    def refuse(self, job: str, error: StellwerkError) -> None:
        """Let the job's question raise that error."""
        self._reply(job, (True, error))

    def interrupt(self) -> None:
        """Interrupt every job; each still gets answers, and says how it ended. Who goes on is told again."""
        if not self._told:
            self._told = True
            self._tell()

    def _tell(self) -> None:
        self._told_at = time.monotonic()
        for member in self._members.values():
            with contextlib.suppress(ProcessLookupError):
                os.kill(member.pid, signal.SIGINT)

    def _reply(self, job: str, message: tuple[bool, object]) -> None:
        with contextlib.suppress(OSError):  # it has ended: `wait` will say so
            self._members[job].connection.send(message)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        if self.stopping:
            signal.default_int_handler(number, frame)
        self.stopping = True

    def _hear(self, member: _Member) -> Said:
        try:
            kind, value = member.connection.recv()
        except Exception:  # noqa: BLE001 - its end, or a message broken off by it
            kind, value = "gone", None
        if kind in {"line", "ask"}:
            return Said(job=member.job, kind=kind, value=value)
        del self._members[member.job]
        member.connection.close()
        _, status = os.waitpid(member.pid, 0)
        return Said(job=member.job, kind=kind, value=_ending(status) if kind == "gone" else value)

    def _work(self, call: Callable[[Asker], object], ours: Connection, theirs: Connection) -> None:
        """The life of a job's process. Never returns."""
        code = 1
        try:
            asker = Asker(theirs)
            for number in SIGNALS:
                signal.signal(number, asker.interrupt)
            os.setsid()  # a terminal's Ctrl-C reaches the parent, which tells us
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
            ours.close()
            for member in self._members.values():
                member.connection.close()
            os.close(self._alive[1])
            threading.Thread(target=_follow, args=(self._alive[0],), daemon=True).start()
            asker.end(*_outcome(call, asker))
            code = 0
        finally:
            os._exit(code)  # nothing of the parent's is flushed, closed or cleaned up here


def _outcome(call: Callable[[Asker], object], asker: Asker) -> tuple[str, object]:
    try:
        return "result", call(asker)
    except StellwerkError as error:
        return "problem", (error.where, error.message, error.hint)
    except KeyboardInterrupt:
        return "interrupted", None
    except BaseException as error:  # noqa: BLE001 - the parent raises it
        return "bug", (type(error).__name__, str(error), "".join(traceback.format_exception(error)))


def _follow(alive: int) -> None:
    """Interrupt this process when its parent has gone; end it where that is not enough."""
    select.select([alive], [], [])
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(GRACE)
    os.killpg(0, signal.SIGKILL)


def _ending(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        return f"exited with {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"
