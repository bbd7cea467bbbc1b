"""`stellwerk demo`: the whole story on a project of its own."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import click

from stellwerk.cli.boundary import FAILED, INTERRUPTED
from stellwerk.cli.console import Console, with_console
from stellwerk.cli.options import examples

if TYPE_CHECKING:
    from pathlib import Path


@click.command(epilog=examples("stellwerk demo", "stellwerk demo /tmp/shoes"))
@click.argument("directory", metavar="[DIR]", default="stellwerk-demo")
@with_console
def command(console: Console, /, *, directory: str) -> int:
    """Live through a project's first releases.

    Makes the shoe project in DIR with git and DVC remotes of its own; takes about a minute.
    """
    from stellwerk.demo.story import demo

    demo(console.path(directory), environ=console.environ, say=console.show, run=partial(_run, console))
    return 0


def _run(console: Console, folder: Path, arguments: list[str]) -> int:
    """Run a command of the story as a person would, in this process; returns its exit code."""
    from stellwerk.cli.main import cli

    options = ["-C", str(folder), *(["--no-color"] if console.no_color else [])]
    try:
        cli.main(args=[*options, *arguments], prog_name="stellwerk")
    except SystemExit as end:
        if end.code == INTERRUPTED:
            raise KeyboardInterrupt from end
        return end.code if isinstance(end.code, int) else FAILED
