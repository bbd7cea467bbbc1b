"""What a plan with nothing in it says. Most plans are such, so this imports next to nothing."""

from __future__ import annotations

from stellwerk.report.terminal import Ink, wrap

NOTHING = "Nothing to do: what is declared is what is there."


def nothing_text(*, color: bool, width: int) -> str:
    """The whole text of a plan without steps and waits."""
    ink = Ink(color=color)
    return "\n".join(ink.bold(line) for line in wrap(NOTHING, width=width)) + "\n"
