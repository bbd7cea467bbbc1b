"""`stellwerk schema`: the JSON Schema of a file or an output."""

from __future__ import annotations

import click

from stellwerk.cli.console import Console, with_console
from stellwerk.cli.options import examples

DECLARED = ("mlops", "environment", "release")
RECORDED = ("version", "profile", "verdict", "approval", "deployment", "incident", "erasure", "removal")
PRINTED = (
    *("plan", "report", "status", "findings", "checks", "why"),
    *("diff", "log", "outcome", "jobs", "drift", "garbage"),
)
KINDS = DECLARED + RECORDED + PRINTED


@click.command(epilog=examples("stellwerk schema mlops", "stellwerk schema environment > environment.schema.json"))
@click.argument("kind", metavar="KIND", type=click.Choice(KINDS))
@with_console
def command(console: Console, /, *, kind: str) -> int:
    """Print the JSON Schema of a file or an output.

    KIND is what people write (mlops, environment, release), what Stellwerk records (version, profile, verdict,
    approval, deployment, incident, erasure, removal) or what `--format json` prints (plan, report, status,
    findings, checks, why, diff, log, outcome, jobs, drift, garbage).
    """
    from stellwerk.declarations.schema import schema_text

    console.show(schema_text(kind))
    return 0
