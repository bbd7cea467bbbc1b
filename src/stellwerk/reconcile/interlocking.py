"""Which steps may be at work at the same time: as in a signal box, no two routes share a point."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from stellwerk.model.actions import Check, Deploy, Promote, Render, Retire, Snapshot, Train
from stellwerk.planning.shard import data_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Set as AbstractSet

    from stellwerk.model.actions import Step
    from stellwerk.model.declared import Project


class Interlocking:
    """The rules of one project. A step has what it claims for itself; what it reads it shares with other readers."""

    def __init__(self, project: Project) -> None:
        datasets = {dataset.name: dataset for dataset in project.datasets}
        self._reads = {
            model.name: frozenset(f"data:{name}" for name in data_of(model, datasets)) for model in project.models
        }
        self._brought_up = {item.name for item in project.environments if item.up or item.down}

    def free(self, ready: Iterable[Step], *, working: Iterable[Step], ended: AbstractSet[str], room: int) -> list[Step]:
        """Up to `room` ready steps, in order, that may start beside those that work and beside each other.

        `ended` are the claims of steps that ended since the state was observed: what they changed is not known yet.
        """
        taken = {claim for step in working for claim in self.claims(step)} | ended
        found: list[Step] = []
        for step in ready:
            if len(found) >= room:
                break
            wanted = self.claims(step)
            if not (wanted | self.reads(step)) & taken:
                found.append(step)
                taken |= wanted
            elif isinstance(step.action, Snapshot):
                taken |= wanted  # who reads these data waits for the snapshot
        return found

    def claims(self, step: Step) -> frozenset[str]:
        """What no other step may have meanwhile."""
        match step.action:
            case Render(path=path):
                return frozenset({f"file:{path}"})
            case Snapshot(dataset=name):
                return frozenset({"snapshots", f"data:{name}"})  # they share `.gitignore` files and DVC's lock
            case Deploy(model=model, environment=name) | Retire(model=model, environment=name):
                return frozenset({f"model:{model}", f"target:{name}"})
            case Check(model=model, environment=name) if name in self._brought_up:
                return frozenset({f"model:{model}", f"environment:{name}"})
            case Train(model=model) | Promote(model=model) | Check(model=model):
                return frozenset({f"model:{model}"})
            case other:
                assert_never(other)

    def reads(self, step: Step) -> frozenset[str]:
        """The data that the step may read: those of its model, with what stands in for them."""
        return self._reads.get(getattr(step.action, "model", None) or "", frozenset())
