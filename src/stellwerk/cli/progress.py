"""What a person sees of long work: one line per finished action, and on a terminal what runs now and for how long."""

from __future__ import annotations

import sys
import threading
import time
from typing import TYPE_CHECKING, TextIO

from stellwerk.report.outcome import done_line, failed_line
from stellwerk.report.terminal import clean, elide
from stellwerk.report.words import action_words, duration

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from stellwerk.app import Event
    from stellwerk.cli.console import Console
    from stellwerk.model.actions import Step

CLEAR = "\r\x1b[2K"
SECONDS_PER_FRAME = 0.5


class LiveLine:
    """The last line of the terminal, rewritten twice a second until it is closed; it leaves nothing behind."""

    def __init__(self, stream: TextIO, *, width: int) -> None:
        self._stream = stream
        self._width = width
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._task = ""
        self._note = ""
        self._since = 0.0
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def start(self, task: str) -> None:
        """Name what runs now; its time starts at zero."""
        with self._lock:
            self._task, self._note, self._since = task, "", time.monotonic()
            self._draw()

    def note(self, text: str) -> None:
        """Show the last thing it said, at the next frame."""
        with self._lock:
            self._note = text

    def clear(self) -> None:
        """Nothing runs now; the line is free for other output."""
        with self._lock:
            self._task = ""
            self._stream.write(CLEAR)
            self._stream.flush()

    def close(self) -> None:
        """Stop rewriting and wipe the line."""
        self._stop.set()
        self._thread.join()
        self.clear()

    def _run(self) -> None:
        while not self._stop.wait(SECONDS_PER_FRAME):
            with self._lock:
                self._draw()

    def _draw(self) -> None:
        if self._task:
            note = f" · {self._note}" if self._note else ""
            text = f"{duration(time.monotonic() - self._since):>6}  {self._task}{note}"
            self._stream.write(CLEAR + elide(text, self._width - 1))
            self._stream.flush()


class Progress:
    """Hears the events of a reconcile. Use as a context manager, so that the terminal is clean afterwards."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._line: LiveLine | None = None

    def __enter__(self) -> Self:
        if self._console.live:
            self._line = LiveLine(sys.stderr, width=self._console.width)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._line is not None:
            self._line.close()

    def say(self, text: str) -> None:
        """A line of output of what runs now; only for the live line."""
        if self._line is not None:
            self._line.note(clean(text.strip()))

    def task(self, text: str) -> None:
        """What runs now; only for the live line."""
        if self._line is not None:
            self._line.start(clean(text))

    def finished(self, text: str) -> None:
        """One line that stays."""
        if self._line is not None:
            self._line.clear()
        self._console.show(text)

    def __call__(self, event: Event) -> None:
        """Show one event. What went wrong, what waits and what to do about it is told at the end."""
        match event.kind:
            case "done" | "failed" if event.done is not None:
                self.finished(done_line(event.done, color=self._console.color))
            case "start" if event.step is not None:
                self.task(_words(event.step))
            case "failed" if event.step is not None:
                self.finished(failed_line(_words(event.step), color=self._console.color))
            case "line":
                self.say(event.text)
            case "push" | "observe":
                self.task(event.text)
            case _:
                pass


def _words(step: Step) -> str:
    words = action_words(step.action)
    return f"{words.subject}: {words.text}"
