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
@click.option("--notebook-filter", is_flag=True, help="Have git strip the outputs of notebooks in this clone.")
@with_console
def command(console: Console, /, *, directory: str, yes: bool, notebook_filter: bool) -> int:
    """Set up git, DVC and a first mlops.yaml in DIR; safe to repeat."""
    from stellwerk.app.setup import add_notebook_filter, filter_commands, init, notebooks_unfiltered
    from stellwerk.report.terminal import clean

    place = console.path(directory)
    if not yes and sys.stdin.isatty() and not click.confirm(f"Set up a Stellwerk project in {place}?", default=True):
        console.tell("Nothing was made.")
        return FAILED
    made, following = init(place, yes=yes, environ=console.environ)
    if notebook_filter:
        made = (*made, *add_notebook_filter(place, console.environ))
    for item in made:
        console.show(f"+ {clean(item)}")
    if not made:
        console.show("Everything is there already.")
    if notebook_filter:
        console.tell("Notebooks are stripped as git adds them. Git's configuration is local: each clone needs this.")
        console.tell("Those that git has already: git add --renormalize . && git commit -m 'Strip notebooks'")
    elif notebooks_unfiltered(place, console.environ):
        console.tell(
            "Notebooks are here, and git keeps their outputs. `stellwerk init --notebook-filter`, or in each clone:"
        )
        for line in filter_commands():
            console.tell(f"  {line}")
    console.tell(f"Next: {following}")
    return 0
