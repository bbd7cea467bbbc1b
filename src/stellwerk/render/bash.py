"""Lines of bash in which nothing that a person wrote is a command. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stellwerk.render.pipeline import Matrix

RUN = "stellwerk-run"  # the folder that the steps of one run hand on, a folder in it for each of them
ENTRIES = (
    "import json, sys; found = json.loads(sys.stdin.read() or 'null'); "
    "found = found.get(sys.argv[1], []) if isinstance(found, dict) else found or []; "
    "print(*(entry[sys.argv[2]] for entry in found))"
)


def quoted(text: str) -> str:
    """The text as one word in which the shell finds nothing to do; no variable can hold a zero byte."""
    return "'" + text.replace("\0", "").replace("'", "'\\''") + "'"


def export(name: str, text: str) -> str:
    """A variable with that text."""
    return f"export {name}={quoted(text)}"


def output_of(job: str, output: str) -> str:
    """What an earlier step put out under that name; nothing where it did not."""
    return f"sed -n 's/^{output}=//p' {RUN}/{job}/outputs"


def entries(matrix: Matrix, field: str) -> str:
    """That field of all entries of the list, separated by blanks."""
    place = quoted(matrix.key or ".") if matrix.key is not None else "''"
    return f"$({output_of(matrix.job, matrix.output)} | python3 -c {quoted(ENTRIES)} {place} {field})"
