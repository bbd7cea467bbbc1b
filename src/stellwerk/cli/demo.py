"""`stellwerk demo`: the whole story on a project of its own."""

from __future__ import annotations

import click

from stellwerk.cli.console import Console, with_console
from stellwerk.cli.options import examples


@click.command(epilog=examples("stellwerk demo", "stellwerk demo /tmp/shoes"))
@click.argument("directory", metavar="[DIR]", default="stellwerk-demo")
@with_console
def command(console: Console, /, *, directory: str) -> int:
    """Live through a project's first releases.

    Makes the shoe project in DIR with git and DVC remotes of its own; takes less than a minute.
    """
    from stellwerk.demo import demo

    demo(console.path(directory), environ=console.environ, say=console.show)
    return 0
