"""Hints that name the nearest valid name."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

SHOWN = 6
LOOKED_UP = 50  # distinct wrong names; comparing a thousand with a thousand valid ones would take seconds


class ValidNames:
    """The names that are valid somewhere. Remembers its answers: one wrong name is often written many times."""

    __slots__ = ("_folded", "_hints", "_names")

    def __init__(self, names: Collection[str]) -> None:
        self._names = names
        self._folded: dict[str, str] | None = None
        self._hints: dict[str, str] = {}

    def hint(self, name: str, *, otherwise: str = "") -> str:
        """`did you mean 'x'?`, else the few valid names, else `otherwise` (what to type where there is none)."""
        few = f"declared: {', '.join(sorted(self._names))}" if 0 < len(self._names) <= SHOWN else otherwise
        return self.close(name, otherwise=few)

    def close(self, name: str, *, otherwise: str) -> str:
        """`did you mean 'x'?`, else `otherwise`."""
        if name not in self._hints and len(self._hints) < LOOKED_UP:
            self._hints[name] = self._nearest(name)
        return self._hints.get(name) or otherwise

    def _nearest(self, name: str) -> str:
        from difflib import get_close_matches

        if self._folded is None:
            self._folded = {candidate.casefold(): candidate for candidate in self._names}
        found = get_close_matches(name.casefold(), self._folded, n=1, cutoff=0.6)
        return f"did you mean '{self._folded[found[0]]}'?" if found else ""
