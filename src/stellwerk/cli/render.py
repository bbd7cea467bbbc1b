"""`stellwerk render`: write the generated files."""

from __future__ import annotations

import click

from stellwerk.cli.boundary import FAILED
from stellwerk.cli.console import Console, with_console
from stellwerk.cli.options import examples

UP_TO_DATE = "Every generated file is up to date."


@click.command(
    epilog=examples(
        "stellwerk render",
        "stellwerk render --check",
        "stellwerk render --force models/churn/dvc.yaml",
        "stellwerk render --update-actions",
    )
)
@click.option("--check", is_flag=True, help="Write nothing; exit with 1 when a file differs.")
@click.option("--force", multiple=True, metavar="PATH", help="Overwrite this file although it was edited by hand.")
@click.option("--update-actions", is_flag=True, help="Show the actions that workflows use, and how to renew them.")
@with_console
def command(console: Console, /, *, check: bool, force: tuple[str, ...], update_actions: bool) -> int:
    """Write the files that are generated from the declarations.

    A file that somebody edited is left alone and shown with its difference; --force overwrites it.
    """
    workspace = console.open()
    if check and not force and not update_actions and workspace.nothing_to_do():
        console.tell(UP_TO_DATE)
        return 0
    from stellwerk.report.rendered import actions_text, rendered_text

    if update_actions:
        console.show(actions_text(*workspace.pinned_actions()))
        return 0
    rendered = workspace.render(check=check, force=force, directory=console.path("."))
    text = rendered_text(rendered, color=console.color, width=console.width)
    if text:
        console.show(text)
    else:
        console.tell(UP_TO_DATE)
    return FAILED if rendered.left or (check and rendered.renders) else 0
