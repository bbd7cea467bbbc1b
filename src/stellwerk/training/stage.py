"""The DVC stage of a model: split its data, train, measure, and leave package, evidence and metrics, or nothing."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from stellwerk.data.holdout import Split, split
from stellwerk.declarations.records import encode
from stellwerk.errors import StellwerkError, TrainingFailed
from stellwerk.model.records import DataRecord, Measurement
from stellwerk.training.contract import Contract, StageParams, decode_params
from stellwerk.training.jobs import Finished, Surroundings
from stellwerk.training.masked import masked_paths
from stellwerk.training.measuring import default_measurements
from stellwerk.training.package import package_digest
from stellwerk.training.predictions import predict_package
from stellwerk.training.snapshot import Snapshot, read_snapshot
from stellwerk.training.training import train_package

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stellwerk.model.declared import Json

OUTPUTS = ("package", "training", "metrics.json")
FAILURE = "STELLWERK_FAILURE"


class Suspect(Struct, frozen=True, kw_only=True):
    """A feature that may give the target away, and why."""

    column: str
    reason: str

    def __str__(self) -> str:
        return f"warning: {self.column} may give the target away: {self.reason}"


class StageReport(Struct, frozen=True, kw_only=True):
    """What the stage left in its folder: `report` is `training/report.json`."""

    report: Mapping[str, Json]
    metrics: Mapping[str, Measurement]
    suspects: tuple[Suspect, ...]


def run_stage(params: Mapping[str, Any], *, root: Path, out: Path, around: Surroundings) -> StageReport:
    """Train the model that `params` (`params.yaml`) describes and write the stage's outputs to `out`.

    `root` is the repository. The timeout is the model's own. TrainingFailed where the model's code fails,
    StellwerkError where data or parameters are wrong; nothing is left in `out` then.
    """
    stage = decode_params(params, where=str(out / "params.yaml"))
    around = _limited(around, stage.timeout)
    snapshot = read_snapshot(root / stage.data_path, stage.code.data_format)
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
        suspects = _suspects(snapshot, trained.contract)
        report: dict[str, Json] = {
            "task": trained.contract.task,
            "data": _data_record(stage, snapshot),
            "holdout": encode(parts.record),
            "metrics": {name: encode(measurement) for name, measurement in metrics.items()},
            "package": encode(digest),
            **_process_facts(trained.finished, predictions.finished),
            "suspects": [{"column": found.column, "reason": found.reason} for found in suspects],
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
        loader = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
        params = dict(yaml.load(path.read_text(encoding="utf-8"), Loader=loader))  # noqa: S506 - both are safe
    except (OSError, ValueError, TypeError, yaml.YAMLError) as error:
        message = "the stage's parameters cannot be read"
        raise StellwerkError(message, where=str(path), hint="run `stellwerk render`, then repeat") from error
    try:
        stage = decode_params(params, where=str(path))
        masked = masked_paths(root, stage.data_path, parent=parent)
        around = Surroundings(parent=parent, timeout=stage.timeout, masked=masked, on_line=_print_line)
        done = run_stage(params, root=root, out=cwd, around=around)
    except TrainingFailed as error:
        if place := parent.get(FAILURE):
            failure = {"kind": error.kind, "message": error.message, "log": error.log}
            Path(place).write_text(json.dumps(failure), encoding="utf-8")
        raise
    for suspect in done.suspects:
        _print_line(str(suspect))
    for name, found in done.metrics.items():
        _print_line(f"{name}: {'not measured: ' + str(found.problem) if found.value is None else f'{found.value:g}'}")
    return 0


def repository_of(folder: Path) -> Path:
    """The nearest folder upwards that git or DVC knows as a repository."""
    for place in (folder, *folder.parents):
        if (place / ".git").exists() or (place / ".dvc").is_dir():
            return place
    raise StellwerkError("this is not inside a repository", where=str(folder), hint="run it in a model's folder")


def _limited(around: Surroundings, timeout: float) -> Surroundings:
    import msgspec

    return msgspec.structs.replace(around, timeout=timeout)


def _data_record(stage: StageParams, snapshot: Snapshot) -> dict[str, Json]:
    first, last = _period(snapshot, stage.time)
    return encode(
        DataRecord(
            dataset=stage.dataset,
            path=stage.data_path,
            md5=snapshot.md5,
            sha256=snapshot.sha256,
            size=snapshot.size,
            rows=len(snapshot.rows),
            columns=tuple(str(name) for name in snapshot.rows.columns),
            first=first,
            last=last,
        )
    )


def _period(snapshot: Snapshot, time: str | None) -> tuple[str | None, str | None]:
    """The first and last value of the `time` column as they stand in the data; None where one is no ISO 8601 time."""
    import pandas as pd

    if time is None or time not in snapshot.rows.columns:
        return None, None
    values = snapshot.rows[time]
    moments = pd.to_datetime(values, format="ISO8601", errors="coerce", utc=True)
    if moments.isna().any() or pd.api.types.is_numeric_dtype(values.dtype):
        return None, None
    ends = (values.iloc[int(moments.argmin())], values.iloc[int(moments.argmax())])
    first, last = (end.isoformat() if isinstance(end, pd.Timestamp) else str(end) for end in ends)
    return first, last


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


def _suspects(snapshot: Snapshot, contract: Contract) -> tuple[Suspect, ...]:
    from stellwerk.data.leaks import suspect_leaks

    target, features = contract.code.target, tuple(contract.columns)
    found = suspect_leaks(snapshot.types, target, features, task=contract.task)
    return tuple(Suspect(column=column, reason=reason) for column, reason in found)


def _write_profile(path: Path, snapshot: Snapshot, parts: Split, stage: StageParams) -> None:
    from stellwerk.data.profile import profile

    _write_json(path, profile(snapshot.types[parts.train], min_group=stage.min_group))


def _write_log(path: Path, training: Finished, predicting: Finished, suspects: tuple[Suspect, ...]) -> None:
    warnings = "".join(f"{suspect}\n" for suspect in suspects)
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
