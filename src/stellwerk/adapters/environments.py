"""Virtual environments of models: one per locked requirements file and Python version, made once, kept in a cache."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from stellwerk.errors import StellwerkError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

COMPLETE = ".complete"
LOG_END = 2000
LOCK_WAIT = 1800.0


def cache_folder(parent: Mapping[str, str]) -> Path:
    """Where environments are kept: STELLWERK_CACHE, else `stellwerk/` in the user's cache folder."""
    if own := parent.get("STELLWERK_CACHE"):
        return Path(own)
    home = parent.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "stellwerk"


def python_for(requirements: Path | None, *, cache_dir: Path) -> Path:
    """The interpreter of the environment that `requirements` asks for; the running one where there is none.

    Made on first use under `cache_dir`/environments with pip, whose output stays beside it. Two processes that ask at
    once wait for each other. StellwerkError with the end of pip's log if it cannot be made.
    """
    if requirements is None:
        return Path(sys.executable)
    try:
        text = requirements.read_bytes()
    except OSError as error:
        message = f"the model's requirements cannot be read: {error.strerror}"
        raise StellwerkError(message, where=str(requirements)) from error
    version = f"{sys.version_info.major}.{sys.version_info.minor}.{sys.version_info.micro}"
    key = hashlib.sha256(text + version.encode()).hexdigest()
    folder = cache_dir / "environments" / key[:32]
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not (folder / COMPLETE).exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _locked(folder.with_suffix(".lock")):
            if not (folder / COMPLETE).exists():
                _make(folder, python, requirements)
    return python


def _make(folder: Path, python: Path, requirements: Path) -> None:
    """Build it where it stays (environments hold their own path); the marker comes last."""
    shutil.rmtree(folder, ignore_errors=True)
    log = folder.with_suffix(".log")
    make = [sys.executable, "-m", "venv", str(folder)]
    install = [
        str(python),
        "-m",
        "pip",
        "install",
        "--disable-pip-version-check",
        "--no-input",
        "-r",
        str(requirements),
    ]
    with log.open("wb") as output:
        if all(_succeeds(command, output) for command in (make, install)):
            (folder / COMPLETE).touch()
            return
    shutil.rmtree(folder, ignore_errors=True)
    end = log.read_text(encoding="utf-8", errors="replace")[-LOG_END:].strip()
    message = f"the model's environment cannot be made:\n{end}"
    raise StellwerkError(message, where=str(requirements), hint=f"the whole log is in {log}")


def _succeeds(command: list[str], output: BinaryIO) -> bool:
    done = subprocess.run(command, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, check=False)
    return done.returncode == 0


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """A lock the operating system releases with the process that holds it."""
    with path.open("a+b") as file:
        limit = time.monotonic() + LOCK_WAIT
        while not _try_lock(file.fileno()):
            if time.monotonic() > limit:
                message = "another process has been making this environment for half an hour"
                raise StellwerkError(message, where=str(path), hint="end that process, or delete the lock file")
            time.sleep(0.2)
        yield


def _try_lock(descriptor: int) -> bool:
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
