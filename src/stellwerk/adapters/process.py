"""Run a command that is not trusted to behave: it ends with its time, its log is bounded, nothing of it lives on.

On Linux the command starts through `worker/confine.py`, which hides and protects files where namespaces can be had
and ends every descendant in any case. Elsewhere it runs in a process group of its own, which is killed as one.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import stellwerk
from stellwerk.errors import StellwerkError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from resource import struct_rusage

PASSED_ON = ("PATH", "LANG", "LC_ALL", "SSL_CERT_FILE", "SSL_CERT_DIR", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES")
THREAD_LIMITS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "LOKY_MAX_CPU_COUNT")
LOG_LIMIT = 64 * 1024 * 1024
DRAIN_FACTOR = 16
TAIL = 8 * 1024
GRACE = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Isolation:
    """What the command must not read (`masked`), and the only folders it may write to besides its `cwd`.

    Holds where the machine grants Linux namespaces; `ProcessResult.isolation` says whether it did.
    """

    masked: tuple[Path, ...] = ()
    writable: tuple[Path, ...] = ()
    namespace: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessResult:
    """How a command ended. `code` is 128 + signal where a signal ended it; seconds; bytes.

    `isolation` is `namespace` or `directory`; `isolation_note` says why not a namespace. `killed_by` is `timeout`,
    `output-limit` or None. `log_tail` is the end of what it printed, even where the log was cut.
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
) -> ProcessResult:
    """Run to the end, or until `timeout` seconds passed, or 16 times `output_limit` bytes were printed.

    A string is a shell command. `log` keeps the first `output_limit` bytes of output and error output. Every
    descendant is dead when this returns or raises; KeyboardInterrupt is passed on after that.
    """
    words = ["/bin/sh", "-c", command] if isinstance(command, str) else list(command)
    with log.open("wb") as file:
        sink = _Sink(file=file, limit=output_limit, on_line=on_line)
        started = time.monotonic()
        child = _start(words, cwd=cwd, env=env, isolation=isolation)
        try:
            ended = _follow(child, sink, deadline=started + timeout)
        finally:
            _kill(child)
        sink.close()
    peak = int(ended.usage.ru_maxrss) * (1 if sys.platform == "darwin" else 1024)
    kind, _, note = ended.told.partition(": ")
    return ProcessResult(
        code=128 - ended.code if ended.code < 0 else ended.code,
        duration=time.monotonic() - started,
        cpu=ended.usage.ru_utime + ended.usage.ru_stime,
        peak_memory=peak,
        isolation=kind,
        isolation_note=note,
        killed_by=ended.killed_by,
        log_tail=sink.tail_text(),
    )


def masks(paths: Sequence[Path], *, needed: Sequence[Path]) -> tuple[str, ...]:
    """The existing, resolved paths to hide, without those inside another. Hiding a `needed` folder is an error."""
    resolved = sorted({path.resolve() for path in paths if path.exists()})
    outermost: list[Path] = []
    for path in resolved:
        if not any(path.is_relative_to(other) for other in outermost):
            outermost.append(path)
    for path in needed:
        for other in outermost:
            if path.resolve().is_relative_to(other):
                message = f"the model's process needs {path}, which lies inside a folder that is hidden from it"
                hint = "set TMPDIR and keep environments outside DVC's cache, its local remotes and git's folder"
                raise StellwerkError(message, where=str(other), hint=hint)
    return tuple(str(path) for path in outermost)


@dataclass(kw_only=True, slots=True)
class _Child:
    """A started process, its output, and the pipe on which confine.py tells the isolation."""

    process: subprocess.Popen[bytes]
    told: int | None
    ended: bool = False

    @property
    def output(self) -> BinaryIO:
        assert self.process.stdout is not None  # noqa: S101 - opened with a pipe
        return self.process.stdout  # type: ignore[return-value]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Ended:
    code: int
    usage: struct_rusage
    told: str
    killed_by: str | None


@dataclass(kw_only=True, slots=True)
class _Sink:
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


def _start(words: list[str], *, cwd: Path, env: Mapping[str, str], isolation: Isolation) -> _Child:
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    writable = [str(path.resolve()) for path in (cwd, *isolation.writable)]
    program = (Path(words[0]),) if Path(words[0]).is_absolute() else ()
    masked = masks(isolation.masked, needed=(cwd, *isolation.writable, *program))
    if sys.platform != "linux":
        process = subprocess.Popen(words, cwd=cwd, env=dict(env), start_new_session=True, **pipes)  # type: ignore[call-overload]
        return _Child(process=process, told=None)
    confine = Path(stellwerk.__file__).parent / "worker" / "confine.py"
    plan = {"command": words, "masked": masked, "writable": writable, "namespace": isolation.namespace}
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
    return _Child(process=process, told=told)


def _follow(child: _Child, sink: _Sink, *, deadline: float) -> _Ended:
    """Read output until the command has ended. Its resources are known then, from wait4."""
    killed_by = None
    status: tuple[int, struct_rusage] | None = None
    with selectors.DefaultSelector() as selector:
        selector.register(child.output, selectors.EVENT_READ)
        open_pipe = True
        while status is None or open_pipe:
            if open_pipe:
                open_pipe = _read(child, sink, selector, wait=0.05 if status is None else 0.2)
            else:
                time.sleep(0.005)
            if status is None:
                pid, code, usage = os.wait4(child.process.pid, os.WNOHANG)
                status = (code, usage) if pid else None
                child.ended = status is not None
            elif open_pipe and not selector.select(0):
                break  # it has ended; who holds the pipe open is no descendant that could be found
            if killed_by is None and status is None:
                killed_by = _excess(sink, deadline)
                if killed_by is not None:
                    _signal(child)
    code, usage = status
    child.process.returncode = os.waitstatus_to_exitcode(code)
    told = "directory: not Linux"
    if child.told is not None:
        os.set_blocking(child.told, False)
        told = os.read(child.told, 4096).decode() or "directory: ended before it was known"
    return _Ended(code=child.process.returncode, usage=usage, told=told, killed_by=killed_by)


def _excess(sink: _Sink, deadline: float) -> str | None:
    if time.monotonic() > deadline:
        return "timeout"
    return "output-limit" if sink.seen > DRAIN_FACTOR * sink.limit else None


def _read(child: _Child, sink: _Sink, selector: selectors.BaseSelector, *, wait: float) -> bool:
    """Take what there is; False once the pipe is at its end."""
    if not selector.select(wait):
        return True
    chunk = os.read(child.output.fileno(), 1 << 16)
    if chunk:
        sink.take(chunk)
        return True
    selector.unregister(child.output)
    return False


def _signal(child: _Child) -> None:
    """End the command and all it started: confine.py on SIGTERM kills them, the group's SIGKILL ends confine.py."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(child.process.pid, signal.SIGTERM)
    limit = time.monotonic() + GRACE
    while time.monotonic() < limit and not _is_zombie(child.process.pid):
        time.sleep(0.01)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.process.pid, signal.SIGKILL)


def _is_zombie(pid: int) -> bool:
    try:
        return (
            Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()[0] == "Z"
        )
    except OSError:
        return False


def _kill(child: _Child) -> None:
    """Leave nothing behind, whatever happened."""
    if not child.ended:
        _signal(child)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(child.process.pid, 0)
        child.process.returncode = -signal.SIGKILL
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.process.pid, signal.SIGKILL)  # on macOS a group outlives its leader
    child.output.close()
    if child.told is not None:
        os.close(child.told)
