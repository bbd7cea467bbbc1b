"""What CI has to start: which models to check, which trainings run where, which environments have work. Pure.

A CI service that starts jobs from a list takes at most 256 of them. Each model that is trained has a job of its own
as long as there is room; models that need the same first snapshot share one.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, TypeVar

from msgspec import Struct, field

from stellwerk.model.actions import Render, Snapshot, Train
from stellwerk.planning.portion import job_places, snapshot_owners, without_rendering
from stellwerk.planning.shard import owner_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from stellwerk.model.actions import Plan
    from stellwerk.model.declared import Project

GROUPS = 256  # https://docs.github.com/en/actions/reference/limits: "a matrix will generate a maximum of 256 jobs"
Item = TypeVar("Item")


class CheckJob(Struct, frozen=True, kw_only=True):
    """Models whose source one job checks, sorted."""

    models: tuple[str, ...]


class TrainingJob(Struct, frozen=True, kw_only=True):
    """Models that one job trains, sorted; for a snapshot that no training of the plan needs, whose data it is."""

    models: tuple[str, ...]


class Jobs(Struct, frozen=True, kw_only=True):
    """Each list is sorted and has at most `GROUPS` entries.

    `training` is by environment, '' for what trains without one; only those with a job, in route order, as are the
    `environments` with a step.
    """

    check: tuple[CheckJob, ...] = ()
    training: Mapping[str, tuple[TrainingJob, ...]] = field(default_factory=dict)
    environments: tuple[str, ...] = ()


def check_jobs(models: Iterable[str]) -> tuple[CheckJob, ...]:
    """One job for each model, as long as there are not too many."""
    return tuple(CheckJob(models=tuple(group)) for group in _groups(sorted(set(models))))


def jobs_of(project: Project, plan: Plan) -> Jobs:
    """The jobs of a plan that CI carries out: generated files are not CI's to write, and what needs them waits."""
    plan = without_rendering(plan)
    known = [item.name for item in project.environments]
    units = sorted(_training_units(project, plan).items(), key=lambda item: known.index(item[0]) if item[0] else -1)
    training = {
        place: tuple(
            TrainingJob(models=tuple(sorted({name for names in group for name in names}))) for group in _groups(found)
        )
        for place, found in units
    }
    busy = {getattr(step.action, "environment", None) for step in plan.steps}
    environments = tuple(item.name for item in project.environments if item.name in busy)
    return Jobs(training=training, environments=environments)


def _training_units(project: Project, plan: Plan) -> dict[str, list[set[str]]]:
    """The models of training jobs by place: those that need the same first snapshot are one unit."""
    models, datasets = job_places(project)
    owners = snapshot_owners(project)
    data = {model.name: model.train.data for model in project.models if model.train is not None}
    first = {step.action.dataset for step in plan.steps if isinstance(step.action, Snapshot)}
    units: dict[tuple[str, str], set[str]] = {}
    spare: set[tuple[str, str]] = set()
    for step in plan.steps:
        match step.action:
            case Snapshot(dataset=name):
                spare.add((datasets.get(name, ""), owner_of(step, owners)))
            case Train(model=name) | Render(model=str(name)):
                key = f"data {data[name]}" if data.get(name) in first else f"model {name}"
                units.setdefault((models.get(name, ""), key), set()).add(name)
            case _:
                pass
    there = {(place, name) for (place, _), names in units.items() for name in names}
    for place, name in spare - there:
        units[place, f"model {name}"] = {name}
    found: dict[str, list[set[str]]] = {}
    for (place, _), names in sorted(units.items()):
        found.setdefault(place, []).append(names)
    return found


def _groups(items: Sequence[Item]) -> list[Sequence[Item]]:
    """At most `GROUPS` runs of neighbours, as even as can be."""
    count = min(GROUPS, len(items))
    edges = [len(items) * number // count for number in range(count + 1)] if count else [0]
    return [items[start:end] for start, end in pairwise(edges)]
