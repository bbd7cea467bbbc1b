"""`stellwerk snapshot`: a new version of a dataset."""

from __future__ import annotations

import click

from stellwerk.cli.console import Console, with_console
from stellwerk.cli.decisions import answer
from stellwerk.cli.options import because_option, completing, examples, push_option


@click.command(epilog=examples('stellwerk snapshot sales --because "the autumn season has begun"'))
@click.argument("dataset", shell_complete=completing("datasets"))
@because_option(required=True)
@push_option
@with_console
def command(console: Console, /, *, dataset: str, because: str, push: bool | None) -> int:
    """Take a new snapshot of DATASET.

    Fetches its source, checks it against its columns, stores it in the remote, commits its pointer.
    """
    return answer(console, console.open().snapshot(dataset, because=because, push=push))
