"""Run a command that is not trusted to behave: it ends with its time, its log is bounded, nothing of it lives on.

On Linux the command starts through `worker/confine.py`, which hides and protects files where namespaces can be had
and ends every descendant in any case. Elsewhere it runs in a process group of its own, which is killed as one.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from msgspec import Struct

from stellwerk.adapters.child import start

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from stellwerk.adapters.child import Child, Forking, Isolation

PASSED_ON = (
    "PATH",
    "LANG",
    "LC_ALL",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "LD_LIBRARY_PATH",
    "CUDA_VISIBLE_DEVICES",
    "PYTEST_DISABLE_PLUGIN_AUTOLOAD",  # plugins that a model's tests do without may take longer than the tests
)
THREAD_LIMITS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "LOKY_MAX_CPU_COUNT")
LOG_LIMIT = 64 * 1024 * 1024
DRAIN_FACTOR = 16
TAIL = 8 * 1024
GRACE = 2.0


class ProcessResult(Struct, frozen=True, kw_only=True):
    """How a command ended. `code` is 128 + signal where a signal ended it; seconds; bytes.

    `isolation` is `namespace` or `directory`; `isolation_note` says why not a namespace. `killed_by` is `timeout`,
    `output-limit`, `stopped` or None. `log_tail` is the end of what it printed, even where the log was cut.
    """

    code: int
    duration: float
    cpu: float
    peak_memory: int
    isolation: str
    isolation_note: str
    killed_by: str | None
    log_tail: str


def scrubbed_environment(job: Path, *, declared: Mapping[str, str], parent: Mapping[str, str]) -> dict[str, str]:
    """A short list of variables: `job` is the home and temporary folder, of `declared` only STELLWERK_* remain."""
    kept = {name: parent[name] for name in (*PASSED_ON, *THREAD_LIMITS) if name in parent}
    fixed = {"HOME": str(job), "TMPDIR": str(job), "TZ": "UTC", "PYTHONHASHSEED": "0", "PYTHONUTF8": "1"}
    defaults = {"PATH": os.defpath, "LANG": "C.UTF-8"}
    stellwerk = {name: value for name, value in declared.items() if name.startswith("STELLWERK_")}
    return {**defaults, **kept, **fixed, **stellwerk}


def run(
    command: Sequence[str] | str,
    *,
    cwd: Path,
    env: Mapping[str, str],
    timeout: float,
    log: Path,
    isolation: Isolation,
    on_line: Callable[[str], None] | None = None,
    output_limit: int = LOG_LIMIT,
    forking: Forking | None = None,
    stopped: Callable[[], bool] | None = None,
) -> ProcessResult:
    """Run to the end, or until `timeout` seconds passed, or 16 times `output_limit` bytes were printed, or `stopped()`.

    A string is a shell command. With `forking` a template's fork may do what the command would. `log` keeps the first
    `output_limit` bytes of output and error output. Every descendant is dead when this returns or raises;
    KeyboardInterrupt is passed on after that.
    """
    words = ["/bin/sh", "-c", command] if isinstance(command, str) else list(command)
    with log.open("wb") as file:
        sink = _Sink(file=file, limit=output_limit, on_line=on_line)
        started = time.monotonic()
        child = start(words, cwd=cwd, env=env, isolation=isolation, forking=forking)
        try:
            ended = _follow(child, sink, deadline=started + timeout, stopped=stopped)
        finally:
            _kill(child)
        sink.close()
    peak = ended.memory * (1 if sys.platform == "darwin" else 1024)
    kind, _, note = ended.told.partition(": ")
    return ProcessResult(
        code=128 - ended.code if ended.code < 0 else ended.code,
        duration=time.monotonic() - started,
        cpu=ended.cpu,
        peak_memory=peak,
        isolation=kind,
        isolation_note=note,
        killed_by=ended.killed_by,
        log_tail=sink.tail_text(),
    )


class _Ended(Struct, frozen=True, kw_only=True):
    code: int
    cpu: float
    memory: int
    told: str
    killed_by: str | None


class _Sink(Struct, kw_only=True):
    """Where output goes: the file up to `limit` bytes, whole lines to `on_line`, the last bytes to the tail."""

    file: BinaryIO
    limit: int
    on_line: Callable[[str], None] | None
    seen: int = 0
    tail: bytes = b""
    partial: bytes = b""

    def take(self, chunk: bytes) -> None:
        room = self.limit - self.seen
        self.seen += len(chunk)
        self.tail = (self.tail + chunk)[-TAIL:]
        kept = chunk[: max(room, 0)]
        if not kept:
            return
        self.file.write(kept)
        self.file.flush()
        if self.on_line is not None:
            *lines, self.partial = (self.partial + kept).split(b"\n")
            for line in lines:
                self.on_line(line.decode("utf-8", "replace").rstrip("\r"))

    def close(self) -> None:
        if self.on_line is not None and self.partial:
            self.on_line(self.partial.decode("utf-8", "replace"))
        if self.seen > self.limit:
            self.file.write(self._cut_note().encode())

    def tail_text(self) -> str:
        text = self.tail.decode("utf-8", "replace")
        return text + self._cut_note() if self.seen > self.limit else text

    def _cut_note(self) -> str:
        return f"\n[stellwerk: the log is cut: {self.seen} bytes were printed, {self.limit} are kept]\n"


def _follow(child: Child, sink: _Sink, *, deadline: float, stopped: Callable[[], bool] | None) -> _Ended:
    """Read output until the command has ended. Its resources are known then."""
    killed_by = None
    ended: tuple[int, float, int] | None = None
    with selectors.DefaultSelector() as selector:
        selector.register(child.output, selectors.EVENT_READ)
        open_pipe = True
        while ended is None or open_pipe:
            if open_pipe:
                open_pipe = _read(child, sink, selector, wait=0.05 if ended is None else 0.2)
            else:
                time.sleep(0.001)
            if ended is None:
                ended = child.poll()
            elif open_pipe and not selector.select(0):
                break  # it has ended; who holds the pipe open is no descendant that could be found
            if killed_by is None and ended is None:
                killed_by = _excess(sink, deadline) or ("stopped" if stopped is not None and stopped() else None)
                if killed_by is not None:
                    _signal(child)
    status, cpu, memory = ended
    told = "directory: not Linux"
    if child.told is not None:
        os.set_blocking(child.told, False)
        told = os.read(child.told, 4096).decode() or "directory: ended before it was known"
    return _Ended(code=os.waitstatus_to_exitcode(status), cpu=cpu, memory=memory, told=told, killed_by=killed_by)


def _excess(sink: _Sink, deadline: float) -> str | None:
    if time.monotonic() > deadline:
        return "timeout"
    return "output-limit" if sink.seen > DRAIN_FACTOR * sink.limit else None


def _read(child: Child, sink: _Sink, selector: selectors.BaseSelector, *, wait: float) -> bool:
    """Take what there is; False once the pipe is at its end."""
    if not selector.select(wait):
        return True
    chunk = os.read(child.output.fileno(), 1 << 16)
    if chunk:
        sink.take(chunk)
        return True
    selector.unregister(child.output)
    return False


def _signal(child: Child) -> None:
    """End the command and all it started: confine.py on SIGTERM kills them, the group's SIGKILL ends confine.py."""
    child.kill(signal.SIGTERM)
    limit = time.monotonic() + GRACE
    while time.monotonic() < limit and not _is_zombie(child.process.pid):
        time.sleep(0.01)
    child.kill(signal.SIGKILL, group=True)


