"""`stellwerk stand-in`: made-up rows for development, written where the dataset's stand-in belongs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from stellwerk.errors import StellwerkError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stellwerk.app.workspace import Workspace
    from stellwerk.model.declared import Dataset, Model, Project
    from stellwerk.reconcile.world import State

FORMATS = {".csv": "csv", ".parquet": "parquet", ".jsonl": "jsonl"}
ROOMY = 1000  # times as many different rows as are made: below, some equal real ones by chance


class Asked(Struct, frozen=True, kw_only=True):
    """What a person asks for. `out` None: the path of the declared stand-in."""

    dataset: str
    rows: int
    seed: int = 0
    out: Path | None = None
    force: bool = False


class MadeStandIn(Struct, frozen=True, kw_only=True):
    """The file, whether its bytes are new, and what a person should know about the rows."""

    path: str
    rows: int
    changed: bool
    notes: tuple[str, ...] = ()


def make_stand_in(workspace: Workspace, asked: Asked) -> MadeStandIn:
    """Make the rows and write the file, whole or not at all. No row of any dataset is read.

    Raises StellwerkError where nothing can be made up, where the file would be that of real data, or where another file
    is there and `force` was not given.
    """
    state = workspace.brief.work_tree().state  # other mistakes in the declarations do not matter here
    project = state.project
    dataset = _dataset(project, asked.dataset)
    path, data_format = _target(workspace, project, dataset, asked.out)
    shown = path.relative_to(workspace.root).as_posix() if path.is_relative_to(workspace.root) else str(path)
    profile, notes = _profile(state, dataset)

    from stellwerk.data.stand_in import Wanted, make_rows

    made = make_rows(
        Wanted(
            columns=dataset.columns,
            rows=asked.rows,
            seed=asked.seed,
            key=dataset.key,
            time=dataset.time,
            personal=dataset.personal,
            also=_used(project, dataset),
            data_format=data_format,
            profile=profile,
            where=f"datasets.{dataset.name}",
        )
    )
    if made.space < ROOMY * asked.rows:
        different = f"{made.space} different rows" if made.space > 1 else "a single row"
        notes += (f"What is declared allows only {different}: some equal real rows by chance, none is copied.",)
    changed = _written(made.frame, path, data_format, shown=shown, force=asked.force)
    return MadeStandIn(path=shown, rows=asked.rows, changed=changed, notes=notes)


def _dataset(project: Project, name: str) -> Dataset:
    from stellwerk.planning.rules.nearest import ValidNames

    known = {dataset.name: dataset for dataset in project.datasets}
    if name not in known:
        raise UsageError(f"there is no dataset '{name}'", where="mlops.yaml", hint=ValidNames(known).hint(name))
    return known[name]


def _target(workspace: Workspace, project: Project, dataset: Dataset, out: Path | None) -> tuple[Path, str]:
    """The file and its format. Never the file of a dataset that is no stand-in, whatever leads to it."""
    named = {item.name: item for item in project.datasets}
    stand_in = named.get(dataset.stand_in or "")
    if out is None and stand_in is None:
        raise StellwerkError(
            f"'{dataset.name}' declares no `stand_in`, so it is not known where the rows belong",
            where=f"mlops.yaml: datasets.{dataset.name}",
            hint=f"declare stand_in: {dataset.name}-stand-in and that dataset with a path, or give --out FILE",
        )
    path = workspace.root / stand_in.path if out is None and stand_in is not None else Path(out or "").absolute()
    real = path.resolve()
    standing = {item.stand_in for item in project.datasets if item.stand_in != item.name}
    for item in project.datasets:
        if (workspace.root / item.path).resolve() != real:
            continue
        if item.name not in standing:
            raise StellwerkError(
                f"that is the file of '{item.name}', which stands in for no dataset: it may hold real rows",
                where=item.path,
                hint="give another --out FILE, or declare it as the `stand_in` of a dataset",
            )
        return real, item.format
    if not real.parent.is_dir() and out is not None:
        raise StellwerkError("there is no such folder", where=str(path.parent), hint="make it first")
    if real.suffix.lower() not in FORMATS:
        raise StellwerkError(
            "the name does not say the format", where=str(path), hint="end it with .csv, .parquet or .jsonl"
        )
    return real, FORMATS[real.suffix.lower()]


def _used(project: Project, dataset: Dataset) -> tuple[str, ...]:
    """The columns that models trained on the dataset name."""
    found: dict[str, None] = {}
    for model in _trained_on(project, dataset):
        found |= dict.fromkeys(model.features.include)
        found |= dict.fromkeys(model.train.holdout.by if model.train is not None else ())
        found |= dict.fromkeys((model.target,) if model.target is not None else ())
    return tuple(found)


def _trained_on(project: Project, dataset: Dataset) -> tuple[Model, ...]:
    return tuple(item for item in project.models if item.train is not None and item.train.data == dataset.name)


def _profile(state: State, dataset: Dataset) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    """The profile of the newest version that was trained on the dataset, and what is to be said about it."""
    found: list[tuple[int, str]] = []
    for model in _trained_on(state.project, dataset):
        facts = state.observed.models.get(model.name)
        for number in sorted(facts.versions, reverse=True) if facts is not None else ():
            if facts is not None and facts.versions[number].record.data.dataset == dataset.name:
                found.append((number, model.name))
                break
    if not found:
        return {}, ("No profile of real rows is recorded: the rows follow what is declared only.",)
    number, name = max(found)
    path = f"registry/{name}/{number}/profile.json"
    content = state.tree.read([path]).get(path)
    try:
        profile = json.loads(content or b"null")
    except ValueError:
        profile = None
    if not isinstance(profile, dict) or not isinstance(profile.get("columns"), dict):
        return {}, (f"{path} cannot be read: the rows follow what is declared only.",)
    bound = state.project.limits.min_group
    if int(profile.get("min_group", 0)) < bound:
        said = f"{path} shows groups of fewer than {bound} rows (`limits.min_group` was raised): it is not used."
        return {}, (said,)
    return profile, (f"The distributions follow the profile of {name}@{number}.",)


def _written(frame: Any, path: Path, data_format: str, *, shown: str, force: bool) -> bool:
    """Whether the file is new bytes."""
    from stellwerk.adapters.leftovers import beside
    from stellwerk.data.frames import write_rows

    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = beside(path)
    try:
        write_rows(frame, fresh, data_format)
        if path.exists():
            if path.is_file() and path.read_bytes() == fresh.read_bytes():
                return False
            if not force:
                raise StellwerkError(
                    "another file is there, and nothing is overwritten unasked",
                    where=shown,
                    hint="add --force to replace it, or give another --out FILE",
                )
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)
    return True
