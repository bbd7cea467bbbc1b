"""`stellwerk report`: what a change does, for the people who review it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from stellwerk.cli.console import Console, with_console
from stellwerk.cli.options import examples, formats

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME = "report"  # by which a forge finds the comment again


@click.command(
    epilog=examples(
        "stellwerk report --base origin/main",
        "stellwerk report --base origin/main --checks checks --post 12",
    )
)
@click.option("--base", metavar="REV", required=True, help="Compare with where this and HEAD went apart.")
@click.option("--checks", metavar="DIR", help="Folder of results that `stellwerk check --out` wrote.")
@click.option("--summary", is_flag=True, help="Also append it to the file that $GITHUB_STEP_SUMMARY names.")
@click.option(
    "--post", metavar="NUMBER", type=click.IntRange(min=1), help="Also keep it as a comment on that pull request."
)
@click.option("--out", metavar="FILE", help="Also write it to a file.")
@formats("markdown", "json")
@with_console
def command(
    console: Console,
    /,
    *,
    base: str,
    checks: str | None,
    summary: bool,
    post: int | None,
    out: str | None,
    form: str,
) -> int:
    """Tell reviewers what merging would do, or what blocks it.

    Compares the files here with the base and reads git alone. Exits with 1 when the declarations have mistakes, or
    when a running version's recorded metrics fail a threshold that this change brings.
    """
    from stellwerk.report.change_json import change_json
    from stellwerk.report.pull_request import pull_request_markdown

    change = console.open().report(base=base, checks=None if checks is None else console.path(checks))
    markdown = pull_request_markdown(change)
    shown = change_json(change) if form == "json" else markdown
    console.show(shown)
    if out is not None:
        console.path(out).write_text(shown, encoding="utf-8")
    if summary and console.environ.get("GITHUB_STEP_SUMMARY"):
        with open(console.environ["GITHUB_STEP_SUMMARY"], "a", encoding="utf-8") as file:  # noqa: PTH123
            file.write(markdown)
    if post is not None:
        _post(post, markdown, environ=console.environ)
    return int(change.red)


def _post(number: int, markdown: str, *, environ: Mapping[str, str]) -> None:
    """Keep the report as a comment. What the forge refuses is said, and changes nothing else."""
    from stellwerk.adapters.forge import open_forge
    from stellwerk.errors import StellwerkError

    def say(text: str) -> None:
        click.echo(text, err=True)

    try:
        open_forge(environ, say).comment(number=number, marker=NAME, body=markdown)
    except StellwerkError as error:
        hint = f" ({error.hint})" if error.hint else ""
        say(f"warning: the report was not posted to {number}: {error.message}{hint}; the next run posts it")
