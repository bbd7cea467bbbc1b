"""`stellwerk notebook`: what is done with notebooks, one subcommand per module `stellwerk.cli.notebook_<name>`."""

from __future__ import annotations

from importlib import import_module

import click

from stellwerk.cli.options import examples

# In the order in which a person needs them.
SUBCOMMANDS = ("convert", "diff", "test", "clean")


class Subcommands(click.Group):
    """A group whose commands are imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's signature
        """The subcommands in their order."""
        return list(SUBCOMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The subcommand; None where there is no such one."""
        if cmd_name not in SUBCOMMANDS:
            return None
        found: object = import_module(f"stellwerk.cli.notebook_{cmd_name}").command
        return found if isinstance(found, click.Command) else None


@click.group(cls=Subcommands, epilog=examples("stellwerk notebook clean models/demand/demand.ipynb"))
def command() -> None:
    """Work on notebooks: convert, compare, test and clean them."""
