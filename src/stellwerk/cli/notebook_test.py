"""`stellwerk notebook test`: run a notebook and its tests, and prove that its module predicts the same."""

from __future__ import annotations

import click

from stellwerk.cli.boundary import FAILED
from stellwerk.cli.console import Console, with_console
from stellwerk.cli.options import completing, examples


@click.command(epilog=examples("stellwerk notebook test demand", "stellwerk notebook test demand --timeout 60"))
@click.argument("model", shell_complete=completing("models"))
@click.option(
    "--timeout", type=click.FloatRange(min=1), metavar="S", help="Seconds for the whole run; else the model's."
)
@click.option("--out", metavar="FILE", help="Also write the results as JSON, for `stellwerk report --checks`.")
@with_console
def command(console: Console, /, *, model: str, timeout: float | None, out: str | None) -> int:
    """Run the notebook of MODEL from the top on stand-in data, then its tests.

    Its module must be what the notebook becomes, and predict what the notebook does.
    """
    from stellwerk.errors import StellwerkError
    from stellwerk.model.records import CheckResult
    from stellwerk.report.checks import checks_json, checks_text

    def keep(checks: tuple[CheckResult, ...], environment: str | None) -> None:
        if out is not None:
            console.path(out).parent.mkdir(parents=True, exist_ok=True)
            console.path(out).write_text(checks_json(checks, model, environment), encoding="utf-8")

    workspace = console.open()
    try:
        environment, checks = workspace.run_notebook(model, timeout=timeout)
    except StellwerkError as error:
        keep((CheckResult(name="notebook runs", passed=False, detail=error.message),), None)
        raise
    keep(checks, environment)
    console.show(checks_text(checks, color=console.color, width=console.width))
    return 0 if all(check.passed for check in checks) else FAILED
