"""The part of a plan that one CI job carries out: without rendering, only trainings, only some models. Pure.

Taken after everything else is decided, so that a plan cut into jobs is held to the same limits as the whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from stellwerk.errors import StellwerkError
from stellwerk.model.actions import Plan, Render, Snapshot, Train, Wait, WaitKind
from stellwerk.planning.shard import data_owners, owner_of
from stellwerk.planning.training_place import data_place, training_places

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stellwerk.model.actions import Step
    from stellwerk.model.declared import Project

NAMED = 3
PEOPLE_RENDER = "stellwerk render, then commit"


class Portion(Struct, frozen=True, kw_only=True):
    """What of a plan is asked for. `place`: only trainings there ('' = without an environment).

    `models`: only their steps, and the snapshots these need; a dataset that no model uses may be named as well.
    """

    render: bool = True
    training: bool = False
    place: str | None = None
    models: tuple[str, ...] = ()


def take_portion(project: Project, plan: Plan, portion: Portion) -> Plan:
    """The steps that are asked for, without those that need a step left out; and what waits among them.

    Raises StellwerkError where `place` is not declared.
    """
    if not portion.render:
        plan = without_rendering(plan)
    if portion.training:
        plan = _trainings(project, plan, portion.place)
    if portion.models:
        plan = _of_models(project, plan, frozenset(portion.models))
    return plan


def without_rendering(plan: Plan) -> Plan:
    """Generated files are people's to commit: each waits, and so does a training whose stage is not as declared.

    A rename moves records, which are the machine's, and stays.
    """
    stale: dict[str, list[str]] = {}
    dropped: set[str] = set()
    for step in plan.steps:
        if isinstance(step.action, Render) and step.action.rename_from is None:
            stale.setdefault(step.action.model or "", []).append(step.action.path)
            dropped.add(step.key)
            if step.action.model and step.action.text is not None:
                dropped.add(f"train:{step.action.model}")
    waits = tuple(_stale(model, paths) for model, paths in stale.items())
    return replace(plan, steps=tuple(without(plan.steps, dropped)), waits=(*plan.waits, *waits))


def _stale(model: str, paths: list[str]) -> Wait:
    named = ", ".join(paths[:NAMED]) + (f" and {len(paths) - NAMED} more" if len(paths) > NAMED else "")
    differ = "differs" if len(paths) == 1 else "differ"
    then = "; nothing is trained by it" if model else ""
    reason = f"{named} {differ} from what is declared{then}"
    return Wait(kind=WaitKind.RENDER, model=model or None, reason=reason, unblock=PEOPLE_RENDER)


def job_places(project: Project) -> tuple[dict[str, str], dict[str, str]]:
    """Where each model's training job runs, and each dataset's first snapshot is taken: two maps by name.

    '' where there is no environment. What has no place of its own is done by the first job there is.
    """
    places = {name: place.name if place else "" for name, place in training_places(project).items()}
    known = [item.name for item in project.environments if item.name in places.values()]
    usual = known[0] if known else ""
    models = {item.name: places.get(item.name) or usual for item in project.models}
    datasets: dict[str, str] = {}
    for model in project.models:
        if model.train is not None:
            datasets.setdefault(model.train.data, models[model.name])
    for dataset in project.datasets:
        if dataset.name not in datasets:
            place = data_place(project, dataset)
            datasets[dataset.name] = place.name if place and place.name in known else usual
    return models, datasets


def _trainings(project: Project, plan: Plan, place: str | None) -> Plan:
    models, datasets = job_places(project)
    known = [item.name for item in project.environments]
    if place and place not in known:
        hint = f"declared are: {', '.join(known)}" if known else "none is declared"
        raise StellwerkError(f"there is no environment {place!r}", hint=hint)

    def here(name: str | None, places: dict[str, str]) -> bool:
        return place is None or places.get(name or "", "") == place

    trained = [step for step in plan.steps if isinstance(step.action, Train) and here(step.action.model, models)]
    kept = {step.key for step in trained} | {need for step in trained for need in step.needs}
    for step in plan.steps:
        match step.action:
            case Snapshot(dataset=name) if here(name, datasets):
                kept.add(step.key)
            case Render(model=name) if here(name, models):
                kept.add(step.key)
    steps = tuple(without(plan.steps, {step.key for step in plan.steps} - kept))
    waits = tuple(
        wait for wait in plan.waits if wait.environment is None and (wait.model is None or here(wait.model, models))
    )
    return replace(plan, steps=steps, waits=waits)


def snapshot_owners(project: Project) -> dict[str, str]:
    """The model whose job takes a first snapshot: the first trained on the dataset, else the first it stands in for."""
    trained = {model.train.data: model.name for model in reversed(project.models) if model.train is not None}
    return {**data_owners(project), **trained}


def _of_models(project: Project, plan: Plan, names: frozenset[str]) -> Plan:
    owners = snapshot_owners(project)
    kept = [step for step in plan.steps if owner_of(step, owners) in names]
    needed = {need for step in kept for need in step.needs if need.startswith("snapshot:")}
    left_out = {step.key for step in plan.steps} - {step.key for step in kept} - needed
    waits = tuple(wait for wait in plan.waits if wait.model is None or wait.model in names)
    return replace(plan, steps=tuple(without(plan.steps, left_out)), waits=waits)


def without(steps: Iterable[Step], dropped: Iterable[str]) -> list[Step]:
    """The steps that remain when some are dropped, with everything that needs them."""
    gone, remaining = set(dropped), []
    for step in steps:
        if step.key in gone or gone.intersection(step.needs):
            gone.add(step.key)
        else:
            remaining.append(step)
    return remaining
