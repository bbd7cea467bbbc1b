"""What a person sees of long work: one line per finished action, and on a terminal what runs now and for how long."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

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


class Progress:
    """Hears the events of a reconcile. Use as a context manager, so that the terminal is clean afterwards."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._task = ""
        self._note = ""
        self._since = 0.0
        self._live = _live_line(console, self) if console.live else None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def say(self, text: str) -> None:
        """A line of output of what runs now; only for the live line, at its next frame."""
        self._note = clean(text.strip())

    def task(self, text: str) -> None:
        """What runs now; only for the live line. Its time starts at zero."""
        self._task, self._note, self._since = clean(text), "", time.monotonic()
        if self._live is not None and not self._live.is_started:
            self._live.start(refresh=True)
            self._live.console.show_cursor()  # rich hides it, and a killed process could not bring it back

    def finished(self, text: str) -> None:
        """One line that stays."""
        if self._live is not None:
            self._live.stop()
        self._console.show(text)

    def __call__(self, event: Event) -> None:
        """Show one event. What went wrong, what waits and what to do about it is told at the end."""
        match event.kind:
            case "done" | "failed" if event.done is not None:
                self.finished(done_line(event.done, color=self._console.color, width=self._console.width))
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

    def __rich_console__(self, terminal: Terminal, options: ConsoleOptions) -> RenderResult:
        """The live line: `⠹   12 s  shoe-demand: train a new version · epoch 3`."""
        from rich.spinner import Spinner
        from rich.text import Text

        spinner = Spinner("dots")
        spent = time.monotonic() - self._since
        frame = spinner.frames[int(spent * 1000 / spinner.interval) % len(spinner.frames)]
        note = f" · {self._note}" if self._note else ""
        line = Text.assemble((frame, "cyan"), f"{duration(spent):>7}  {self._task}", (note, "dim"))
        line.truncate(options.max_width - ECHO, overflow="ellipsis")
        yield line


def _live_line(console: Console, line: Progress) -> Live:
    """The last line of the terminal, drawn anew until it is stopped; it leaves nothing behind."""
    from rich.console import Console as Terminal
    from rich.live import Live

    terminal = Terminal(stderr=True, color_system="auto" if console.color else None)
    return Live(line, console=terminal, refresh_per_second=FRAMES_PER_SECOND, transient=True)


def _words(step: Step) -> str:
    words = action_words(step.action)
    return f"{words.subject}: {words.text}"
