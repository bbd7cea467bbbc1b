"""The log of a model: every commit about it, newest first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stellwerk.report.json_text import document, plain
from stellwerk.report.terminal import Ink, clean, clean_lines
from stellwerk.report.words import short

if TYPE_CHECKING:
    from stellwerk.model.views import HistoryEntry


def log_text(entries: tuple[HistoryEntry, ...], *, color: bool, bodies: bool = False) -> str:
    """Per commit a line with its summary, when, who and why; with `bodies` its evidence indented below."""
    if not entries:
        return "Nothing has happened yet.\n"
    ink = Ink(color=color)
    lines = []
    for entry in entries:
        when = ink.dim(f"{clean(entry.at)[:10]} {clean(entry.author)}")
        lines.append(f"{ink.yellow(short(entry.commit))}  {ink.bold(clean(entry.summary))}  {when}")
        evidence = _without_trailers(entry.body)
        if bodies and evidence:
            lines += [f"         {line}".rstrip() for line in clean_lines(evidence).split("\n")]
            lines.append("")
        else:
            reasons = [line for line in clean_lines(evidence).split("\n") if line.startswith("because: ")]
            lines += [ink.dim(f"         {reason}") for reason in reasons[:1]]
    return "\n".join(lines).rstrip("\n") + "\n"


def _without_trailers(body: str) -> str:
    """The body for people: the trailers that end it say again, for git, what the summary says."""
    kept, _, last = body.strip().rpartition("\n\n")
    return kept if all(line.startswith("Stellwerk-") for line in last.split("\n")) else body.strip()


def log_json(entries: tuple[HistoryEntry, ...]) -> str:
    """The entries. The shape is `log.schema.json`."""
    return document({"entries": plain(entries)})
