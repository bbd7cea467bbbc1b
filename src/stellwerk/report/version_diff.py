"""What changed between two versions of a model: data, params, code, requirements, metrics."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from stellwerk.report.json_text import document, plain
from stellwerk.report.table import table
from stellwerk.report.terminal import Ink, clean, clean_lines
from stellwerk.report.words import number

if TYPE_CHECKING:
    from stellwerk.model.declared import Json
    from stellwerk.model.records import VersionRecord
    from stellwerk.model.views import Change, VersionDiff

PARTS = ("data", "holdout", "params", "code", "requirements", "metrics", "other")
DIGEST_LENGTH = 32


def diff_text(diff: VersionDiff, *, color: bool, width: int) -> str:
    """The changes part by part as `name  old → new`, then the code's own diff."""
    ink = Ink(color=color)
    name = clean(diff.model)
    lines = [ink.bold(f"{name} v{diff.left.number} → v{diff.right.number}")]
    if diff.right.parent == diff.left.number:  # the recorded reason compares with the parent
        lines.append(f"  {clean(diff.right.reason)}")
    lines.append("")
    for part in PARTS:
        changes = [change for change in diff.changes if _part(change) == part]
        if changes:
            rows = [(f"  {clean(change.name)}", _values(change)) for change in changes]
            lines += [ink.bold(part), *table(rows, width=width), ""]
    if not diff.changes:
        lines += ["The two versions do not differ.", ""]
    if diff.code:
        lines += [_code_line(line, ink) for line in clean_lines(diff.code).split("\n")]
    return "\n".join(lines).rstrip("\n") + "\n"


def _part(change: Change) -> str:
    return change.part if change.part in PARTS else "other"


def _values(change: Change) -> str:
    if isinstance(change.old, int | float) and isinstance(change.new, int | float) and change.part == "metrics":
        return f"{number(change.old)} → {number(change.new)} ({change.new - change.old:+.4g})"
    return f"{_value(change.old)} → {_value(change.new)}"


def _value(value: Json) -> str:
    if value is None:
        return "–"
    if isinstance(value, str):
        is_digest = len(value) >= DIGEST_LENGTH and set(value) <= set("0123456789abcdef")
        return f"{value[:7]}…" if is_digest else clean(value)
    return clean(json.dumps(value, ensure_ascii=False))


def _code_line(line: str, ink: Ink) -> str:
    if line.startswith(("+++", "---", "@@")):
        return ink.bold(line)
    if line.startswith("+"):
        return ink.green(line)
    return ink.red(line) if line.startswith("-") else line


def diff_json(diff: VersionDiff) -> str:
    """The changes. The shape is `diff.schema.json`."""
    return document(
        {
            "model": diff.model,
            "left": _side(diff.left),
            "right": _side(diff.right),
            "changes": plain(diff.changes),
            "code": diff.code,
        }
    )


def _side(record: VersionRecord) -> Json:
    return {"version": record.number, "fingerprint": record.fingerprint, "reason": record.reason}
