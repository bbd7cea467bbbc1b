"""How the verbs that record a person's decision answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stellwerk.cli.console import Console
    from stellwerk.model.views import Decision


def answer(console: Console, decision: Decision) -> int:
    """Show what was recorded, unless `--quiet`; exit code 0."""
    from stellwerk.report.decision import decision_text

    console.tell(decision_text(decision, color=console.color, width=console.width))
    return 0
