"""Ties a stage to the run that started it: an interrupted or killed run interrupts its stage.

DVC ignores SIGINT while a command runs, because a terminal sends it to the command as well; a CI service sends it to
the run alone. And nothing tells a command that its parent was killed. So the run keeps a named pipe open, and the stage
interrupts itself once the pipe has no writer left.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import FrameType

LIFELINE = "STELLWERK_LIFELINE"
GRACE = 10.0  # seconds in which an interrupted stage cleans up behind itself


def run_tied(call: Callable[[], object], pipe: Path) -> None:
    """Make `call` in a thread of its own (DVC touches signals in the main thread only) and raise what it raises."""
    problems: list[BaseException] = []

    def work() -> None:
        try:
            call()
        except BaseException as error:  # noqa: BLE001 - raised below, in the caller's thread
            problems.append(error)

    os.mkfifo(pipe)
    held = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
    thread = threading.Thread(target=work)
    thread.start()
    try:
        thread.join()
    finally:
        os.close(held)
        thread.join()
    if problems:
        raise problems[0]


def follow(pipe: Path) -> None:
    """Interrupt this process when the run that holds the pipe has gone, once: it may be cleaning up already.

    Whether the run ignored or held back signals does not matter. What is left after GRACE seconds is killed.
    """
    signal.signal(signal.SIGINT, _interrupt_once)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])  # whatever the run was started with
    threading.Thread(target=_watch, args=(pipe,), daemon=True).start()


def _interrupt_once(_number: int, _frame: FrameType | None) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise KeyboardInterrupt


def _watch(pipe: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        descriptor = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
        try:
            os.read(descriptor, 1)  # nothing, at once, where there is no writer any more
        except BlockingIOError:
            select.select([descriptor], [], [])
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(GRACE)
    os.kill(os.getpid(), signal.SIGKILL)  # an exception can get lost in somebody's library
