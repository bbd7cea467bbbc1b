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
    portion_of,
    portion_options,
    push_option,
    shard_option,
)

if TYPE_CHECKING:
    from stellwerk.app import ReconcileRequest
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
        "stellwerk reconcile --no-render --training regression",
        "stellwerk reconcile --no-render --environment production",
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
@portion_options
@click.option("--accept-waiting", is_flag=True, help="Exit with 0 where all that is left waits for a person.")
@click.option("--summary", is_flag=True, help="Append a summary to the file that $GITHUB_STEP_SUMMARY names, if set.")
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
    no_render: bool,
    training: str | None,
    models: str | None,
    accept_waiting: bool,
    summary: bool,
    form: str,
) -> int:
    """Do what the plan says, one commit per action.

    Goes on until nothing is left to do, or all that is left waits for somebody.
    """
    from stellwerk.app import ReconcileRequest
    from stellwerk.errors import StellwerkError

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
        portion=portion_of(no_render=no_render, training=training, models=models),
    )
    title = environment or ("training" if training is not None else "")
    try:
        outcome = _shown(console, request, form)
    except StellwerkError as error:
        if summary:
            from stellwerk.report.outcome_markdown import problem_markdown

            console.summarize(problem_markdown(error.message, error.hint, title=title))
        raise
    if summary:
        from stellwerk.report.outcome_markdown import outcome_markdown

        console.summarize(outcome_markdown(outcome, title=title))
    return exit_code(outcome, accept_waiting=accept_waiting, environment=environment)


def _shown(console: Console, request: ReconcileRequest, form: str) -> Outcome:
    """Reconcile, and print what happens and what came of it."""
    from stellwerk.cli.progress import Progress
    from stellwerk.report.outcome import outcome_end, outcome_json

    workspace = console.open()
    if form == "json":
        outcome = workspace.reconcile(request, lambda _event: None)
        console.show(outcome_json(outcome))
        return outcome
    with Progress(console, jobs=request.jobs) as progress:
        outcome = workspace.reconcile(request, progress)
    say = console.show if outcome.problems else console.tell  # a failure is never silent
    say(
        ("\n" if outcome.done or outcome.problems else "")
        + outcome_end(outcome, color=console.color, width=console.width)
    )
    return outcome


def exit_code(outcome: Outcome, *, accept_waiting: bool = False, environment: str | None = None) -> int:
    """1 when something failed; 3 when a gate or a person refused, or a person is asked; what only takes time is 0.

    A training that failed is 1 in the run that tried it and 3 in those that find it recorded. With `accept_waiting` a
    person who is asked is no failure, and of a run for one environment only what waits there counts.
    """
    from stellwerk.model.actions import Train, WaitKind
    from stellwerk.report.outcome import all_waits

    if outcome.problems or any(isinstance(done.step.action, Train) and not done.passed for done in outcome.done):
        return FAILED
    asked = {WaitKind.CONFIRMATION, WaitKind.APPROVAL, WaitKind.RENDER, WaitKind.EDITED}
    blocked = {WaitKind.REJECTED, WaitKind.VERDICT, WaitKind.TRAINING}
    waits = all_waits(outcome)
    if not accept_waiting:
        return BLOCKED if any(wait.kind in asked | blocked for wait in waits) else 0
    here = (wait for wait in waits if environment is None or wait.environment == environment)
    return BLOCKED if any(wait.kind in blocked for wait in here) else 0


def _read(console: Console, planfile: str) -> str:
    from stellwerk.errors import StellwerkError

    try:
        with click.open_file("-" if planfile == "-" else str(console.path(planfile)), encoding="utf-8") as file:
            return str(file.read())
    except (FileNotFoundError, IsADirectoryError, UnicodeDecodeError) as error:
        raise StellwerkError(
            "there is no plan to read here", where=planfile, hint="make one with: stellwerk plan --out plan.json"
        ) from error
