"""`stellwerk diff`: what changed between two versions."""

from __future__ import annotations

import click

from stellwerk.cli.console import Console, with_console
from stellwerk.cli.options import completing, examples, formats


@click.command(epilog=examples("stellwerk diff shoe-demand@2 shoe-demand@3"))
@click.argument("left", metavar="MODEL@N", shell_complete=completing("model@version"))
@click.argument("right", metavar="MODEL@M", shell_complete=completing("model@version"))
@formats("text", "json")
@with_console
def command(console: Console, /, *, left: str, right: str, form: str) -> int:
    """Compare two versions of a model.

    Shows what differs in data, params, code, requirements and metrics.
    """
    from stellwerk.report.version_diff import diff_json, diff_text

    diff = console.open().diff(left, right)
    console.show(diff_json(diff) if form == "json" else diff_text(diff, color=console.color, width=console.width))
    return 0
