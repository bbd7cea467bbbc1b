"""What is wrong with a declaration: data, not exceptions, so that one run shows every mistake."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Place:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One mistake: its rule (`SW204`), where it is, what is wrong and what to type or change."""

    rule: str
    severity: Severity
    place: Place
    message: str
    hint: str = ""
