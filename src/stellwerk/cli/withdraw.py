"""`stellwerk withdraw`: take a model out of service."""

from __future__ import annotations

import click

from stellwerk.cli.console import Console, with_console
from stellwerk.cli.decisions import answer
from stellwerk.cli.options import because_option, environment_argument, examples, model_argument, push_option


@click.command(epilog=examples('stellwerk withdraw shoe-demand production --because "the data were wrong"'))
@model_argument
@environment_argument
@because_option(required=True)
@push_option
@with_console
def command(console: Console, /, *, model: str, environment: str, because: str, push: bool | None) -> int:
    """Let the declared fallback serve instead of MODEL."""
    return answer(console, console.open().withdraw(model, environment, because=because, push=push))
