"""A step's process: started in a session of its own, read line by line, interrupted as the runner does it, or killed."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

TRACKING = "RUNNER_TRACKING_ID"  # the variable by which what a job leaves behind is found


class Process:
    """One process and all that it started; other threads may interrupt or kill it."""

    def __init__(self, command: Sequence[str], *, cwd: Path, env: Mapping[str, str]) -> None:
        self._heard = 0
        self._started = subprocess.Popen(
            command,
            cwd=cwd,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def follow(self, hear: Callable[[str], None], *, timeout: float | None = None) -> int:
        """Give every line to `hear` and return the exit code; raises subprocess.TimeoutExpired and leaves it running."""
        reader = threading.Thread(target=self._read, args=(hear,), daemon=True)
        reader.start()
        code = self._started.wait(timeout)
        heard = -1  # a daemon may hold the pipe open: wait only while something comes
        while reader.is_alive() and heard != self._heard:
            heard = self._heard
            reader.join(0.5)
        return code

    def interrupt(self, grace: float) -> None:
        """Ask to end by SIGINT, then by SIGTERM, then kill; `grace` seconds each."""
        for number in (signal.SIGINT, signal.SIGTERM):
            self._signal(number)
            try:
                self._started.wait(grace)
            except subprocess.TimeoutExpired:
                continue
            return
        self.kill()

    def kill(self) -> None:
        self._signal(signal.SIGKILL)

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._started.pid, number)

    def _read(self, hear: Callable[[str], None]) -> None:
        assert self._started.stdout is not None
        with self._started.stdout as output:
            for line in output:
                self._heard += 1
                hear(line.decode("utf-8", "replace").rstrip("\r\n"))


def kill_tracked(tracking: str) -> None:
    """Kill every process that a job left behind, however it detached itself: what a machine that is switched off does."""
    wanted = f"{TRACKING}={tracking}".encode()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if wanted in (folder / "environ").read_bytes().split(b"\0"):
                os.kill(int(folder.name), signal.SIGKILL)
        except (OSError, ValueError):
            continue
