"""`stellwerk announce`: the forge shows what git says."""

from __future__ import annotations

import click

from stellwerk.cli.console import Console, with_console
from stellwerk.cli.options import examples


@click.command(epilog=examples("stellwerk announce", "stellwerk announce --drift drift"))
@click.option(
    "--drift", metavar="DIR", help="Also say what drifted: the folder with what `stellwerk drift --out` wrote."
)
@with_console
def command(console: Console, /, *, drift: str | None) -> int:
    """Let pull requests and issues show what git says.

    Promotions that wait for a merge, incidents, approvals that are asked for, drift. Decides nothing; what the forge
    refuses is printed, and tried again by the next run.
    """
    from stellwerk.report.drift import announced_text

    done = console.open().announce(None if drift is None else console.path(drift), console.tell)
    console.show(announced_text(done))
    for item in done:
        if item.failed:
            click.echo(f"warning: not announced: {item.subject}: {item.note}", err=True)
    return 0
