"""Receive what a stage prints, line by line, while DVC waits for it.

DVC lets a stage's command inherit its own output and offers no other way. The command is therefore found as a small
script, first on PATH, that runs it with its output in a named pipe.
"""

from __future__ import annotations

import os
import select
import shlex
import threading
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

KEPT = 200
LONGEST = 10_000


class Lines:
    """Splits a byte stream into lines for `on_line` and keeps the last of them."""

    def __init__(self, on_line: Callable[[str], None]) -> None:
        self._on_line = on_line
        self._rest = b""
        self.last: deque[str] = deque(maxlen=KEPT)
        self.problem: Exception | None = None

    def feed(self, data: bytes, *, end: bool = False) -> None:
        """Take more bytes. A failing `on_line` is remembered and not called again: the pipe must not fill up."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > LONGEST or (end and self._rest):
            lines.append(self._rest)
            self._rest = b""
        for raw in lines:
            line = raw[:LONGEST].decode("utf-8", "replace").rstrip("\r")
            self.last.append(line)
            if self.problem is None:
                try:
                    self._on_line(line)
                except Exception as error:  # noqa: BLE001 - raised by the caller once the stage has ended
                    self.problem = error


@contextmanager
def captured(room: Path, name: str, command: tuple[str, ...], on_line: Callable[[str], None]) -> Iterator[Lines]:
    """Put `command` into `room`/bin under `name`; what it prints goes to `on_line`, called in a thread of its own."""
    pipe = room / "output"
    os.mkfifo(pipe)
    script = room / "bin" / name
    script.parent.mkdir()
    # To open it for writing alone would wait for a reader, for ever where this process has been killed meanwhile.
    place = shlex.quote(str(pipe))
    script.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@" 3<>{place} >>{place} 2>&1 3>&-\n', encoding="utf-8")
    script.chmod(0o755)
    lines = Lines(on_line)
    # Opened for writing too, so that there is no end of file between two writers.
    descriptor = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
    wake, stop = os.pipe()
    reader = threading.Thread(target=_read, args=(descriptor, wake, lines), daemon=True)
    reader.start()
    try:
        yield lines
    finally:
        os.close(stop)
        reader.join()
        os.close(descriptor)
        os.close(wake)
    if lines.problem:
        raise lines.problem


def _read(descriptor: int, wake: int, lines: Lines) -> None:
    while True:
        ready, _, _ = select.select([descriptor, wake], [], [])
        if descriptor in ready:
            lines.feed(os.read(descriptor, 1 << 16))
        elif wake in ready:
            lines.feed(b"", end=True)
            return
