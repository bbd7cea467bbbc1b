"""`stellwerk check`: judge what lies in the work tree, record nothing."""

from __future__ import annotations

import click

from stellwerk.cli.console import Console, with_console
from stellwerk.cli.options import any_environment_argument, examples, formats, model_argument


@click.command(
    epilog=examples(
        "stellwerk check shoe-demand",
        "stellwerk check shoe-demand regression",
        "stellwerk check shoe-demand dev --out checks/shoe-demand.json",
    )
)
@model_argument
@any_environment_argument
@click.option("--out", metavar="FILE", help="Also write the results as JSON, for `stellwerk report --checks`.")
@formats("text", "json")
@with_console
def command(console: Console, /, *, model: str, environment: str | None, out: str | None, form: str) -> int:
    """Train and judge MODEL as it lies here; commit nothing.

    Uncommitted changes are included. Exits with 1 when a check fails.
    """
    from stellwerk.cli.progress import Progress
    from stellwerk.errors import StellwerkError
    from stellwerk.model.records import CheckResult
    from stellwerk.report.checks import checks_json, checks_text

    def keep(checks: tuple[CheckResult, ...]) -> None:
        if out is not None:
            console.path(out).parent.mkdir(parents=True, exist_ok=True)
            console.path(out).write_text(checks_json(checks, model, environment), encoding="utf-8")

    workspace = console.open()
    try:
        with Progress(console) as progress:
            progress.task(f"{model}: check")
            checks = workspace.check(model, environment, progress.say)
    except StellwerkError as error:
        keep((CheckResult(name="check", passed=False, detail=error.message),))
        raise
    keep(checks)
    if form == "json":
        console.show(checks_json(checks, model, environment))
    else:
        console.show(checks_text(checks, color=console.color, width=console.width))
    return int(not all(check.passed for check in checks))