def _is_zombie(pid: int) -> bool:
    """Or gone: a template's forks are waited for there."""
    try:
        return (
            Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()[0] == "Z"
        )
    except FileNotFoundError:
        return sys.platform == "linux"
    except OSError:
        return False


def _kill(child: Child) -> None:
    """Leave nothing behind, whatever happened."""
    if not child.ended:
        _signal(child)
        if isinstance(child.process, subprocess.Popen):
            with contextlib.suppress(ChildProcessError):
                os.waitpid(child.process.pid, 0)
            child.process.returncode = -signal.SIGKILL
        else:
            while child.poll() is None:
                time.sleep(0.001)
        _drain(child)
    if isinstance(child.process, subprocess.Popen):
        child.kill(signal.SIGKILL, group=True)  # on macOS a group outlives its leader
    else:
        child.process.close()
    child.output.close()
    if child.told is not None:
        os.close(child.told)


def _drain(child: Child) -> None:
    """Until nobody holds the output any more: what was killed takes a moment to be gone."""
    limit = time.monotonic() + GRACE
    with selectors.DefaultSelector() as selector:
        selector.register(child.output, selectors.EVENT_READ)
        while (left := limit - time.monotonic()) > 0:
            if selector.select(left) and not os.read(child.output.fileno(), 1 << 16):
                return
