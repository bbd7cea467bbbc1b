"""Machines of people: a home, caches and an identity each, sharing a git remote and a bucket and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

INHERITED = ("PATH", "TMPDIR", "SYSTEMROOT")
INHERITED_PREFIXES = ("COV", "PYTEST", "LD_", "SSL_", "UV_", "PIP_")
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing-secret",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}
SCRIPTS = Path(sysconfig.get_path("scripts"))


def by_itself(environ: Mapping[str, str]) -> tuple[str, ...]:
    """No words before the command: it is a process of its own."""
    del environ
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How `stellwerk` starts on a machine: as a person starts it, or by the templates that `variables` name."""

    words: Callable[[Mapping[str, str]], tuple[str, ...]] = by_itself
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """One command and what came of it. `seconds` is wall time."""

    phase: str
    who: str
    command: str
    code: int
    out: str
    err: str
    seconds: float

    @property
    def text(self) -> str:
        return self.out + self.err


@dataclass(slots=True)
class Transcript:
    """Everything that was typed in a story, by phase."""

    phase: str = ""
    ran: list[Ran] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def chapter(self, phase: str) -> Iterator[None]:
        """Measure a phase; chapters do not nest."""
        self.phase = phase
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[phase] = self.seconds.get(phase, 0.0) + time.perf_counter() - start
            self.phase = "afterwards"

    def __str__(self) -> str:
        return "\n".join(
            f"[{ran.phase}] {ran.who}$ {ran.command}   # exit {ran.code}, {ran.seconds:.1f} s\n{ran.out}{ran.err}"
            for ran in self.ran
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A person at a computer of their own."""

    person: str
    home: Path
    transcript: Transcript
    way: Way

    @property
    def environ(self) -> dict[str, str]:
        """The whole environment of its processes: nothing of this process's git, DVC, CI or cloud settings."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if name in INHERITED or name.startswith(INHERITED_PREFIXES)
        }
        home = self.home
        own = {
            "HOME": home,
            "XDG_CONFIG_HOME": home / ".config",
            "XDG_CACHE_HOME": home / ".cache",
            "XDG_DATA_HOME": home / ".local/share",
            "XDG_CONFIG_DIRS": home / "etc/xdg",
            "GIT_CONFIG_GLOBAL": home / ".gitconfig",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "DVC_NO_ANALYTICS": "1",
            "DVC_GLOBAL_CONFIG_DIR": home / ".config/dvc",
            "DVC_SYSTEM_CONFIG_DIR": home / "etc/dvc",
            "DVC_SITE_CACHE_DIR": home / ".cache/dvc-site",
            "STELLWERK_CACHE": home / ".cache/stellwerk",
            "PYTHONDONTWRITEBYTECODE": "1",
            "LANG": "C.UTF-8",
            "TZ": "UTC",
            "COLUMNS": "120",
        }
        return {**kept, **{name: str(value) for name, value in own.items()}, **CREDENTIALS, **self.way.variables}

    def run(self, *command: str | Path, cwd: Path, expect: int | None = 0, said: str | None = None) -> Ran:
        """Run a process, note it, and fail with everything it printed where the exit code is another one."""
        start = time.perf_counter()
        done = subprocess.run(
            command,
            cwd=cwd,
            env=self.environ,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=600,
            check=False,
        )
        words = said or " ".join(f'"{item}"' if " " in str(item) else str(item) for item in command)
        ran = Ran(
            phase=self.transcript.phase,
            who=self.person,
            command=words,
            code=done.returncode,
            out=done.stdout,
            err=done.stderr,
            seconds=time.perf_counter() - start,
        )
        self.transcript.ran.append(ran)
        assert expect is None or ran.code == expect, (
            f"`{words}` ended with {ran.code}, expected {expect}:\n{ran.text}\n--- so far\n{self.transcript}"
        )
        return ran


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkout:
    """A clone on somebody's machine."""

    machine: Machine
    root: Path

    def stellwerk(self, *arguments: str, expect: int | None = 0) -> Ran:
        """Run the installed command here."""
        words = " ".join(f'"{item}"' if " " in item else item for item in arguments)
        machine = self.machine
        command = (*machine.way.words(machine.environ), SCRIPTS / "stellwerk", *arguments)
        return machine.run(*command, cwd=self.root, expect=expect, said=f"stellwerk {words}")

    def git(self, *arguments: str, expect: int | None = 0) -> str:
        """The standard output of git, without the last newline."""
        return self.machine.run("git", *arguments, cwd=self.root, expect=expect).out.removesuffix("\n")

    def dvc(self, *arguments: str) -> str:
        return self.machine.run(SCRIPTS / "dvc", *arguments, cwd=self.root, said=f"dvc {' '.join(arguments)}").out

    def python(self, script: str, *arguments: str | Path, expect: int | None = 0) -> str:
        """The standard output of a Python process that knows only the installed packages."""
        named = " ".join(map(str, arguments))
        return self.machine.run(
            sys.executable, "-I", "-c", script, *arguments, cwd=self.root, expect=expect, said=f"python ... {named}"
        ).out

    def write(self, files: dict[str, str]) -> None:
        for name, text in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")

    def edit(self, path: str, old: str, new: str, message: str) -> None:
        """Change a line of a declaration as a person does: pull, edit, commit, push."""
        self.git("pull", "--quiet", "--ff-only")
        file = self.root / path
        text = file.read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{path} has {text.count(old)} times {old!r}"
        file.write_text(text.replace(old, new), encoding="utf-8")
        self.git("commit", "--quiet", "--all", "--message", message)
        self.git("push", "--quiet")

    def head(self) -> str:
        return self.git("rev-parse", "HEAD")


def new_machine(room: Path, person: str, transcript: Transcript, *, name: str | None = None, way: Way) -> Machine:
    """A machine with an empty home and the person's git identity."""
    home = room / f"home-{name or person}"
    home.mkdir()
    (home / ".gitconfig").write_text(
        f"[user]\n\tname = {person}\n\temail = {person}@example.com\n[init]\n\tdefaultBranch = main\n", encoding="utf-8"
    )
    return Machine(person=person, home=home, transcript=transcript, way=way)


def clone(machine: Machine, remote: Path, root: Path) -> Checkout:
    """Clone the remote into a new folder."""
    machine.run("git", "clone", "--quiet", remote, root, cwd=root.parent, said=f"git clone {remote.name} {root.name}")
    return Checkout(machine=machine, root=root)
