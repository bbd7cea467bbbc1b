"""`stellwerk why`: every condition on a model's way, met or not."""

from __future__ import annotations

import click

from stellwerk.cli.console import Console, with_console
from stellwerk.cli.options import any_environment_argument, examples, formats, model_argument


@click.command(epilog=examples("stellwerk why shoe-demand", "stellwerk why shoe-demand production"))
@model_argument
@any_environment_argument
@formats("text", "json")
@with_console
def command(console: Console, /, *, model: str, environment: str | None, form: str) -> int:
    """Explain what keeps MODEL out, and what would let it in."""
    from stellwerk.report.why import why_json, why_text

    found = console.open().why(model, environment)
    console.show(why_json(found) if form == "json" else why_text(found, color=console.color, width=console.width))
    return 0
