"""`stellwerk notebook convert`: write the source that a notebook becomes."""

from __future__ import annotations

import click

from stellwerk.cli.boundary import FAILED
from stellwerk.cli.console import Console, with_console
from stellwerk.cli.options import completing, examples


@click.command(epilog=examples("stellwerk notebook convert demand", "stellwerk notebook convert demand --check"))
@click.argument("model", shell_complete=completing("models"))
@click.option("--check", is_flag=True, help="Write nothing; exit with 1 when a file differs.")
@with_console
def command(console: Console, /, *, model: str, check: bool) -> int:
    """Write the module and the tests that the notebook of MODEL becomes.

    Only tagged cells ship. `stellwerk render` and `stellwerk reconcile` write them too.
    """
    from stellwerk.report.rendered import rendered_text

    rendered = console.open().convert_notebook(model, check=check)
    text = rendered_text(rendered, color=console.color, width=console.width)
    if text:
        console.show(text)
    else:
        console.tell("The source is what the notebook becomes.")
    return FAILED if rendered.left or (check and rendered.renders) else 0
