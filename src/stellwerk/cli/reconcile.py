"""`stellwerk reconcile`: make what is declared true."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from stellwerk.cli.boundary import BLOCKED, FAILED
from stellwerk.cli.console import Console, with_console
from stellwerk.cli.options import (
    confirm_options,
    environment_option,
    examples,
    formats,
    model_option,
    push_option,
    shard_option,
)

if TYPE_CHECKING:
    from stellwerk.model.views import Outcome
    from stellwerk.planning.shard import Shard


@click.command(
    epilog=examples(
        "stellwerk reconcile",
        "stellwerk reconcile plan.json      # exactly what was planned, or nothing",
        "stellwerk reconcile --model shoe-demand --no-push",
        "stellwerk reconcile --retry        # try again what failed",
        "stellwerk reconcile --jobs 4       # four models at once",
        "stellwerk reconcile --shard 2/5    # in the second of five CI jobs",
    )
)
@click.argument("planfile", metavar="[PLAN]", required=False)
@model_option
@environment_option
@shard_option
@click.option(
    "-j", "--jobs", type=click.IntRange(min=1), default=1, metavar="N", show_default=True, help="Do N steps at once."
)
@push_option
@confirm_options
@click.option("--retry", is_flag=True, help="Repeat trainings whose recorded attempt failed.")
@formats("text", "json")
@with_console
def command(
    console: Console,
    /,
    *,
    planfile: str | None,
    model: str | None,
    environment: str | None,
    shard: Shard | None,
    jobs: int,
    push: bool | None,
    confirm_trainings: int | None,
    confirm_removals: int | None,
    retry: bool,
    form: str,
) -> int:
    """Do what the plan says, one commit per action.

    Goes on until nothing is left to do, or all that is left waits for somebody.
    """
    from stellwerk.app import ReconcileRequest
    from stellwerk.cli.progress import Progress
    from stellwerk.report.outcome import outcome_end, outcome_json

    request = ReconcileRequest(
        plan_text=None if planfile is None else _read(console, planfile),
        model=model,
        environment=environment,
        push=push,
        confirm_trainings=confirm_trainings,
        confirm_removals=confirm_removals,
        retry=retry,
        jobs=jobs,
        shard=shard,
    )
    workspace = console.open()
    if form == "json":
        outcome = workspace.reconcile(request, lambda _event: None)
        console.show(outcome_json(outcome))
        return exit_code(outcome)
    with Progress(console, jobs=jobs) as progress:
        outcome = workspace.reconcile(request, progress)
    say = console.show if outcome.problems else console.tell  # a failure is never silent
    say(
        ("\n" if outcome.done or outcome.problems else "")
        + outcome_end(outcome, color=console.color, width=console.width)
    )
    return exit_code(outcome)


def exit_code(outcome: Outcome) -> int:
    """1 when something failed; 3 when a gate or a person refused, or a person is asked; what only takes time is 0.

    A training that failed is 1 in the run that tried it and 3 in those that find it recorded.
    """
    from stellwerk.model.actions import Train, WaitKind
    from stellwerk.report.outcome import all_waits

    if outcome.problems or any(isinstance(done.step.action, Train) and not done.passed for done in outcome.done):
        return FAILED
    asking = {WaitKind.CONFIRMATION, WaitKind.APPROVAL, WaitKind.REJECTED, WaitKind.VERDICT, WaitKind.TRAINING}
    return BLOCKED if any(wait.kind in asking for wait in all_waits(outcome)) else 0


def _read(console: Console, planfile: str) -> str:
    from stellwerk.errors import StellwerkError

    try:
        with click.open_file("-" if planfile == "-" else str(console.path(planfile)), encoding="utf-8") as file:
            return str(file.read())
    except (FileNotFoundError, IsADirectoryError, UnicodeDecodeError) as error:
        raise StellwerkError(
            "there is no plan to read here", where=planfile, hint="make one with: stellwerk plan --out plan.json"
        ) from error
