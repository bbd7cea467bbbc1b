"""The answer to a person's decision: what was recorded, where it is, what comes next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stellwerk.report.terminal import Ink, clean, clean_lines, hang, wrap
from stellwerk.report.words import short

if TYPE_CHECKING:
    from stellwerk.model.views import Decision, Taken


def decision_text(decision: Decision, *, color: bool, width: int, hints: bool = True) -> str:
    """The summary with its commit, the files, and what to type next."""
    ink = Ink(color=color)
    if decision.commit is None:
        lines = [f"{clean(decision.summary)} {ink.dim('(nothing changed)')}"]
    else:
        place = "pushed" if decision.pushed else "not pushed"
        first, rest = hang(f"{clean(decision.summary)} ({place})", width=width, indent=11)
        lines = [f"{ink.green('✓')} {ink.yellow(short(decision.commit))}  {first}", *rest]
    lines += [ink.dim(f"  {clean(path)}") for path in decision.paths]
    lines += [line for words in decision.then for line in wrap(f"then {clean(words)}", width=width, indent=2)]
    if hints and decision.next:
        lines += wrap(f"Next: {clean(decision.next)}", width=width)
    return "\n".join(lines) + "\n"


def taken_text(taken: Taken, *, color: bool, width: int) -> str:
    """A snapshot that was due: what became of it, or why it failed."""
    if taken.decision is not None:
        return decision_text(taken.decision, color=color, width=width, hints=False)
    message, hint = taken.problem
    lines = [f"{Ink(color=color).red('✗')} snapshot: {clean(taken.dataset)} ({clean(taken.because)}) failed:"]
    lines += (f"    {line}" for line in clean_lines(message).split("\n"))
    lines += wrap(f"→ {clean(hint)}", width=width, indent=4) if hint else []
    return "\n".join(lines) + "\n"
