"""`stellwerk notebook diff`: what a change of a notebook changes in its source."""

from __future__ import annotations

import click

from stellwerk.cli.console import Console, with_console
from stellwerk.cli.options import completing, examples


@click.command(epilog=examples("stellwerk notebook diff demand", "stellwerk notebook diff demand --base origin/main"))
@click.argument("model", shell_complete=completing("models"))
@click.option("--base", metavar="REV", default="HEAD", show_default=True, help="Compare with the notebook there.")
@with_console
def command(console: Console, /, *, model: str, base: str) -> int:
    """Show what the change of MODEL's notebook changes in what ships.

    Outputs, counts, exploration and moved cells that change nothing are not shown.
    """
    text = console.open().compare_notebook(model, base=base)
    if text:
        console.show(text)
    else:
        console.tell("Nothing that ships changed.")
    return 0
