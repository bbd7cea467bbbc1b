"""`stellwerk lock`: pin what CI jobs install."""

from __future__ import annotations

import click

from stellwerk.cli.boundary import FAILED
from stellwerk.cli.console import Console, with_console
from stellwerk.cli.options import examples


@click.command(
    epilog=examples(
        "stellwerk lock",
        "stellwerk lock --check",
        "stellwerk lock --wheels dist   # this version is not on the index yet",
    )
)
@click.option("--check", is_flag=True, help="Write nothing; exit with 1 where the file is missing, loose or outdated.")
@click.option("--wheels", metavar="DIR", help="Also take wheels from DIR; with `from: wheels` from there only.")
@click.option("--version", metavar="X", help="Another version of Stellwerk than this one.")
@with_console
def command(console: Console, /, *, check: bool, wheels: str | None, version: str | None) -> int:
    """Pin by hash what the workflows install.

    Every package that Stellwerk needs on the runner (Linux x86_64, the Python of `workflows`), as pip resolves it.
    Commit the file.
    """
    from stellwerk.app.lock import check_lock, lock_packages

    if check:
        path, problems = check_lock(console.open(), version=version or None)
        for problem in problems:
            console.show(f"{path}: {problem}")
        console.tell(f"Run `stellwerk lock` and commit {path}." if problems else f"{path} pins every package.")
        return FAILED if problems else 0
    folder = console.path(wheels) if wheels is not None else None
    locked = lock_packages(console.open(), wheels=folder, version=version or None)
    said = f"{locked.packages} packages for {' and '.join(locked.asked)}"
    console.tell(
        f"Wrote {locked.path}: {said}. Commit it." if locked.changed else f"{locked.path} is up to date: {said}."
    )
    return 0
