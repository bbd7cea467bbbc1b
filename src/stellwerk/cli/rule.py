"""`stellwerk rule`: what a finding means."""

from __future__ import annotations

import click

from stellwerk.cli.console import Console, with_console
from stellwerk.cli.options import examples


@click.command(epilog=examples("stellwerk rule SW204"))
@click.argument("rule", metavar="ID")
@with_console
def command(console: Console, /, *, rule: str) -> int:
    """Explain a rule of `validate`, with examples."""
    from stellwerk.planning.rules.catalogue import find_rule
    from stellwerk.report.findings import rule_text

    console.show(rule_text(find_rule(rule), color=console.color, width=console.width))
    return 0
