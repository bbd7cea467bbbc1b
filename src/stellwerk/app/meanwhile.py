"""What is made ready while git looks at the work tree: a plan waits for it anyway, and has a processor to itself.

Only time is saved: whatever was not made ready is made when it is asked for.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING

from stellwerk.planning.settled import KIND, from_json, look, look_again, unsettled

if TYPE_CHECKING:
    from collections.abc import Callable

    from stellwerk.adapters.git.cache import BlobCache
    from stellwerk.planning.settled import Listing, Look, Memory

STORED = "plan"
# What a plan imports where something is to be planned, in portions of a few milliseconds.
MODULES = (
    "yaml",
    "stellwerk.model.declared",
    "stellwerk.model.records",
    "stellwerk.planning.plan",
    "stellwerk.declarations.compose",
    "stellwerk.planning.observe",
    "stellwerk.app.state",
    "stellwerk.planning.rules",
    "stellwerk.declarations.plain",
    "stellwerk.report.plan_text",
)


class Readiness:
    """What is kept of the last plan, and how the commit compares with it."""

    def __init__(self, cache: BlobCache) -> None:
        self._cache = cache
        self._memory: Memory | None = None
        self._loaded = False
        self._look: Look | None = None

    @property
    def memory(self) -> Memory | None:
        """What is kept of the last plan; None where nothing is."""
        if not self._loaded:
            self._memory, self._loaded = from_json(self._cache.get(KIND, STORED)), True
        return self._memory

    def unsettled(self, listing: Listing) -> frozenset[str] | None:
        """The models to plan again; None: all, with everything they share, or nothing is kept."""
        if self.memory is None:
            return None
        return look_again(self._look, listing, self.memory) if self._look else unsettled(listing, self.memory)

    def make(self, committed: Listing, at_work: Callable[[], bool]) -> None:
        """Make ready what an edit needs, as long as git is `at_work`."""
        if (os.cpu_count() or 1) == 1 or not at_work() or self.memory is None:
            return
        if at_work():
            self._look = look(committed, self.memory)
        for module in MODULES:
            if not at_work():
                return
            import_module(module)
