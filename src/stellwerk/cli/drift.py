"""`stellwerk drift`: whether the world is as git says."""

from __future__ import annotations

import click

from stellwerk.cli.console import Console, with_console
from stellwerk.cli.options import environment_option, examples, formats

DRIFTED = 2


@click.command(epilog=examples("stellwerk drift", "stellwerk drift --environment production --format json"))
@environment_option
@click.option("--out", metavar="FILE", help="Also write it as JSON, for `stellwerk announce --drift`.")
@click.option("--detailed-exitcode", is_flag=True, help="Exit with 2 when something drifted.")
@formats("text", "json")
@with_console
def command(
    console: Console, /, *, environment: str | None, out: str | None, detailed_exitcode: bool, form: str
) -> int:
    """Look whether the world is as git says; change nothing.

    In the rendered files, or in one environment: what its targets run, what the remotes lack.
    """
    from stellwerk.report.drift import drift_json, drift_text

    found = console.open().drift(environment, None if out is None else console.path(out))
    console.show(drift_json(found) if form == "json" else drift_text(found))
    return DRIFTED if detailed_exitcode and found.drifts else 0
