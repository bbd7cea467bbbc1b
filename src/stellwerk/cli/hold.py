"""`stellwerk hold`: automation leaves a release alone."""

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
        "stellwerk hold shoe-demand production --because audit --until 2026-12-01",
        "stellwerk hold shoe-demand production --end",
    )
)
@model_argument
@environment_argument
@because_option(required=False)
@until_option
@click.option("--end", is_flag=True, help="Lift the hold.")
@push_option
@with_console
def command(
    console: Console,
    /,
    *,
    model: str,
    environment: str,
    because: str | None,
    until: str | None,
    end: bool,
    push: bool | None,
) -> int:
    """Keep a release as it is until the hold ends."""
    if because is None and not end:
        raise click.UsageError("a hold needs its reason: --because REASON")
    if until is not None and end:
        raise click.UsageError("--until belongs to a new hold, --end lifts one: give only one of them")
    workspace = console.open()
    decision = workspace.hold(model, environment, because=because or "", until=until, release=end, push=push)
    return answer(console, decision)
