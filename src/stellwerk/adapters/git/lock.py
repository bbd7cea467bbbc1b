"""One at a time in one clone. The kernel lets go of a lock when its holder dies, so none is ever stale.

Reading takes no lock: only what commits, and what brings commits into the work tree, stands in line.
"""

from __future__ import annotations

import fcntl
import os
import socket
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from stellwerk.errors import StellwerkError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAUSE = 0.02  # seconds between two looks
LONGEST = 200  # bytes of what a holder says of itself


@contextmanager
def locked(path: Path, *, patience: float, doing: str) -> Iterator[None]:
    """Hold the lock file while the block runs, waiting for it up to `patience` seconds.

    Raises StellwerkError that names the holder. Threads of one process exclude each other as well.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        end = time.monotonic() + patience
        while not _taken(handle):
            if time.monotonic() >= end:
                raise _occupied(handle, path, doing)
            time.sleep(PAUSE)
        since = datetime.now(tz=UTC).isoformat(timespec="seconds")
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"process {os.getpid()} on {socket.gethostname()} since {since}".encode()[:LONGEST], 0)
        yield
    finally:
        os.close(handle)


def _taken(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _occupied(handle: int, path: Path, doing: str) -> StellwerkError:
    holder = os.pread(handle, LONGEST, 0).decode("utf-8", "replace") or "another process"
    return StellwerkError(
        f"{doing} in this clone: {holder}",
        where=str(path.parent.parent.parent),
        hint="wait for it to end, or work in a clone of your own: clones do not disturb each other",
    )
