"""`stellwerk promote`: set a release by hand."""

from __future__ import annotations

import click

from stellwerk.cli.console import Console, with_console
from stellwerk.cli.decisions import answer
from stellwerk.cli.options import environment_argument, examples, model_argument, push_option


@click.command(
    epilog=examples("stellwerk promote shoe-demand production", "stellwerk promote shoe-demand production --version 3")
)
@model_argument
@environment_argument
@click.option("--version", type=click.IntRange(min=1), metavar="N", help="This version instead of the current one.")
@push_option
@with_console
def command(console: Console, /, *, model: str, environment: str, version: int | None, push: bool | None) -> int:
    """Release MODEL in ENVIRONMENT; every gate is asked."""
    return answer(console, console.open().promote(model, environment, version=version, push=push))
