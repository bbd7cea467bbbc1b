"""`stellwerk init`: start a project."""

from __future__ import annotations

import sys

import click

from stellwerk.cli.boundary import FAILED
from stellwerk.cli.console import Console, with_console
from stellwerk.cli.options import examples


@click.command(epilog=examples("stellwerk init my-project --yes", "cd existing-repository && stellwerk init"))
@click.argument("directory", metavar="[DIR]", default=".")
@click.option("--yes", is_flag=True, help="Ask nothing.")
@with_console
def command(console: Console, /, *, directory: str, yes: bool) -> int:
    """Set up git, DVC and a first mlops.yaml in DIR; safe to repeat."""
    from stellwerk.app.setup import init
    from stellwerk.report.terminal import clean

    place = console.path(directory)
    if not yes and sys.stdin.isatty() and not click.confirm(f"Set up a Stellwerk project in {place}?", default=True):
        console.tell("Nothing was made.")
        return FAILED
    made, following = init(place, yes=yes, environ=console.environ)
    for item in made:
        console.show(f"+ {clean(item)}")
    if not made:
        console.show("Everything is there already.")
    console.tell(f"Next: {following}")
    return 0
