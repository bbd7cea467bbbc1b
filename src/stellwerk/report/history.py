"""The log of a model: every commit about it, newest first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stellwerk.report.json_text import document, plain
from stellwerk.report.terminal import Ink, cells, clean, clean_lines, hang, wrap
from stellwerk.report.words import short

if TYPE_CHECKING:
    from stellwerk.model.views import HistoryEntry

INDENT = 9  # cells of a short commit and the gap after it


def log_text(entries: tuple[HistoryEntry, ...], *, color: bool, width: int, bodies: bool = False) -> str:
    """Per commit a line with its summary, when, who and why; with `bodies` its evidence indented below."""
    if not entries:
        return "Nothing has happened yet.\n"
    ink = Ink(color=color)
    lines = []
    for entry in entries:
        when = f"{clean(entry.at)[:10]} {clean(entry.author)}"
        summary, rest = hang(clean(entry.summary), width=width, indent=INDENT)
        lines += [f"{ink.yellow(short(entry.commit))}  {ink.bold(summary)}", *map(ink.bold, rest)]
        if not rest and INDENT + cells(f"{summary}  {when}") <= width:
            lines[-1] += f"  {ink.dim(when)}"
        else:
            lines.append(ink.dim(" " * INDENT + when))
        evidence = _without_trailers(entry.body)
        told = clean_lines(evidence).split("\n") if evidence else []
        if bodies:
            lines += [wrapped for line in told for wrapped in wrap(line, width=width, indent=INDENT) or [""]]
            lines.append("")
        else:
            reasons = [line for line in told if line.startswith("because: ")]
            lines += [ink.dim(line) for reason in reasons[:1] for line in wrap(reason, width=width, indent=INDENT)]
    return "\n".join(lines).rstrip("\n") + "\n"


def _without_trailers(body: str) -> str:
    """The body for people: the trailers that end it say again, for git, what the summary says."""
    kept, _, last = body.strip().rpartition("\n\n")
    return kept if all(line.startswith("Stellwerk-") for line in last.split("\n")) else body.strip()


def log_json(entries: tuple[HistoryEntry, ...]) -> str:
    """The entries. The shape is `log.schema.json`."""
    return document({"entries": plain(entries)})
