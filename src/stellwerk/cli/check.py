"""`stellwerk check`: judge what lies in the work tree, record nothing."""

from __future__ import annotations

import click

from stellwerk.cli.console import Console, with_console
from stellwerk.cli.options import any_environment_argument, examples, formats, model_argument


@click.command(epilog=examples("stellwerk check shoe-demand", "stellwerk check shoe-demand regression"))
@model_argument
@any_environment_argument
@formats("text", "json")
@with_console
def command(console: Console, /, *, model: str, environment: str | None, form: str) -> int:
    """Train and judge MODEL as it lies here; commit nothing.

    Uncommitted changes are included. Exits with 1 when a check fails.
    """
    from stellwerk.cli.progress import Progress
    from stellwerk.report.checks import checks_json, checks_text

    workspace = console.open()
    with Progress(console) as progress:
        progress.task(f"{model}: check")
        checks = workspace.check(model, environment, progress.say)
    shown = checks_json(checks) if form == "json" else checks_text(checks, color=console.color, width=console.width)
    console.show(shown)
    return int(not all(check.passed for check in checks))
