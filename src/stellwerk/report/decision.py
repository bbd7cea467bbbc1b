"""The answer to a person's decision: what was recorded, where it is, what comes next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stellwerk.report.terminal import Ink, clean
from stellwerk.report.words import short

if TYPE_CHECKING:
    from stellwerk.model.views import Decision


def decision_text(decision: Decision, *, color: bool, hints: bool = True) -> str:
    """The summary with its commit, the files, and what to type next."""
    ink = Ink(color=color)
    if decision.commit is None:
        lines = [f"{clean(decision.summary)} {ink.dim('(nothing changed)')}"]
    else:
        place = "pushed" if decision.pushed else "not pushed"
        lines = [f"{ink.green('✓')} {ink.yellow(short(decision.commit))}  {clean(decision.summary)} ({place})"]
    lines += [ink.dim(f"  {clean(path)}") for path in decision.paths]
    lines += [f"  then {clean(words)}" for words in decision.then]
    if hints and decision.next:
        lines.append(f"Next: {clean(decision.next)}")
    return "\n".join(lines) + "\n"
