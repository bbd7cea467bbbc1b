"""Which models a difference between two states of the repository touches: what their source is judged by. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from stellwerk.model.declared import Purpose
from stellwerk.planning.code import CodeReader, code_files, metric_files
from stellwerk.planning.shard import data_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stellwerk.model.declared import Model, Project
    from stellwerk.model.ports import Cache, Tree

MACHINE_WRITTEN = ("dvc.yaml", "params.yaml", "dvc.lock", "metrics.json")  # of a model's folder


class Side(Struct, frozen=True, kw_only=True):
    """One of the two states. `project` None: nothing could be read there."""

    project: Project | None
    tree: Tree


def touched_models(before: Side, after: Side, *, cache: Cache) -> tuple[str, ...]:
    """The models, sorted, that are trained and differ in something that a check of their source depends on.

    That is what is declared of them (defaults and includes resolved) and of their data, the files of their code and
    requirements, everything a person wrote in their folder, the pointers of their data, and the development
    environments on their route.
    """
    if after.project is None:
        return ()
    if before.project is None:
        return tuple(model.name for model in after.project.models if model.train is not None)
    old, new = _facts(before.project, before.tree, cache), _facts(after.project, after.tree, cache)
    return tuple(sorted(name for name, facts in new.items() if old.get(name) != facts))


def _facts(project: Project, tree: Tree, cache: Cache) -> dict[str, object]:
    """What each trained model rests on; equal facts are the same to a check."""
    blobs, reader = tree.blobs(), CodeReader(tree, cache)
    trained = [model for model in project.models if model.train is not None]
    reader.load(sorted({model.source for model in trained if model.source}))
    datasets = {dataset.name: dataset for dataset in project.datasets}
    development = [item for item in project.environments if item.purpose is Purpose.DEVELOPMENT]
    folders = _folders(blobs)
    found: dict[str, object] = {}
    for model in trained:
        data = [datasets[name] for name in data_of(model, datasets)]
        paths = {f"{item.path}.dvc" for item in data} | set(folders.get(model.name, ()))
        paths |= _code(model, reader)
        on_the_way = [item for item in development if model.environments is None or item.name in model.environments]
        found[model.name] = (model, data, on_the_way, {path: blobs.get(path) for path in paths})
    return found


def _code(model: Model, reader: CodeReader) -> set[str]:
    return {file.path for file in (*code_files(model, reader), *metric_files(model, reader))}


def _folders(blobs: Mapping[str, str]) -> dict[str, list[str]]:
    """Model -> what people wrote below `models/<model>/`."""
    found: dict[str, list[str]] = {}
    for path in blobs:
        if path.startswith("models/") and path.count("/") > 1:
            name, rest = path.removeprefix("models/").split("/", 1)
            if rest not in MACHINE_WRITTEN:
                found.setdefault(name, []).append(path)
    return found
