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
        """End it as the runner does: SIGINT, `grace` seconds, SIGTERM, a third of that, then kill it and its group.

        The signals go to the process alone. What a script started in the foreground hears nothing of them.
        """
        for number, seconds in ((signal.SIGINT, grace), (signal.SIGTERM, grace / 3)):
            self._started.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._started.wait(seconds)
                return
        self.kill()

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._started.pid, signal.SIGKILL)

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
