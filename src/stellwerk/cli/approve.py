"""`stellwerk approve`: a person says yes."""

from __future__ import annotations

import click

from stellwerk.cli.console import Console, with_console
from stellwerk.cli.decisions import answer
from stellwerk.cli.options import because_option, environment_argument, examples, model_argument, push_option


@click.command(
    epilog=examples("stellwerk approve credit production", "stellwerk approve credit production --version 3 --as ada")
)
@model_argument
@environment_argument
@click.option("--version", type=click.IntRange(min=1), metavar="N", help="This version instead of the waiting one.")
@because_option(required=False)
@click.option("--as", "by", metavar="PERSON", help="Who decides, where the git identity does not say.")
@push_option
@with_console
def command(
    console: Console,
    /,
    *,
    model: str,
    environment: str,
    version: int | None,
    because: str | None,
    by: str | None,
    push: bool | None,
) -> int:
    """Approve a version of MODEL for ENVIRONMENT, in your name."""
    workspace = console.open()
    return answer(
        console,
        workspace.approve(model, environment, version=version, because=because, reject=False, by=by, push=push),
    )
