"""Split a plan over several jobs that do not talk to each other: by model, so that all of a model is one job's."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from msgspec import Struct

from stellwerk.model.actions import Plan, Render, Snapshot, Wait, WaitKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stellwerk.model.actions import Step
    from stellwerk.model.declared import Dataset, Model, Project


class Shard(Struct, frozen=True, kw_only=True):
    """One of `of` parts, counted from 1."""

    number: int
    of: int

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    def holds(self, name: str) -> bool:
        """Whether a model is in this part. Only its name counts, so that parts planned at different commits agree."""
        return place(name, self.of) == self.number


def place(name: str, of: int) -> int:
    """The part, from 1 to `of`, that a name belongs to."""
    return int.from_bytes(hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()[:8]) % of + 1


def take_shard(project: Project, plan: Plan, shard: Shard) -> Plan:
    """The part's own steps, and what waits in it. Every step of a plan is in exactly one part.

    A snapshot belongs with the first model that uses the data; the steps of other models that need it stay where they
    are, still needing it, with a wait that says who takes it. What belongs to no model waits in every part.
    """
    owners = data_owners(project)
    steps = tuple(step for step in plan.steps if shard.holds(owner_of(step, owners)))
    waits = tuple(wait for wait in plan.waits if wait.model is None or shard.holds(wait.model))
    return Plan(basis=plan.basis, steps=steps, waits=(*waits, *_elsewhere(steps, owners, shard.of)))


def owner_of(step: Step, owners: dict[str, str]) -> str:
    """The model a step is about; a dataset's first model, or the dataset itself where no model uses it."""
    match step.action:
        case Snapshot(dataset=name):
            return owners.get(name, name)
        case Render(model=None, path=path):
            return path
        case action:
            return action.model or ""


def data_of(model: Model, known: Mapping[str, Dataset]) -> tuple[str, ...]:
    """The datasets a model is trained on or checked on: its own, then what stands in for it."""
    found: list[str] = []
    name = model.train.data if model.train else None
    while name is not None and name in known and name not in found:
        found.append(name)
        name = known[name].stand_in
    return tuple(found)


def data_owners(project: Project) -> dict[str, str]:
    """The first model, by name, that uses each dataset."""
    datasets = {dataset.name: dataset for dataset in project.datasets}
    owners: dict[str, str] = {}
    for model in sorted(project.models, key=lambda item: item.name):
        for name in data_of(model, datasets):
            owners.setdefault(name, model.name)
    return owners


def _elsewhere(steps: tuple[Step, ...], owners: dict[str, str], of: int) -> tuple[Wait, ...]:
    """What the steps need and another part does."""
    here = {step.key for step in steps}
    missing = sorted({need for step in steps for need in step.needs if need not in here})
    waits = []
    for key in missing:
        name = key.removeprefix("snapshot:")
        part = f"{place(owners.get(name, name), of)}/{of}"
        reason = f"the first snapshot of {name} is taken by shard {part}"
        waits.append(Wait(kind=WaitKind.DATA, reason=reason, unblock=f"run shard {part}, then this one again"))
    return tuple(waits)
