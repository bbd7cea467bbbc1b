"""`stellwerk status`: models × environments."""

from __future__ import annotations

import click

from stellwerk.cli.console import Console, with_console
from stellwerk.cli.options import examples, formats


@click.command(epilog=examples("stellwerk status", "stellwerk status --live", "stellwerk status --format json"))
@click.option("--live", is_flag=True, help="Ask targets what they run, remotes what they lack.")
@formats("text", "json")
@with_console
def command(console: Console, /, *, live: bool, form: str) -> int:
    """Show which version runs where, how it stands and what waits."""
    from stellwerk.report.status import status_json, status_text

    status = console.open().status(live=live)
    shown = status_json(status) if form == "json" else status_text(status, color=console.color, width=console.width)
    console.show(shown)
    return 0
