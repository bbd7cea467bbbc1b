"""What CI has to start: which models to check, which trainings run where, which environments have work. Pure.

A CI service that starts jobs from a list takes at most 256 of them. Trainings are told by the keys of their steps, so
that a job does exactly what was planned for it, whatever else is planned by then.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, TypeVar

from stellwerk.model.actions import Render, Snapshot, Train
from stellwerk.planning.portion import job_places, without_rendering

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from stellwerk.model.actions import Plan, Step
    from stellwerk.model.declared import Project

GROUPS = 256  # https://docs.github.com/en/actions/reference/limits: "a matrix will generate a maximum of 256 jobs"
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckJob:
    """Models whose source one job checks, sorted."""

    models: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingJob:
    """Steps of the plan that one job carries out, in the plan's order, and what they are about, sorted."""

    steps: tuple[str, ...]
    subjects: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Jobs:
    """Each list is sorted and has at most `GROUPS` entries.

    `training` has a key for every environment that trains a model ('' without one); `environments` are those with a
    step, in route order.
    """

    check: tuple[CheckJob, ...] = ()
    training: Mapping[str, tuple[TrainingJob, ...]]
    environments: tuple[str, ...] = ()


def check_jobs(models: Iterable[str]) -> tuple[CheckJob, ...]:
    """One job for each model, as long as there are not too many."""
    return tuple(CheckJob(models=tuple(group)) for group in _groups(sorted(set(models))))


def no_training(project: Project) -> dict[str, tuple[TrainingJob, ...]]:
    """The places where trainings run, with nothing to do; in route order."""
    used = set(job_places(project)[0].values()) or {""}
    known = [item.name for item in project.environments]
    return dict.fromkeys(sorted(used, key=lambda name: (known.index(name) if name in known else -1, name)), ())


def jobs_of(project: Project, plan: Plan) -> Jobs:
    """The jobs of a plan that CI carries out: generated files are not CI's to write, and what needs them waits."""
    plan = without_rendering(plan)
    training = no_training(project)
    for place, units in _training_units(project, plan).items():
        training[place] = tuple(_training_job(plan, group) for group in _groups(units))
    busy = {getattr(step.action, "environment", None) for step in plan.steps}
    environments = tuple(item.name for item in project.environments if item.name in busy)
    return Jobs(training=training, environments=environments)


def _training_units(project: Project, plan: Plan) -> dict[str, list[list[Step]]]:
    """The steps of training jobs by place: those that need one another, or are about one model, are one unit."""
    models, datasets = job_places(project)
    data = {model.name: model.train.data for model in project.models if model.train is not None}
    first = {step.action.dataset for step in plan.steps if isinstance(step.action, Snapshot)}
    units: dict[tuple[str, str], list[Step]] = {}
    for step in plan.steps:
        match step.action:
            case Snapshot(dataset=name):
                place, key = datasets.get(name, ""), f"data {name}"
            case Train(model=name) | Render(model=str(name)):
                place = models.get(name, "")
                key = f"data {data[name]}" if data.get(name) in first else f"model {name}"
            case _:
                continue
        units.setdefault((place, key), []).append(step)
    found: dict[str, list[list[Step]]] = {}
    for (place, _), steps in sorted(units.items()):
        found.setdefault(place, []).append(steps)
    # A training elsewhere waits for the snapshot that another place takes, so it takes it as well.
    snapshots = {step.key: step for step in plan.steps if isinstance(step.action, Snapshot)}
    for place, groups in found.items():
        found[place] = [_with_needed(steps, snapshots) for steps in groups]
    return found


def _with_needed(steps: list[Step], snapshots: Mapping[str, Step]) -> list[Step]:
    here = {step.key for step in steps}
    needed = {need for step in steps for need in step.needs if need in snapshots and need not in here}
    return [*(snapshots[key] for key in sorted(needed)), *steps]


def _training_job(plan: Plan, units: Sequence[list[Step]]) -> TrainingJob:
    keys = {step.key for unit in units for step in unit}
    models = {str(getattr(step.action, "model", None) or "") for unit in units for step in unit} - {""}
    data = {step.action.dataset for unit in units for step in unit if isinstance(step.action, Snapshot)}
    steps = tuple(step.key for step in plan.steps if step.key in keys)
    return TrainingJob(steps=steps, subjects=tuple(sorted(models or data)))


def _groups(items: Sequence[Item]) -> list[Sequence[Item]]:
    """At most `GROUPS` runs of neighbours, as even as can be."""
    count = min(GROUPS, len(items))
    edges = [len(items) * number // count for number in range(count + 1)] if count else [0]
    return [items[start:end] for start, end in pairwise(edges)]
