"""`stellwerk stand-in`: made-up rows for development."""

from __future__ import annotations

import click

from stellwerk.cli.console import Console, with_console
from stellwerk.cli.options import completing, examples


@click.command(
    name="stand-in",
    epilog=examples(
        "stellwerk stand-in sales --rows 2000",
        "stellwerk stand-in sales --rows 500 --seed 7 --out /tmp/sales.csv",
    ),
)
@click.argument("dataset", shell_complete=completing("datasets"))
@click.option("--rows", metavar="N", type=click.IntRange(min=1), required=True, help="How many rows.")
@click.option("--seed", metavar="S", type=int, default=0, show_default=True, help="Other rows for another seed.")
@click.option("--out", metavar="FILE", help="Write here (.csv, .parquet, .jsonl). Default: the declared `stand_in`.")
@click.option("--force", is_flag=True, help="Replace another file that is there.")
@with_console
def command(console: Console, /, *, dataset: str, rows: int, seed: int, out: str | None, force: bool) -> int:
    """Make up rows that look like DATASET.

    They keep everything that is declared of its columns and, where a version was trained on it, follow the recorded
    profile. No row is copied, because none is read; the same seed gives the same bytes.
    """
    from stellwerk.app.stand_in import Asked, make_stand_in

    file = console.path(out) if out is not None else None
    made = make_stand_in(console.open(), Asked(dataset=dataset, rows=rows, seed=seed, out=file, force=force))
    console.tell(f"Wrote {made.rows} rows to {made.path}." if made.changed else f"{made.path} has these rows already.")
    for note in made.notes:
        console.tell(note)
    return 0
