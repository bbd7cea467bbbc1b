"""What is wrong with a declaration: data, not exceptions, so that one run shows every mistake."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct

from stellwerk.errors import StellwerkError


class Place(Struct, frozen=True, kw_only=True, order=True):
    """A position in a file: `path` is relative to the repository, `line` and `column` start at 1."""

    path: str
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}"


class Severity(StrEnum):
    """How much a finding matters: an error stops every operation, the others are shown."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Finding(Struct, frozen=True, kw_only=True):
    """One mistake: its rule (`SW204`), where it is, what is wrong and what to type or change."""

    rule: str
    severity: Severity
    place: Place
    message: str
    hint: str = ""


class DeclarationsError(StellwerkError):
    """The declarations have mistakes, so nothing can be planned. `sources` maps a path to its text."""

    def __init__(self, findings: tuple[Finding, ...], sources: Mapping[str, str]) -> None:
        errors = sum(1 for finding in findings if finding.severity is Severity.ERROR)
        super().__init__(f"the declarations have {errors} {'mistake' if errors == 1 else 'mistakes'}")
        self.findings = findings
        self.sources = sources
