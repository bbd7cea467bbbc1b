"""`stellwerk notebook clean`: strip from notebooks what running them wrote; also as a filter of git."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from stellwerk.cli.boundary import FAILED
from stellwerk.cli.console import Console, with_console
from stellwerk.cli.options import examples
from stellwerk.errors import StellwerkError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

STREAM = "-"


@click.command(
    epilog=examples(
        "stellwerk notebook clean models/demand/demand.ipynb",
        "stellwerk notebook clean --check .",
        'git config filter.stellwerk-notebook.clean "stellwerk notebook clean -"',
    )
)
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
@click.option("--check", is_flag=True, help="Write nothing; exit with 1 where a notebook is not clean.")
@with_console
def command(console: Console, /, *, paths: tuple[str, ...], check: bool) -> int:
    """Strip outputs, counts and what tools note from notebooks.

    PATH is a notebook, a folder (every notebook in it), or `-`: from standard input to standard output, as git's
    filters do. A cell keeps its output with the tag `keep_output`. Nothing is written where one cannot be read.
    """
    if STREAM in paths:
        if len(paths) > 1 or check:
            raise UsageError(
                "`-` stands alone: one notebook is read from standard input and written to standard output"
            )
        return _filter()
    from stellwerk.adapters.git.checkout import write_atomically
    from stellwerk.notebooks.clean import stripped

    changes: dict[Path, bytes] = {}
    count = 0
    for path in dict.fromkeys(found for name in paths for found in _notebooks(console.path(name))):
        content = path.read_bytes()
        clean = stripped(content, str(path))
        count += 1
        if clean != content:
            changes[path] = clean
    for path, clean in changes.items():
        if not check:
            write_atomically(path.resolve(), clean)
        console.show(f"{'not clean' if check else 'cleaned'}: {path}")
    if not changes:
        console.tell("1 notebook is clean." if count == 1 else f"{count} notebooks are clean.")
    return FAILED if check and changes else 0


def _notebooks(path: Path) -> list[Path]:
    """The notebook, or those in the folder; not what Jupyter keeps for itself, nor what lies in hidden folders."""
    if path.is_dir():
        found = sorted(path.rglob("*.ipynb"))
        return [
            file
            for file in found
            if file.is_file() and not any(part.startswith(".") for part in file.relative_to(path).parts)
        ]
    if not path.is_file():
        raise StellwerkError("there is no such notebook", where=str(path), hint="name a notebook or a folder")
    return [path]


def _filter() -> int:
    """Bytes to bytes: nothing but the notebook may be on standard output."""
    from stellwerk.notebooks.clean import stripped

    clean = stripped(sys.stdin.buffer.read(), "standard input")
    sys.stdout.buffer.write(clean)
    sys.stdout.buffer.flush()
    return 0
