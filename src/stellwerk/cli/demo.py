"""`stellwerk demo`: the whole story on a project of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from stellwerk.cli.console import Console, with_console
from stellwerk.cli.options import examples

if TYPE_CHECKING:
    from pathlib import Path


@click.command(epilog=examples("stellwerk demo", "stellwerk demo /tmp/shoes"))
@click.argument("directory", metavar="[DIR]", default="stellwerk-demo")
@with_console
def command(console: Console, /, *, directory: str) -> int:
    """Live through a project's first releases.

    Makes the shoe project in DIR with git and DVC remotes of its own; takes less than a minute.
    """
    from stellwerk.demo.story import demo

    demo(console.path(directory), environ=console.environ, say=console.show, run=_run)
    return 0


def _run(folder: Path, arguments: list[str]) -> int:
    """Run a command of this very command line, in this process, and return its exit code."""
    from stellwerk.cli.main import cli

    try:
        cli.main(args=["-C", str(folder), *arguments], prog_name="stellwerk")
    except SystemExit as end:
        return int(end.code or 0)
