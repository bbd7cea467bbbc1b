"""What a verb knows of the terminal it was called from, and how it speaks to it."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, NamedTuple

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from typing import TextIO

    from stellwerk.app import Workspace


class Console(NamedTuple):
    """The global options and the process environment. `directory` is where paths of the command line start.

    This module is on the way of `--version`: nothing slow is imported at its top (pathlib alone is a tenth of it,
    msgspec a sixth).
    """

    directory: str
    environ: Mapping[str, str]
    quiet: bool = False
    no_color: bool = False

    @property
    def color(self) -> bool:
        """Whether standard output gets colours; NO_COLOR and FORCE_COLOR count when they are not empty."""
        if self.no_color or self.environ.get("NO_COLOR"):
            return False
        if self.environ.get("FORCE_COLOR"):
            return True
        return sys.stdout.isatty() and self.environ.get("TERM") != "dumb"

    @property
    def width(self) -> int:
        """Cells per line: the terminal's, else COLUMNS, else so many that nothing is wrapped or shortened."""
        from stellwerk.report.terminal import UNBOUNDED

        unknown = 80 if sys.stdout.isatty() else UNBOUNDED
        if unknown == UNBOUNDED and not self.environ.get("COLUMNS"):
            return UNBOUNDED
        import shutil

        return shutil.get_terminal_size((unknown, 24)).columns

    @property
    def live(self) -> bool:
        """Whether a line that rewrites itself is welcome: a terminal that somebody looks at."""
        watched = sys.stderr.isatty() and sys.stdout.isatty() and self.environ.get("TERM") != "dumb"
        return watched and not self.quiet and self.environ.get("CI", "").lower() not in {"true", "1"}

    def open(self) -> Workspace:
        """The repository the command is about. StellwerkError where there is none."""
        from stellwerk.app import Workspace

        return Workspace.open(self.path("."), environ=self.environ)

    def path(self, name: str) -> Path:
        """A path as typed, seen from `-C DIR`."""
        from pathlib import Path

        return Path(self.directory) / name

    def show(self, text: str) -> None:
        """Print what was asked for. A reader that has gone away never stops the work."""
        try:
            click.echo(text, nl=not text.endswith("\n"), color=self.color)
            sys.stdout.flush()
        except BrokenPipeError:
            silence(sys.stdout)

    def summarize(self, markdown: str) -> None:
        """Append to the file in which the CI service collects a job's summary; without one nothing is written."""
        file = self.environ.get("GITHUB_STEP_SUMMARY")
        if file:
            with open(file, "a", encoding="utf-8") as summary:  # noqa: PTH123  pathlib is not on the way of --version
                summary.write(markdown)

    def tell(self, text: str) -> None:
        """Print what is only helpful, unless `--quiet`."""
        if not self.quiet:
            self.show(text)


def silence(stream: TextIO) -> None:
    """Send the rest of the stream nowhere, so that neither we nor the interpreter's exit trip over it again."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def with_console(function: Callable[..., int]) -> Callable[..., int]:
    """Hand the Console to a verb, which then also understands `--quiet` and `--no-color` after its name."""
    for names in (("--no-color",), ("-q", "--quiet")):
        option = click.option(
            *names, is_flag=True, hidden=True, expose_value=False, callback=_switch, help="As before the command."
        )
        function = option(function)
    return click.make_pass_decorator(Console)(function)


def _switch(context: click.Context, parameter: click.Parameter, value: bool) -> None:  # noqa: FBT001  click's signature
    """Switch it on for the verb, and for the boundary that shows the verb's errors."""
    console = context.find_object(Console)
    if value and console is not None:
        quiet, no_color = console.quiet or parameter.name == "quiet", console.no_color or parameter.name == "no_color"
        context.find_root().obj = context.obj = console._replace(quiet=quiet, no_color=no_color)
