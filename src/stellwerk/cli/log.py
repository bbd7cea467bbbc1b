"""`stellwerk log`: the history of a model."""

from __future__ import annotations

import click

from stellwerk.cli.console import Console, with_console
from stellwerk.cli.options import examples, formats, model_argument


@click.command(epilog=examples("stellwerk log shoe-demand", "stellwerk log shoe-demand --limit 5 --format json"))
@model_argument
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="At most so many entries.")
@formats("text", "json")
@click.option("--long", is_flag=True, help="Show the evidence in each commit.")
@with_console
def command(console: Console, /, *, model: str, limit: int, form: str, long: bool) -> int:
    """List every commit about MODEL, newest first."""
    from stellwerk.report.history import log_json, log_text

    entries = console.open().log(model, limit=limit)
    shown = (
        log_json(entries)
        if form == "json"
        else log_text(entries, color=console.color, width=console.width, bodies=long)
    )
    console.show(shown)
    return 0
