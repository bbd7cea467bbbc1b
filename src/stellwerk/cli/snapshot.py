"""`stellwerk snapshot`: a new version of a dataset, or of every dataset that is due."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from stellwerk.cli.boundary import FAILED
from stellwerk.cli.console import Console, with_console
from stellwerk.cli.decisions import answer
from stellwerk.cli.options import because_option, completing, examples, push_option

if TYPE_CHECKING:
    from stellwerk.planning.due import Asked


@click.command(
    epilog=examples(
        'stellwerk snapshot sales --because "the autumn season has begun"',
        "stellwerk snapshot --due --schedule '0 3 * * 1'   # as `retrain` says",
    )
)
@click.argument("dataset", required=False, shell_complete=completing("datasets"))
@because_option(required=False)
@click.option("--due", is_flag=True, help="Every dataset that a model takes unasked, as its `retrain` says.")
@click.option("--schedule", metavar="CRON", help="With --due: only for models with this schedule.")
@click.option(
    "--only",
    metavar="DATASET",
    help="With --due: only this one, of which word came.",
    shell_complete=completing("datasets"),
)
@click.option(
    "--within",
    metavar="ENVIRONMENT",
    help="With --due: only data whose first environment that allows them is this one.",
    shell_complete=completing("environments"),
)
@push_option
@with_console
def command(
    console: Console,
    /,
    *,
    dataset: str | None,
    because: str | None,
    due: bool,
    schedule: str | None,
    only: str | None,
    within: str | None,
    push: bool | None,
) -> int:
    """Take a new snapshot of DATASET, or of all that are due.

    Fetches its source, checks it against its columns, stores it in the remote, commits its pointer. With --due an
    empty value of an option means that it was not given; a dataset that fails does not stop the others.
    """
    if due:
        if dataset or because:
            raise click.UsageError("--due finds the datasets and the reasons; write --only DATASET for one of them")
        from stellwerk.planning.due import Asked

        asked = Asked(schedule=schedule or None, dataset=only or None, place=within or None)
        return _take_due(console, asked, push=push)
    if schedule or only or within:
        raise click.UsageError("--schedule, --only and --within are said of --due")
    if not dataset:
        raise click.UsageError("Missing argument 'DATASET' (or --due)")
    if not because:
        raise click.UsageError("Missing option '--because'")
    return answer(console, console.open().snapshot(dataset, because=because, push=push))


def _take_due(console: Console, asked: Asked, *, push: bool | None) -> int:
    from stellwerk.report.decision import taken_text

    found, failed = 0, 0
    for taken in console.open().snapshot_due(asked, push=push):
        found, failed = found + 1, failed + (taken.decision is None)
        say = console.tell if taken.decision else console.show  # a failure is never silent
        say(taken_text(taken, color=console.color, width=console.width))
    if not found:
        console.tell("No snapshot is due.")
    return FAILED if failed else 0
