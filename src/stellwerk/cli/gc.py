"""`stellwerk gc`: free what nothing needs; erase what somebody decided must go."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from stellwerk.cli.boundary import FAILED
from stellwerk.cli.console import Console, with_console
from stellwerk.cli.options import because_option, examples, formats

if TYPE_CHECKING:
    from stellwerk.model.garbage import Garbage

GRACE = "2d"


@click.command(
    epilog=examples(
        "stellwerk gc --dry-run",
        "stellwerk gc --remote packages --grace 7d",
        'stellwerk gc --erase sales@HEAD~1 --because "a customer asked for it"',
        'stellwerk gc --erase shoe-demand@3 --because "trained on erased data"',
    )
)
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@click.option("--remote", "remotes", metavar="NAME", multiple=True, help="Only this DVC remote; repeatable.")
@click.option("--cache", is_flag=True, help="Only DVC's cache here, or besides the remotes named.")
@click.option(
    "--grace", metavar="DURATION", default=GRACE, show_default=True, help="Keep what is younger: it may be on its way."
)
@click.option(
    "--unnamed", is_flag=True, help="Also from remotes: what no commit here names. Not where others share them."
)
@click.option("--erase", "what", metavar="WHAT@REV", help="Delete DATASET@REVISION or MODEL@NUMBER by decision.")
@because_option(required=False)
@click.option("--confirm-current", is_flag=True, help="Erase although it is the current snapshot.")
@click.option("-v", "--verbose", is_flag=True, help="Also why everything else stays.")
@formats("text", "json")
@with_console
def command(
    console: Console,
    /,
    *,
    dry_run: bool,
    remotes: tuple[str, ...],
    cache: bool,
    grace: str,
    unnamed: bool,
    what: str | None,
    because: str | None,
    confirm_current: bool,
    verbose: bool,
    form: str,
) -> int:
    """Delete from cache and remotes what nothing needs.

    Whatever a branch, a tag, a release or a verdict needs stays, as long as limits.retention says; so does what is
    young.
    """
    from stellwerk.app.garbage import GarbageRequest, collect_garbage, erase
    from stellwerk.declarations.moments import parse_duration
    from stellwerk.report.garbage import erasure_json, erasure_text, garbage_json, garbage_text

    workspace = console.open()
    if what is not None:
        if not because:
            raise click.UsageError("--erase needs --because: the reason is recorded")
        if dry_run or remotes or cache:
            raise click.UsageError("--erase deletes everywhere: not with --dry-run, --remote or --cache")
        done = erase(workspace, what, because=because, current=confirm_current)
        color, width = console.color, console.width
        console.show(erasure_json(done) if form == "json" else erasure_text(done, color=color, width=width))
        return _code(done.garbage)
    seconds = parse_duration(grace)
    if seconds is None:
        raise click.BadParameter("write a duration such as 2d or 12h", param_hint="--grace")
    request = GarbageRequest(
        dry_run=dry_run,
        grace=float(seconds),
        remotes=remotes if remotes or cache else None,
        cache=cache or not remotes,
        unnamed=unnamed,
    )
    found = collect_garbage(workspace, request)
    if form == "json":
        console.show(garbage_json(found))
    else:
        console.show(garbage_text(found, verbose=verbose, color=console.color, width=console.width))
    return _code(found)


def _code(garbage: Garbage) -> int:
    """1 where a place could not be asked, or not everything went."""
    return FAILED if any(sweep.problem for sweep in garbage.sweeps) else 0
