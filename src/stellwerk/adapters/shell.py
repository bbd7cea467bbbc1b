"""Run a command that people declared for their own systems: with their environment, a time limit, its output's end.

Unlike a model's code it is trusted, and what it starts may live on (a deploy command starts a server).
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import tempfile
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

TAIL = 4096
SECRET = re.compile(r"SECRET|TOKEN|PASSWORD|PASSWD|CREDENTIAL|(^|_)KEY", re.IGNORECASE)
SHORTEST_SECRET = 8


class ShellResult(Struct, frozen=True, kw_only=True):
    """How a command ended: its exit code (None: out of time), the end of its standard output, and of all it printed.

    The values of environment variables whose names speak of secrets are left out of both.
    """

    code: int | None
    output: str
    log: str

    @property
    def last_line(self) -> str:
        """The last line of standard output that is not empty, at most 200 characters."""
        lines = [line.strip() for line in self.output.splitlines() if line.strip()]
        return lines[-1][:200] if lines else ""

    @property
    def ending(self) -> str:
        """In words, for a message: how it ended, and the last lines it printed."""
        how = "ran out of time" if self.code is None else f"exited with {self.code}"
        lines = self.log.strip().splitlines()[-20:]
        return "\n  ".join([how, *lines])


def run_shell(command: str, *, cwd: Path, env: Mapping[str, str], timeout: float) -> ShellResult:
    """Run `/bin/sh -c command`. Out of time, or interrupted, its whole process group is killed."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = subprocess.Popen(
            ["/bin/sh", "-c", command],
            cwd=cwd,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            start_new_session=True,
        )
        code: int | None
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        output, errors = (_without_secrets(_end(file.fileno()), env) for file in (out, err))
        return ShellResult(code=code, output=output, log=f"{output}\n{errors}".strip())


def _end(descriptor: int) -> str:
    size = os.fstat(descriptor).st_size
    start = max(0, size - TAIL)
    return os.pread(descriptor, TAIL, start).decode("utf-8", "replace")


def _without_secrets(text: str, env: Mapping[str, str]) -> str:
    for name, value in env.items():
        if SECRET.search(name) and len(value) >= SHORTEST_SECRET:
            text = text.replace(value, "***")
    return text
