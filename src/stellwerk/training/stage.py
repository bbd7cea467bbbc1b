"""The DVC stage of a model: split its data, train, measure, and leave package, evidence and metrics, or nothing."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stellwerk.data.frames import read_rows, typed, write_rows
from stellwerk.data.holdout import Split, split
from stellwerk.declarations.records import encode
from stellwerk.errors import StellwerkError, TrainingFailed
from stellwerk.model.declared import Json
from stellwerk.model.records import DataRecord, Measurement
from stellwerk.training.contract import Code, Contract, StageParams, decode_params
from stellwerk.training.jobs import Finished, Surroundings, environment_python, job_folder, shell, work
from stellwerk.training.masked import masked_paths
from stellwerk.training.measuring import default_measurements, task_of
from stellwerk.training.package import copy_code, package_digest, write_package
from stellwerk.training.predictions import Predictions, predict_package

if TYPE_CHECKING:
    import pandas as pd

OUTPUTS = ("package", "training", "metrics.json")
FAILURE = "STELLWERK_FAILURE"


@dataclass(frozen=True, slots=True, kw_only=True)
class StageReport:
    """What the stage left in its folder: `report` is `training/report.json`."""

    report: Mapping[str, Json]
    metrics: Mapping[str, Measurement]
    suspects: tuple[Mapping[str, Json], ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Snapshot:
    """The rows of a dataset (csv: as text) and the facts about their file; `types` is what pandas makes of them."""

    rows: pd.DataFrame
    types: pd.DataFrame
    sha256: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trained:
    """A training that came to its end, its package written to `package`."""

    contract: Contract
    package: Path
    finished: Finished


def run_stage(params: Mapping[str, Any], *, root: Path, out: Path, around: Surroundings) -> StageReport:
    """Train the model that `params` (`params.yaml`) describes and write `package/`, `training/`, `metrics.json` to `out`.

    `root` is the repository. The timeout is the model's own. TrainingFailed where the model's code fails,
    StellwerkError where data or parameters are wrong; nothing is left in `out` then.
    """
    stage = decode_params(params, where=str(out / "params.yaml"))
    around = _limited(around, stage.timeout)
    snapshot = read_snapshot(root / stage.data_path, stage.code.data_format)
    _check_target(snapshot, stage)
    parts = split(snapshot.rows, stage.holdout, seed=stage.code.seed, identity=stage.identity, time=stage.time)
    with tempfile.TemporaryDirectory(prefix="stellwerk-stage-") as folder:
        staging = Path(folder)
        (staging / "training").mkdir()
        trained = train_package(stage, snapshot, parts.train, root=root, into=staging / "package", around=around)
        digest = package_digest(trained.package)
        held = snapshot.rows[parts.held]
        predictions = predict_package(trained.package, held, sha256=digest.sha256, around=around)
        truth = snapshot.types.loc[parts.held, stage.code.target]
        metrics = default_measurements(trained.contract, truth, predictions, seed=stage.code.seed)
        suspects = _suspects(snapshot, stage, trained.contract)
        report = {
            "task": trained.contract.task,
            "data": _data_record(stage, snapshot),
            "holdout": encode(parts.record),
            "metrics": {name: encode(measurement) for name, measurement in metrics.items()},
            "package": {"sha256": digest.sha256, "size": digest.size, "files": digest.files, "format": digest.format},
            **_process_facts(trained.finished, predictions.finished),
            "suspects": list(suspects),
        }
        _write_json(staging / "training" / "report.json", report)
        _write_profile(staging / "training" / "profile.json", snapshot, parts, stage)
        _write_log(staging / "training" / "log.txt", trained.finished, predictions.finished, suspects)
        _write_json(staging / "metrics.json", {name: found.value for name, found in metrics.items()})
        _put_in_place(staging, out)
    return StageReport(report=report, metrics=metrics, suspects=suspects)


def stage_main(cwd: Path, *, parent: Mapping[str, str] | None = None) -> int:
    """`stellwerk stage`: run the stage of the folder `cwd`; the exit code. Prints the model's log as it comes.

    Where the model's code fails, JSON `{kind, message, log}` goes to the file that STELLWERK_FAILURE names.
    """
    import yaml

    parent = os.environ if parent is None else parent
    root = repository_of(cwd)
    path = cwd / "params.yaml"
    try:
        params = yaml.safe_load(path.read_text(encoding="utf-8"))
        if not isinstance(params, dict):
            raise TypeError
    except (OSError, ValueError, TypeError, yaml.YAMLError) as error:
        message = "the stage's parameters cannot be read"
        raise StellwerkError(message, where=str(path), hint="run `stellwerk render`, then repeat") from error
    masked = masked_paths(root, str(params.get("data", {}).get("path", "")), parent=parent)
    around = Surroundings(parent=parent, timeout=0, masked=masked, on_line=_print_line)
    try:
        done = run_stage(params, root=root, out=cwd, around=around)
    except TrainingFailed as error:
        if place := parent.get(FAILURE):
            failure = {"kind": error.kind, "message": error.message, "log": error.log}
            Path(place).write_text(json.dumps(failure), encoding="utf-8")
        raise
    for name, found in done.metrics.items():
        _print_line(f"{name}: {'not measured: ' + str(found.problem) if found.value is None else f'{found.value:g}'}")
    return 0


def repository_of(folder: Path) -> Path:
    """The nearest folder upwards that git or DVC knows as a repository."""
    for place in (folder, *folder.parents):
        if (place / ".git").exists() or (place / ".dvc").is_dir():
            return place
    raise StellwerkError("this is not inside a repository", where=str(folder), hint="run it in a model's folder")


def read_snapshot(path: Path, data_format: str) -> Snapshot:
    """The rows of the file, with its SHA-256 (hex) and size in bytes."""
    rows = read_rows(path, data_format)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Snapshot(rows=rows, types=typed(rows, data_format), sha256=digest, size=path.stat().st_size)


def train_package(
    stage: StageParams, snapshot: Snapshot, chosen: Any, *, root: Path, into: Path, around: Surroundings
) -> Trained:
    """Train on the rows of the mask `chosen` and write the package to the folder `into`, which is made."""
    code = stage.code
    positive: Json = None
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
        else:
            details: dict[str, Json] = {"data": {"path": str(data), "format": code.data_format}}
            finished = work("train", code, job=job, python=python, details=details, around=around)
            kind, types = finished.said["format"], finished.said["dtypes"]
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
        )
        into.mkdir(parents=True)
        try:
            write_package(into, contract, root=root, model=job / "model")
        except StellwerkError as error:
            raise TrainingFailed(error.message, kind="bad-output", log=finished.process.log_tail) from error
    return Trained(contract=contract, package=into, finished=finished)


def _limited(around: Surroundings, timeout: float) -> Surroundings:
    import dataclasses

    return dataclasses.replace(around, timeout=timeout)


def _check_target(snapshot: Snapshot, stage: StageParams) -> None:
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


def _data_record(stage: StageParams, snapshot: Snapshot) -> dict[str, Json]:
    first = last = None
    if stage.time is not None and stage.time in snapshot.rows.columns:
        present = snapshot.rows[stage.time].dropna()
        first, last = (str(present.min()), str(present.max())) if len(present) else (None, None)
    record = encode(
        DataRecord(
            dataset=stage.dataset,
            path=stage.data_path,
            md5="",
            sha256=snapshot.sha256,
            size=snapshot.size,
            rows=len(snapshot.rows),
            columns=tuple(str(name) for name in snapshot.rows.columns),
            first=first,
            last=last,
        )
    )
    del record["md5"]  # DVC's, which the caller knows
    return record


def _process_facts(training: Finished, predicting: Finished) -> dict[str, Json]:
    both = (training.process, predicting.process)
    isolated = all(process.isolation == "namespace" for process in both)
    version = f"{sys.version_info.major}.{sys.version_info.minor}.{sys.version_info.micro}"
    return {
        "python": training.said.get("python", version),
        "packages": dict(training.said.get("packages", {})),
        "isolation": "namespace" if isolated else "directory",
        "duration": round(sum(process.duration for process in both), 3),
        "cpu": round(sum(process.cpu for process in both), 3),
        "peak_memory": max(process.peak_memory for process in both),
    }


def _suspects(snapshot: Snapshot, stage: StageParams, contract: Contract) -> tuple[Mapping[str, Json], ...]:
    raise NotImplementedError


def _write_profile(path: Path, snapshot: Snapshot, parts: Split, stage: StageParams) -> None:
    raise NotImplementedError


def _write_log(
    path: Path, training: Finished, predicting: Finished, suspects: tuple[Mapping[str, Json], ...]
) -> None:
    warnings = "".join(f"warning: {suspect['message']}\n" for suspect in suspects)
    path.write_text(f"{warnings}=== train\n{training.log}=== predict\n{predicting.log}", encoding="utf-8")


def _write_json(path: Path, value: Any) -> None:
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    path.write_text(text, encoding="utf-8")


def _put_in_place(staging: Path, out: Path) -> None:
    """Move every output, the old ones out of the way first. A failure half way leaves none."""
    try:
        for name in OUTPUTS:
            _remove(out / name)
            shutil.move(staging / name, out / name)
    except BaseException:
        for name in OUTPUTS:
            _remove(out / name)
        raise


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        with contextlib.suppress(FileNotFoundError):
            path.unlink()


def _print_line(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
