"""Where a job works: its folders, variables and secrets, and the processes it starts there, until it is cancelled or dies."""

from __future__ import annotations

import fnmatch
import re
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .commands import CommandError, Listener, Masks, read_pairs, read_summary
from .machine import Folders, Machine, default_variables, write_event
from .processes import Process, kill_tracked

if TYPE_CHECKING:
    from .actions import ActionCall
    from .events import Event
    from .repository import Repository, Token
    from .results import StepResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """A runner that dies: in the first job and step that fit (patterns of ids or names), before the step begins, or
    when a line of its output matches. Nothing of the job runs after that, not even `always()`."""

    job: str = "*"
    step: str = "*"
    line: str | None = None
    conclusion: str = "failure"


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """What the scheduler hands to a runner. `contexts` are those known before the job: github, needs, matrix, ..."""

    repository: Repository
    event: Event
    machine: Machine
    folder: Path
    stores: Path  # caches and artifacts, shared by jobs
    contexts: Mapping[str, Any]
    environment: tuple[Mapping[str, Any], ...]  # `env:` of the workflow and of the job
    defaults: Mapping[str, Any]
    token: Token
    minutes: float
    kill: Kill | None = None


class DeadError(Exception):
    """The runner was killed."""


class TimeUpError(Exception):
    """A process that was stopped because its step or its job took too long."""


class Workplace:
    """`execute` works in the job's thread; `cancel` is for others. `status` is the job's: success, failure, cancelled."""

    def __init__(self, assignment: Assignment) -> None:
        self.given = assignment
        self.masks = Masks()
        self.status = "success"
        self.posts: list[tuple[str, str, Callable[[ActionCall], None], ActionCall]] = []
        self.paths: list[str] = []
        self.env: dict[str, str] = {}
        self.tracking = f"github_{uuid.uuid4().hex}"
        self.folders = Folders.make(assignment.folder, assignment.repository.name)
        self._process: Process | None = None
        self.cancelled = threading.Event()
        self._lost = threading.Event()
        self._deadline = time.monotonic() + assignment.minutes * assignment.machine.minute
        event_path = write_event(self.folders, assignment.event)
        self.github = {
            **assignment.contexts["github"],
            "token": assignment.token.value,
            "workspace": str(self.folders.workspace),
            "event_path": str(event_path),
        }

    def cancel(self) -> None:
        """As a person's cancel: the process is asked to end, then what runs `always()` runs."""
        self.cancelled.set()
        if process := self._process:
            process.interrupt(self.given.machine.grace)

    def execute(
        self, command: list[str], *, cwd: Path, env: Mapping[str, str], listener: Listener, minutes: float | None
    ) -> int:
        """Run a process of this job; its exit code. Raises DeadError and TimeUpError."""
        self.check_alive(listener.result)
        kill = self._kill(listener.result)
        pattern = re.compile(kill.line) if kill and kill.line else None

        def hear(line: str) -> None:
            if self._lost.is_set():
                return
            listener.hear(line)
            if pattern and pattern.search(line):
                self._lost.set()
                process.kill()
                kill_tracked(self.tracking)

        process = Process(command, cwd=cwd, env=env)
        self._process = process
        try:
            if self.cancelled.is_set() and self.status != "cancelled":
                process.interrupt(self.given.machine.grace)
            code = process.follow(hear, timeout=self._seconds(minutes))
        except subprocess.TimeoutExpired:
            over = time.monotonic() >= self._deadline
            process.interrupt(self.given.machine.grace)
            if over:
                self.cancelled.set()
            raise TimeUpError(
                "The job has exceeded the maximum execution time"
                if over
                else f"The action '{listener.result.name}' has timed out after {minutes:g} minutes."
            ) from None
        finally:
            self._process = None
        if self._lost.is_set():
            raise DeadError
        return code

    def _seconds(self, minutes: float | None) -> float:
        left = self._deadline - time.monotonic()
        if self.status == "cancelled":
            left = 5 * self.given.machine.minute  # what GitHub leaves for cleaning up
        return max(0.01, left if minutes is None else min(left, minutes * self.given.machine.minute))

    def check_alive(self, step: StepResult) -> None:
        """Die, if that is to happen before this step."""
        kill = self._kill(step)
        if kill is not None and kill.line is None:
            raise DeadError

    def _kill(self, step: StepResult) -> Kill | None:
        kill = self.given.kill
        if kill is None or not any(fnmatch.fnmatchcase(name, kill.step) for name in (step.id, step.name)):
            return None
        return kill

    def variables(self, env: Mapping[str, str], *, action: str = "__run") -> dict[str, str]:
        """All variables of a process of this job."""
        github = {**self.github, "action": action}
        image = {"HOME": str(self.folders.home), "LANG": "C.UTF-8", "CI": "true", "GIT_CONFIG_NOSYSTEM": "1"}
        path = {"PATH": ":".join([*reversed(self.paths), self.given.machine.path])}
        defaults = default_variables(github, self.folders, self.tracking)
        return {**image, **self.given.machine.environment, **path, **env, **defaults}

    def command_files(self) -> dict[str, Path]:
        """Fresh files by which a script gives outputs, variables, PATH and its summary."""
        folder = self.folders.temp / "_runner_file_commands"
        folder.mkdir(exist_ok=True)
        names = ("OUTPUT", "ENV", "PATH", "STEP_SUMMARY", "STATE")
        files = {name: folder / f"{name.lower()}_{uuid.uuid4()}" for name in names}
        for file in files.values():
            file.touch()
        return files

    def read_command_files(self, files: Mapping[str, Path], listener: Listener) -> None:
        """Take what a script wrote into them."""
        read_summary(files["STEP_SUMMARY"], listener)
        listener.result.outputs.update(read_pairs(files["OUTPUT"], "output"))
        for name, value in read_pairs(files["ENV"], "env").items():
            if name == "NODE_OPTIONS":
                raise CommandError("Can't store NODE_OPTIONS output parameter using '$GITHUB_ENV' command.")
            self.env[name] = value
        self.paths += [line for line in files["PATH"].read_text(encoding="utf-8").splitlines() if line]
