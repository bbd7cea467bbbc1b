"""Names of temporary files that say which process made them, so that what a killed one left is known and removed.

Such a file lies beside what it will become, because only there it can be moved atomically.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

MARK = re.compile(r"\..*\.(?P<host>[0-9a-f]{8})-(?P<pid>\d+)-[0-9a-f]{8}", re.DOTALL)
FORGOTTEN = 86_400.0  # seconds after which nobody on another host still works on it
LONGEST = 120  # bytes of a name that the temporary one keeps


def beside(path: Path) -> Path:
    """A new name in the same folder, with the mark of this process; what dead ones left for the path is removed."""
    sweep(path)
    return path.with_name(f"{_prefix(path)}{_host()}-{os.getpid()}-{os.urandom(4).hex()}")


def sweep(path: Path) -> None:
    """Remove the files and folders that dead processes made by `beside(path)`."""
    _sweep(path.parent, _prefix(path))


def sweep_folder(folder: Path) -> None:
    """Remove all that dead processes made by `beside` in this folder."""
    _sweep(folder, ".")


def _sweep(folder: Path, prefix: str) -> None:
    try:
        marked = [(path, MARK.fullmatch(path.name)) for path in folder.iterdir() if path.name.startswith(prefix)]
    except OSError:
        return
    for left, matched in marked:
        if matched and _dead(matched["host"], int(matched["pid"]), left):
            if left.is_dir() and not left.is_symlink():
                import shutil

                shutil.rmtree(left, ignore_errors=True)
            else:
                left.unlink(missing_ok=True)


def _prefix(path: Path) -> str:
    return f".{os.fsdecode(os.fsencode(path.name)[:LONGEST])}."


def _dead(host: str, pid: int, left: Path) -> bool:
    if host != _host():
        try:
            return time.time() - left.lstat().st_mtime > FORGOTTEN
        except OSError:
            return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def _host() -> str:
    import socket

    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]
