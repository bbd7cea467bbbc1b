"""What CI jobs install Stellwerk from: a file that pins every package by its hash."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from stellwerk.model.findings import Place, Severity
from stellwerk.planning.rules.paths import leaving
from stellwerk.planning.rules.rule import Example, Problem, Rule, RuleInput
from stellwerk.render.requirements import read_lock

if TYPE_CHECKING:
    from collections.abc import Iterator

FIX = "write it with: stellwerk lock"


def _unlocked(given: RuleInput) -> Iterator[Problem]:
    workflows = given.project.workflows
    if given.tree is None or workflows is None or workflows.install.method == "checkout":
        return
    declared = workflows.install.requirements
    path = posixpath.normpath(declared)
    if leaving(declared):
        return
    content = given.tree.read([path]).get(path)
    if content is None:
        yield Problem(
            place=given.place("workflows", "install", "requirements"),
            message=f"the workflows install Stellwerk from {path}, which is not in the repository: no job can start",
            hint=f"{FIX}, then git add {path}",
        )
        return
    lock = read_lock(content.decode("utf-8", "replace"))
    for line, requirement in lock.loose:
        yield Problem(
            place=Place(path=path, line=line),
            message=f"'{requirement}' has no hash: pip refuses the whole file",
            hint=FIX,
        )
    if not lock.loose and lock.version is None:
        yield Problem(place=Place(path=path, line=1), message="stellwerk itself is not in this file", hint=FIX)


_DECLARED = "version: 1\nworkflows: {install: {from: release}}\n"
_FILE = ".github/stellwerk.txt"

RULES = (
    Rule(
        id="SW217",
        title="packages of the workflows without hashes",
        severity=Severity.WARNING,
        explanation="Jobs that may push install Stellwerk and all it needs from one file, by hash: what was reviewed"
        " is what runs, whatever happens on a package index. `stellwerk lock` writes the file.",
        failing=Example(files={"mlops.yaml": _DECLARED, _FILE: "stellwerk==0.1.0\n"}, whole=True),
        passing=Example(
            files={"mlops.yaml": _DECLARED, _FILE: f"stellwerk==0.1.0 \\\n    --hash=sha256:{'0' * 64}\n"}, whole=True
        ),
        check=_unlocked,
    ),
)
