"""The log of a model: every commit about it, newest first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stellwerk.report.json_text import document, plain
from stellwerk.report.terminal import Ink, clean, clean_lines
from stellwerk.report.words import short

if TYPE_CHECKING:
    from stellwerk.model.views import HistoryEntry


def log_text(entries: tuple[HistoryEntry, ...], *, color: bool, bodies: bool = True) -> str:
    """Per commit a line with its summary, one with who and when, and its body indented."""
    if not entries:
        return "Nothing has happened yet.\n"
    ink = Ink(color=color)
    lines = []
    for entry in entries:
        lines.append(f"{ink.yellow(short(entry.commit))}  {ink.bold(clean(entry.summary))}")
        lines.append(ink.dim(f"         {clean(entry.at)}  {clean(entry.author)}"))
        evidence = _without_trailers(entry.body) if bodies else ""
        if evidence:
            lines += [f"         {line}".rstrip() for line in clean_lines(evidence).split("\n")]
        lines.append("")
    return "\n".join(lines)


def _without_trailers(body: str) -> str:
    """The body for people: the trailers that end it say again, for git, what the summary says."""
    kept, _, last = body.strip().rpartition("\n\n")
    return kept if all(line.startswith("Stellwerk-") for line in last.split("\n")) else body.strip()


def log_json(entries: tuple[HistoryEntry, ...]) -> str:
    """The entries. The shape is `log.schema.json`."""
    return document({"entries": plain(entries)})
