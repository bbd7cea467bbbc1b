"""`stellwerk package`: a version as a folder that can be deployed."""

from __future__ import annotations

import click

from stellwerk.cli.console import Console, with_console
from stellwerk.cli.options import completing, examples


@click.command(epilog=examples("stellwerk package shoe-demand@2 --out build/shoe-demand"))
@click.argument("version", metavar="MODEL@VERSION", shell_complete=completing("model@version"))
@click.option("--out", metavar="DIR", required=True, help="The folder to write; missing, empty, or the very same.")
@with_console
def command(console: Console, /, *, version: str, out: str) -> int:
    """Write a version as a folder to deploy.

    Its package, proven by its digest, with a service, exact requirements and a Dockerfile. The same bytes each time.
    """
    done = console.open().package(version, console.path(out))
    said = "is already there" if done.already else "written"
    console.show(f"{done.model} v{done.version} {said}: {out}, {done.files} files, package sha256 {done.sha256}")
    return 0
