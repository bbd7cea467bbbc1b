"""What a person sees of long work: one line per finished action, and on a terminal what runs now and for how long.

Where several steps run at once there is a live line for each, and a log says at the start of every line whose it is.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from msgspec import Struct

from stellwerk.report.outcome import done_line, failed_line
from stellwerk.report.terminal import clean
from stellwerk.report.words import action_words, duration

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from rich.console import Console as Terminal
    from rich.console import ConsoleOptions, RenderResult
    from rich.live import Live

    from stellwerk.app import Event
    from stellwerk.cli.console import Console
    from stellwerk.model.actions import Step

FRAMES_PER_SECOND = 8
ECHO = 3  # cells left free behind the live line: the terminal's `^C` would wrap it, and a part of it would stay


class _Task(Struct):
    """A live line: what runs, what it said last, and since when (on the monotonic clock)."""

    words: str
    since: float
    note: str = ""


class Progress:
    """Hears the events of a reconcile. Use as a context manager, so that the terminal is clean afterwards.

    With `jobs` > 1 it draws when it hears something, and no thread of its own does: jobs are forked from this process.
    """

    def __init__(self, console: Console, *, jobs: int = 1) -> None:
        self._console = console
        self._jobs = jobs
        self._tasks: dict[str, _Task] = {}
        self._drawn = 0.0
        self._watched = console.live
        self._live: Live | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._hide()

    def say(self, text: str, key: str = "") -> None:
        """A line of output of what runs now; only for the live line, at its next frame."""
        task = self._tasks.get(key)
        if task is not None:
            task.note = clean(text.strip())

    def task(self, text: str, key: str = "") -> None:
        """What runs now; only for the live line. Its time starts at zero."""
        self._tasks.pop("", None)
        self._tasks[key] = _Task(clean(text), time.monotonic())
        self._show()

    def finished(self, text: str, key: str = "") -> None:
        """Lines that stay."""
        self._hide()
        self._tasks.pop(key, None)
        self._console.show(text)
        if self._tasks and self._jobs > 1:
            self._show()

    def __call__(self, event: Event) -> None:
        """Show one event. What went wrong, what waits and what to do about it is told at the end."""
        key = event.step.key if event.step is not None and self._jobs > 1 else ""
        match event.kind:
            case "done" | "failed" if event.done is not None:
                line = done_line(event.done, color=self._console.color, width=self._console.width)
                self.finished(self._whose(event.done.step, line), key)
            case "start" if event.step is not None:
                self.task(_words(event.step), key)
                if self._jobs > 1 and not self._watched:
                    self._console.tell(self._whose(event.step, f"{action_words(event.step.action).text} ..."))
            case "failed" if event.step is not None:
                line = failed_line(_words(event.step), color=self._console.color)
                self.finished(self._whose(event.step, line), key)
            case "line":
                self.say(event.text, key)
            case "push" | "observe":
                self.task(event.text)
            case "tick":
                self._draw()
            case _:
                pass

    def _show(self) -> None:
        if self._watched and self._live is None:
            # A new one each time: it would go up as many lines as it had before, over what was printed since.
            self._live = _live_lines(self._console, self, alone=self._jobs == 1)
            self._live.start(refresh=True)
            self._live.console.show_cursor()  # rich hides it, and a killed process could not bring it back

    def _hide(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _draw(self) -> None:
        if self._live is not None and time.monotonic() - self._drawn >= 1 / FRAMES_PER_SECOND:
            self._drawn = time.monotonic()
            self._live.refresh()

    def _whose(self, step: Step, text: str) -> str:
        """The text, each line marked with the model or dataset it is about where a log mixes several."""
        if self._jobs == 1 or self._watched:
            return text
        subject = action_words(step.action).subject
        return "\n".join(f"{subject}: {line}".rstrip() for line in text.split("\n"))

    def __rich_console__(self, terminal: Terminal, options: ConsoleOptions) -> RenderResult:
        """The live lines: `⠹   12 s  shoe-demand: train a new version · epoch 3`."""
        from rich.spinner import Spinner
        from rich.text import Text

        spinner = Spinner("dots")
        for task in list(self._tasks.values())[: max(1, options.max_height - 1)]:
            spent = time.monotonic() - task.since
            frame = spinner.frames[int(spent * 1000 / spinner.interval) % len(spinner.frames)]
            note = f" · {task.note}" if task.note else ""
            line = Text.assemble((frame, "cyan"), f"{duration(spent):>7}  {task.words}", (note, "dim"))
            line.truncate(options.max_width - ECHO, overflow="ellipsis")
            yield line


def _live_lines(console: Console, lines: Progress, *, alone: bool) -> Live:
    """The last lines of the terminal, drawn anew until they are stopped; they leave nothing behind."""
    from rich.console import Console as Terminal
    from rich.live import Live

    terminal = Terminal(stderr=True, color_system="auto" if console.color else None)
    return Live(lines, console=terminal, refresh_per_second=FRAMES_PER_SECOND, transient=True, auto_refresh=alone)


def _words(step: Step) -> str:
    words = action_words(step.action)
    return f"{words.subject}: {words.text}"
