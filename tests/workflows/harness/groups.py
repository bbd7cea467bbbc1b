"""Concurrency groups of a repository: one holder works, one waits; a newer one in the queue takes the waiting one's place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(slots=True, eq=False)
class Holder:
    """A run or a job that asks for a group. `dismiss` is called when it must end; `within` is what it is a part of."""

    name: str
    dismiss: Callable[[str], None]
    within: tuple[Holder, ...] = ()
    group: str = ""
    holds: bool = False


class GroupError(Exception):
    """A group that is held by what its job is a part of: it would wait for itself."""


@dataclass(slots=True)
class Groups:
    """Not safe for threads by itself: the forge's lock is held around every call."""

    working: dict[str, Holder] = field(default_factory=dict)
    waiting: dict[str, Holder] = field(default_factory=dict)

    def ask(self, holder: Holder, group: str, *, cancel_in_progress: bool) -> None:
        """Take the group, or its place in the queue; `holder.holds` tells."""
        holder.group = group.lower()
        current = self.working.get(holder.group)
        if current is None:
            self._give(holder)
            return
        if current in holder.within:
            raise GroupError(
                f"Canceling since a deadlock was detected for concurrency group: '{group}' between "
                f"'{current.name}' and '{holder.name}'"
            )
        before = self.waiting.get(holder.group)
        self.waiting[holder.group] = holder
        words = f"Canceling since a higher priority waiting request for '{group}' exists"
        if before is not None:
            before.dismiss(words)
        if cancel_in_progress:
            current.dismiss(words)

    def leave(self, holder: Holder) -> None:
        """Give the group, or the place in its queue, to whoever waits."""
        if self.waiting.get(holder.group) is holder:
            del self.waiting[holder.group]
        if self.working.get(holder.group) is holder:
            del self.working[holder.group]
            holder.holds = False
            following = self.waiting.pop(holder.group, None)
            if following is not None:
                self._give(following)

    def _give(self, holder: Holder) -> None:
        self.working[holder.group] = holder
        holder.holds = True
