"""Which environments may see a dataset, and so where a model is trained and where its data belong. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stellwerk.model.declared import Dataset, Environment, Model, Project


def covers(environment: Environment, dataset: Dataset) -> bool:
    """Whether the dataset may be read there. An environment that lists what it allows refuses unclassified data."""
    return environment.allows is None or dataset.classification in environment.allows


def training_place(project: Project, model: Model) -> Environment | None:
    """The environment whose runner, secrets and data remote a training of the model gets.

    `trains_in`, else the first that allows its training data, those on its route before others. None where the model
    is not trained, no environment is declared, or none allows the data.
    """
    if model.train is None:
        return None
    if model.trains_in is not None:
        return next((item for item in project.environments if item.name == model.trains_in), None)
    dataset = next((item for item in project.datasets if item.name == model.train.data), None)
    return None if dataset is None else first_allowing(project, model, dataset)


def training_places(project: Project) -> dict[str, Environment | None]:
    """`training_place` of every model that is trained, by its name."""
    datasets = {item.name: item for item in project.datasets}
    environments = {item.name: item for item in project.environments}
    found: dict[str, Environment | None] = {}
    for model in project.models:
        if model.train is not None and model.trains_in is not None:
            found[model.name] = environments.get(model.trains_in)
        elif model.train is not None:
            dataset = datasets.get(model.train.data)
            found[model.name] = None if dataset is None else first_allowing(project, model, dataset)
    return found


def first_allowing(project: Project, model: Model, dataset: Dataset) -> Environment | None:
    """The first environment on the model's route that allows the dataset; where none does, the first at all."""
    for item in project.environments:
        if (model.environments is None or item.name in model.environments) and covers(item, dataset):
            return item
    return data_place(project, dataset)


def data_place(project: Project, dataset: Dataset) -> Environment | None:
    """The first environment that allows the dataset; None where none does, or none is declared."""
    return next((item for item in project.environments if covers(item, dataset)), None)
