"""`stellwerk jobs`: what CI has to start."""

from __future__ import annotations

import click

from stellwerk.cli.console import Console, with_console
from stellwerk.cli.options import confirm_options, examples, formats


@click.command(
    epilog=examples(
        "stellwerk jobs",
        "stellwerk jobs --base origin/main",
        'stellwerk jobs --format github >> "$GITHUB_OUTPUT"',
    )
)
@click.option("--base", metavar="REV", help="Only the models that the difference to REV touches, to be checked.")
@confirm_options
@formats("json", "github")
@with_console
def command(
    console: Console, /, *, base: str | None, confirm_trainings: int | None, confirm_removals: int | None, form: str
) -> int:
    """List the jobs that CI has to start.

    From the plan: trainings by the place where they run, and the environments with work. With --base instead the
    models whose source a pull request touches. No list has more than 256 entries; nothing to do gives empty ones.
    """
    from stellwerk.report.jobs_json import jobs_github, jobs_json

    jobs = console.open().jobs(base=base or None, trainings=confirm_trainings, removals=confirm_removals)
    console.show(jobs_github(jobs) if form == "github" else jobs_json(jobs))
    return 0
