"""`stellwerk render`: write the generated files."""

from __future__ import annotations

import click

from stellwerk.cli.console import Console, with_console
from stellwerk.cli.options import examples


@click.command(
    epilog=examples("stellwerk render", "stellwerk render --check", "stellwerk render --force models/churn/dvc.yaml")
)
@click.option("--check", is_flag=True, help="Write nothing; exit with 1 when a file differs.")
@click.option("--force", multiple=True, metavar="PATH", help="Overwrite this file although it was edited by hand.")
@with_console
def command(console: Console, /, *, check: bool, force: tuple[str, ...]) -> int:
    """Write the files that are generated from the declarations."""
    from stellwerk.report.words import action_words

    changed = console.open().render(check=check, force=force)
    for render in changed:
        words = action_words(render)
        console.show(f"{words.symbol} {words.text}")
    if not changed:
        console.tell("Every generated file is up to date.")
    return int(check and bool(changed))
