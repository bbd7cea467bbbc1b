"""`stellwerk rollback`: go back to an older version."""

from __future__ import annotations

import click

from stellwerk.cli.console import Console, with_console
from stellwerk.cli.decisions import answer
from stellwerk.cli.options import (
    because_option,
    environment_argument,
    examples,
    model_argument,
    push_option,
    until_option,
)


@click.command(
    epilog=examples(
        'stellwerk rollback shoe-demand production --because "orders dropped"',
        'stellwerk rollback shoe-demand production --to 2 --because "orders dropped"',
    )
)
@model_argument
@environment_argument
@because_option(required=True)
@click.option("--to", "version", type=click.IntRange(min=1), metavar="N", help="This version; else the one before.")
@until_option
@push_option
@with_console
def command(
    console: Console,
    /,
    *,
    model: str,
    environment: str,
    because: str,
    version: int | None,
    until: str | None,
    push: bool | None,
) -> int:
    """Go back to an older version, and hold it.

    Works during a freeze and without an approval. Automation never undoes it.
    """
    workspace = console.open()
    decision = workspace.rollback(model, environment, because=because, version=version, until=until, push=push)
    return answer(console, decision)
