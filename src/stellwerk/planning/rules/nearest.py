"""Hints that name the nearest valid name."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

SHOWN = 6


def nearest(name: str, names: Collection[str], *, otherwise: str = "") -> str:
    """`did you mean 'x'?`, else the few valid names, else `otherwise` (what to type where there is no name at all)."""
    if not names:
        return otherwise
    from difflib import get_close_matches

    folded = {candidate.casefold(): candidate for candidate in names}
    close = get_close_matches(name.casefold(), folded, n=1, cutoff=0.6)
    if close:
        return f"did you mean '{folded[close[0]]}'?"
    if len(names) <= SHOWN:
        return f"declared: {', '.join(sorted(names))}"
    return otherwise
