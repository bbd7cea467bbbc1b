"""`stellwerk schema`: the JSON Schema of a file."""

from __future__ import annotations

import click

from stellwerk.cli.console import Console, with_console
from stellwerk.cli.options import examples


@click.command(epilog=examples("stellwerk schema mlops", "stellwerk schema environment > environment.schema.json"))
@click.argument("kind")
@with_console
def command(console: Console, /, *, kind: str) -> int:
    """Print the JSON Schema of a file or an output."""
    from stellwerk.declarations import schema_text

    console.show(schema_text(kind))
    return 0
