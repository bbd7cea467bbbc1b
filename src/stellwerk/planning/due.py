"""Which datasets are due for a new snapshot because a model takes new data unasked. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from stellwerk.errors import StellwerkError
from stellwerk.planning.training_place import data_place

if TYPE_CHECKING:
    from stellwerk.model.declared import Dataset, Model, Project

NAMED = 3


class Asked(Struct, frozen=True, kw_only=True):
    """Why a run looks for due data. `schedule`: the cron text that woke it; `dataset`: the only one it was told of.

    `place`: only data that belong to this environment. None: not given.
    """

    schedule: str | None = None
    dataset: str | None = None
    place: str | None = None


class Due(Struct, frozen=True, kw_only=True):
    """A dataset to take a snapshot of, and why, for the commit."""

    dataset: str
    because: str


def due_snapshots(project: Project, asked: Asked) -> tuple[Due, ...]:
    """Sorted by dataset. Due is what has a `source` and a model trains on that takes new data for this reason.

    With a schedule: models with that schedule; told of a dataset only: models that are trained `on: [data]`; else every
    model with any `retrain`. Raises StellwerkError where the dataset or the place is unknown, or nobody waits for the
    dataset.
    """
    datasets = {item.name: item for item in project.datasets}
    _refuse_unknown(project, asked, datasets)
    users: dict[str, list[str]] = {}
    for model in project.models:
        if model.train is not None and model.train.data in datasets and _wakes(model, asked):
            users.setdefault(model.train.data, []).append(model.name)
    if asked.dataset is not None and asked.schedule is None and asked.dataset not in users:
        raise StellwerkError(
            f"no model that is trained on {asked.dataset!r} takes new data on word from outside",
            where="mlops.yaml",
            hint="declare retrain: {on: [data]} for one, "
            f"or take it by hand: stellwerk snapshot {asked.dataset} --because ...",
        )
    due = []
    for name in sorted(users):
        place = data_place(project, datasets[name])
        here = asked.place is None or (place is not None and place.name == asked.place)
        if here and datasets[name].source is not None and asked.dataset in (None, name):
            due.append(Due(dataset=name, because=_because(asked, users[name])))
    return tuple(due)


def _wakes(model: Model, asked: Asked) -> bool:
    retrain = model.retrain
    if asked.schedule is not None:
        return retrain.schedule == asked.schedule
    if asked.dataset is not None:
        return "data" in retrain.on
    return retrain.schedule is not None or bool(retrain.on)


def _because(asked: Asked, models: list[str]) -> str:
    named = ", ".join(models[:NAMED]) + (f" and {len(models) - NAMED} more" if len(models) > NAMED else "")
    if asked.schedule is not None:
        return f"schedule {asked.schedule} of {named}"
    return f"new data arrived for {named}" if asked.dataset is not None else f"asked for, for {named}"


def _refuse_unknown(project: Project, asked: Asked, datasets: dict[str, Dataset]) -> None:
    environments = [item.name for item in project.environments]
    if asked.place is not None and asked.place not in environments:
        raise StellwerkError(f"there is no environment {asked.place!r}", hint=_known(environments))
    if asked.dataset is None:
        return
    if asked.dataset not in datasets:
        raise StellwerkError(f"there is no dataset {asked.dataset!r}", hint=_known(list(datasets)))
    if datasets[asked.dataset].source is None:
        raise StellwerkError(
            f"nobody knows where new data of {asked.dataset!r} come from",
            where="mlops.yaml",
            hint=f"declare datasets.{asked.dataset}.source",
        )


def _known(names: list[str]) -> str:
    return f"declared are: {', '.join(sorted(names))}" if names else "none is declared"
