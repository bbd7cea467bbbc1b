"""Train a model on chosen rows of a snapshot and write its package."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from stellwerk.data.frames import typed, write_rows
from stellwerk.errors import StellwerkError, TrainingFailed
from stellwerk.training.contract import Code, Contract, StageParams
from stellwerk.training.jobs import Finished, Surroundings, environment_python, job_folder, shell, work
from stellwerk.training.measuring import task_of
from stellwerk.training.package import copy_code, write_package
from stellwerk.training.signature import signature_of

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from stellwerk.model.declared import Json
    from stellwerk.training.snapshot import Snapshot


class Trained(Struct, frozen=True, kw_only=True, eq=False):
    """A training that came to its end, its package written to `package`."""

    contract: Contract
    package: Path
    finished: Finished


def train_package(
    stage: StageParams, snapshot: Snapshot, chosen: Any, *, root: Path, into: Path, around: Surroundings
) -> Trained:
    """Train on the rows of the mask `chosen` and write the package to the folder `into`, which is made."""
    _check_columns(snapshot, stage)
    code = stage.code
    task, positive = task_of(snapshot.types[code.target], declared=stage.task, positive=stage.positive)
    requirements = None if code.requirements is None else root / code.requirements
    python = environment_python(requirements, around)
    columns = [*_features(snapshot, stage), code.target]
    columns.sort(key=list(snapshot.rows.columns).index)
    rows = snapshot.rows.loc[chosen, columns]
    with job_folder() as job:
        data = job / f"train.{code.data_format}"
        copy_code(root, code.files, job / "code")
        write_rows(rows, data, code.data_format)
        if code.command is not None:
            finished = shell("train", code, job=job, python=python, data=data, around=around)
            kind, types = "command", _pandas_types(rows, code)
            why = "a command wrote it"
        else:
            details: dict[str, Json] = {
                "data": {"path": str(data), "format": code.data_format},
                "format": stage.format,
            }
            finished = work("train", code, job=job, python=python, details=details, around=around)
            kind, types, why = finished.said["format"], finished.said["dtypes"], finished.said["why"]
        if not any((job / "model").iterdir()):
            message = "training left no model in STELLWERK_MODEL"
            raise TrainingFailed(message, kind="no-model", log=finished.process.log_tail)
        contract = Contract(
            code=code,
            format=kind,
            task=task,
            positive=positive,
            columns=types,
            python=f"{sys.version_info.major}.{sys.version_info.minor}",
            why=why,
            signature=signature_of(types, stage.columns, gaps=_gaps(snapshot.types.loc[chosen, list(types)])),
        )
        into.mkdir(parents=True)
        try:
            write_package(into, contract, root=root, model=job / "model")
        except StellwerkError as error:
            raise TrainingFailed(error.message, kind="bad-output", log=finished.process.log_tail) from error
    return Trained(contract=contract, package=into, finished=finished)


def _check_columns(snapshot: Snapshot, stage: StageParams) -> None:
    columns = [str(name) for name in snapshot.rows.columns]
    wanted = {"target": (stage.code.target,), "features": (*stage.features.include, *stage.features.exclude)}
    for key, names in wanted.items():
        unknown = [name for name in names if name not in columns]
        if unknown:
            message = f"`{key}` names {', '.join(unknown)}, which the data do not have"
            raise StellwerkError(message, where=stage.data_path, hint=f"the columns are {', '.join(columns)}")


def _features(snapshot: Snapshot, stage: StageParams) -> list[str]:
    include, exclude = stage.features.include, (*stage.features.exclude, stage.code.target)
    names = [str(name) for name in snapshot.rows.columns]
    kept = [name for name in names if name not in exclude and (not include or name in include)]
    if not kept:
        raise StellwerkError("no column is left to learn from", where="features", hint="exclude fewer columns")
    return kept


def _pandas_types(rows: pd.DataFrame, code: Code) -> dict[str, str]:
    types = typed(rows, code.data_format).dtypes
    return {str(name): str(kind) for name, kind in types.items() if name != code.target}


def _gaps(rows: pd.DataFrame) -> frozenset[str]:
    """The columns that miss a value somewhere. That one does is no value of a row."""
    return frozenset(str(name) for name, found in rows.isna().any().items() if found)
