"""`include:` of `mlops.yaml`: which files of the tree it names."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from stellwerk.declarations.values import texts
from stellwerk.declarations.write import shown
from stellwerk.model.findings import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stellwerk.declarations.checked import CheckedFile

_WILDCARDS = frozenset("*?[")
_PARTS = re.compile(r"\*\*/|\*\*|\*|\?|\[[^\]/]+\]|.", re.DOTALL)
_MAX_STARS = 8  # more make matching a long path slow, and nobody needs them


def included_files(main: CheckedFile, paths: Iterable[str]) -> tuple[tuple[str, ...], tuple[Finding, ...]]:
    """The files that the patterns name, each once, in the order of the patterns and then sorted."""
    patterns = (main.value or {}).get("include")
    known = sorted(paths)
    chosen: dict[str, None] = {}
    findings: list[Finding] = []
    for number, pattern in enumerate(texts(patterns)):
        place = main.places.of(("include", number) if isinstance(patterns, list) else ("include",))
        problem = _problem(pattern)
        if problem:
            findings.append(
                Finding(
                    rule="SW109",
                    severity=Severity.ERROR,
                    place=place,
                    message=f"cannot include '{shown(pattern)}': {problem}",
                    hint="name files of this repository relative to its root, such as models/*/model.yaml",
                )
            )
            continue
        expression = glob_expression(pattern)
        matches = [path for path in known if expression.match(path) and path != main.path]
        chosen.update(dict.fromkeys(matches))
        if not matches:
            wild = not _WILDCARDS.isdisjoint(pattern)
            findings.append(
                Finding(
                    rule="SW109",
                    severity=Severity.WARNING if wild else Severity.ERROR,
                    place=place,
                    message=f"'{shown(pattern)}' names no file",
                    hint="check the spelling; paths start at the repository's root",
                )
            )
    return tuple(chosen), tuple(findings)


def nested_include(file: CheckedFile) -> tuple[Finding, ...]:
    """An included file cannot include others."""
    if (file.value or {}).get("include") is None:
        return ()
    place = file.places.of_key(("include",))
    message = "an included file cannot include others"
    hint = "move the pattern to mlops.yaml"
    return (Finding(rule="SW109", severity=Severity.ERROR, place=place, message=message, hint=hint),)


def glob_expression(pattern: str) -> re.Pattern[str]:
    """A glob over whole paths as a regular expression: `*` stays inside a folder, `**/` means any folders."""
    meanings = {"**/": "(?:[^/]+/)*", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    parts = _PARTS.findall(pattern)
    return re.compile("".join(meanings.get(part) or _character(part) for part in parts) + r"\Z", re.DOTALL)


def _character(part: str) -> str:
    if len(part) == 1:
        return re.escape(part)
    inside = part[1:-1]
    negated = inside.startswith(("!", "^"))
    members = re.escape(inside[1:] if negated else inside).replace(r"\-", "-")
    return f"[{'^/' if negated else ''}{members}]" if members else re.escape(part)


def _problem(pattern: str) -> str:
    if pattern.startswith(("/", "~")) or re.match(r"[A-Za-z]:", pattern):
        return "the path is not relative to the repository"
    if "\\" in pattern:
        return "paths are written with /"
    if ".." in pattern.split("/"):
        return "the path leaves the repository"
    if pattern.count("*") > _MAX_STARS:
        return f"more than {_MAX_STARS} wildcards"
    try:
        glob_expression(pattern)
    except re.error:
        return "the character range cannot be read"
    return ""
