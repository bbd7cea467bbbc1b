"""`stellwerk plan`: what reconcile would do, and what waits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from stellwerk.cli.console import Console, with_console
from stellwerk.cli.options import confirm_options, environment_option, examples, formats, model_option, shard_option

if TYPE_CHECKING:
    from stellwerk.planning.shard import Shard

CHANGES = 2


@click.command(
    epilog=examples(
        "stellwerk plan",
        "stellwerk plan --detailed-exitcode     # exit code 2: something to do",
        "stellwerk plan --out plan.json && stellwerk reconcile plan.json",
        "stellwerk plan --at origin/main --model shoe-demand",
        "stellwerk plan --shard 2/5             # one of five parts",
    )
)
@formats("text", "json", "markdown")
@click.option("--detailed-exitcode", is_flag=True, help="Exit with 2 when there is something to do.")
@click.option("--out", metavar="FILE", help="Also write the plan as JSON, for `stellwerk reconcile FILE`.")
@click.option("--at", metavar="REV", help="Plan for this commit instead of the files here.")
@model_option
@environment_option
@shard_option
@confirm_options
@with_console
def command(
    console: Console,
    /,
    *,
    form: str,
    detailed_exitcode: bool,
    out: str | None,
    at: str | None,
    model: str | None,
    environment: str | None,
    shard: Shard | None,
    confirm_trainings: int | None,
    confirm_removals: int | None,
) -> int:
    """Show what reconcile would do and why; change nothing."""
    workspace = console.open()
    planned = workspace.plan(
        at=at,
        model=model,
        environment=environment,
        confirm_trainings=confirm_trainings,
        confirm_removals=confirm_removals,
        shard=shard,
    )
    plan = planned.plan
    if out is not None:
        from stellwerk.report.plan_json import plan_json

        console.path(out).write_text(plan_json(plan), encoding="utf-8")
    match form:
        case "json":
            from stellwerk.report.plan_json import plan_json

            console.show(plan_json(plan))
        case "markdown":
            from stellwerk.report.plan_markdown import plan_markdown

            console.show(plan_markdown(plan))
        case _ if not plan.steps and not plan.waits:
            from stellwerk.report.nothing import nothing_text

            console.show(nothing_text(color=console.color, width=console.width))
        case _:
            from stellwerk.report.plan_text import plan_text

            console.show(
                plan_text(
                    plan,
                    color=console.color,
                    width=console.width,
                    hints=not console.quiet,
                    uncommitted=planned.uncommitted,
                )
            )
    return CHANGES if detailed_exitcode and plan.steps else 0
