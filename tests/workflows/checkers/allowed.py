"""Which findings are allowed, and why: allowed.toml."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path

from validators import Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """One entry. `message` is a regular expression that is searched for."""

    checker: str
    rule: str
    message: str
    reason: str

    def covers(self, finding: Finding) -> bool:
        same = (self.checker, self.rule) == (finding.checker, finding.rule)
        return same and re.search(self.message, finding.message) is not None


def load_allowed(path: Path) -> tuple[Allowed, ...]:
    """Every entry of the file. `ValueError` where one lacks a key, has another, or one that is empty."""
    keys = {field.name for field in fields(Allowed)}
    entries = tomllib.loads(path.read_text("utf-8")).get("allowed", [])
    for number, entry in enumerate(entries, 1):
        if set(entry) != keys or not all(isinstance(text, str) and text.strip() for text in entry.values()):
            raise ValueError(
                f"{path}: entry {number} needs each of {', '.join(sorted(keys))}, as text, and no other key"
            )
    return tuple(Allowed(**entry) for entry in entries)
