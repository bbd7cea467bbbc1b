"""Work shared with copies of this process: whichever of them is free takes the next piece.

Only time is saved: what the others did not do, for whatever reason, this process does itself.
"""

from __future__ import annotations

import contextlib
import gc
import marshal
import os
import signal
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

PIECES = 64  # that work is cut into; at most 256, for each is a byte in a pipe
OTHERS = 3  # copies at most


class Share:
    """The pieces 0 to `count` - 1 of some work, which `do` does; its results must be plain data.

    The others begin at once, with all that is in memory here; first one of them does `before`.
    """

    def __init__(self, count: int, do: Callable[[int], Any], *, before: Callable[[], object] | None = None) -> None:
        self._count, self._do = count, do
        self._queue, queue = os.pipe()
        os.write(queue, bytes(range(count)))
        os.close(queue)  # so that an empty queue is its end
        self.complete = False  # whether the others said all they did
        self._others = [self._started(None if number else before) for number in range(_processors() - 1)]

    @staticmethod
    def possible() -> bool:
        """Whether there are such copies here, and a processor for one."""
        return hasattr(os, "fork") and _processors() > 1

    def _started(self, before: Callable[[], object] | None) -> tuple[int, int]:
        """Where another process says its results, and its id."""
        ours, theirs = os.pipe()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # what runs in threads is not touched there
            pid = os.fork()
        if pid == 0:
            gc.disable()  # it would look at, and so copy, all that is in memory; this process ends soon
            os.close(ours)
            try:
                if before is not None:
                    before()
                said = marshal.dumps(self._done())
                with os.fdopen(theirs, "wb") as pipe:
                    pipe.write(said)
            except BaseException:  # noqa: BLE001, S110 - whatever it is: the parent then does it itself
                pass
            finally:
                os._exit(0)
        os.close(theirs)
        return ours, pid

    def _done(self) -> dict[int, Any]:
        """The results of the pieces that this process gets, by number."""
        done = {}
        while piece := os.read(self._queue, 1):
            done[piece[0]] = self._do(piece[0])
        return done

    def results(self) -> list[Any]:
        """The results of all pieces, in their order."""
        done, self.complete = self._done(), True
        for pipe, _ in self._others:
            theirs = _said(pipe)
            self.complete = self.complete and theirs is not None
            done |= theirs or {}
        return [done[piece] if piece in done else self._do(piece) for piece in range(self._count)]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """The others have ended after this."""
        os.close(self._queue)
        for pipe, pid in self._others:
            if not self.complete:
                os.kill(pid, signal.SIGKILL)  # nobody asks for what it does any more
            os.close(pipe)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)


def _processors() -> int:
    """How many copies can work at once, this one included."""
    return min(os.cpu_count() or 1, OTHERS + 1)


def _said(pipe: int) -> dict[int, Any] | None:
    """What came through the pipe; None where the other process failed."""
    try:
        with os.fdopen(pipe, "rb", closefd=False) as file:
            found: Any = marshal.loads(file.read())  # noqa: S302 - our own process wrote it
    except (OSError, ValueError, EOFError, TypeError):
        return None
    return found if isinstance(found, dict) else None
