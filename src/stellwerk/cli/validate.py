"""`stellwerk validate`: every mistake in the declarations, in one run."""

from __future__ import annotations

import click

from stellwerk.cli.console import Console, with_console
from stellwerk.cli.options import examples, formats


@click.command(
    epilog=examples(
        "stellwerk validate",
        "stellwerk validate --base origin/main  # also: thresholds loosened since",
        "stellwerk validate --format github     # annotations in a pull request",
    )
)
@formats("text", "json", "github", "sarif")
@click.option("--base", metavar="REV", help="Compare with this revision, to find what was loosened.")
@with_console
def command(console: Console, /, *, form: str, base: str | None) -> int:
    """Find every mistake in mlops.yaml and environments/."""
    from stellwerk.model.findings import Severity
    from stellwerk.report.findings import findings_github, findings_json, findings_sarif, findings_text

    findings, sources = console.open().validate(base=base)
    match form:
        case "json":
            console.show(findings_json(findings))
        case "github":
            console.show(findings_github(findings))
        case "sarif":
            console.show(findings_sarif(findings))
        case _ if findings:
            console.show(findings_text(findings, sources, color=console.color, width=console.width))
        case _:
            console.tell("No mistakes found.")
    return int(any(finding.severity is Severity.ERROR for finding in findings))
