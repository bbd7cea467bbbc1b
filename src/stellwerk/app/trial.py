"""The inner loop of a data scientist: train and judge what lies in the work tree, and commit nothing."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from stellwerk.declarations.records import decode
from stellwerk.errors import StellwerkError, TrainingFailed
from stellwerk.model.declared import Environment, Model, Purpose
from stellwerk.model.records import CheckResult, Measurement, VersionRecord
from stellwerk.planning.candidate import find_candidate
from stellwerk.planning.fingerprint import digest
from stellwerk.reconcile.check import judge_source, judge_with, stage_params
from stellwerk.reconcile.train import suspected
from stellwerk.training.jobs import Surroundings
from stellwerk.training.masked import masked_paths
from stellwerk.training.stage import run_stage

if TYPE_CHECKING:
    from stellwerk.app.session import Session
    from stellwerk.reconcile.world import State

Lines = Callable[[str], None]


def try_out(
    session: Session, state: State, name: str, environment: str | None, on_line: Lines
) -> tuple[CheckResult, ...]:
    """The checks of one environment, or of development and of the first that judges thresholds."""
    model = state.model(name)
    if model.train is None:
        raise StellwerkError(f"{name} declares no `train`", hint="add `train: {data: DATASET}`")
    route = state.gates.route.of(model)
    chosen = [state.environment(environment)] if environment else list(route)
    results: list[CheckResult] = []
    if any(item.purpose is Purpose.DEVELOPMENT for item in chosen):
        for _, checks in judge_source(session.world, state, model, on_line):
            results += checks
    if environment and chosen[0].purpose is Purpose.DEVELOPMENT:
        return tuple(results)
    results += _trained(
        session, state, model, [item for item in chosen if item.purpose is not Purpose.DEVELOPMENT], on_line
    )
    return tuple(results)


def _trained(
    session: Session, state: State, model: Model, environments: list[Environment], on_line: Lines
) -> list[CheckResult]:
    """Train on the data file as it lies here, then judge the package as those environments would."""
    world = session.world
    with tempfile.TemporaryDirectory(prefix="stellwerk-trial-") as room:
        out = Path(room) / "stage"
        out.mkdir()
        params = stage_params(state, model)
        data = str(params["data"]["path"])
        if not (world.root / data).exists():
            raise StellwerkError("the data are not here", where=data, hint=f"dvc pull {data}, or put the file there")
        around = Surroundings(
            parent=world.environ,
            timeout=float(params["train"]["timeout"]),
            masked=(*world.masked, *masked_paths(world.root, data, parent=world.environ)),
            on_line=on_line,
        )
        on_line(f"training {model.name}")
        try:
            report = run_stage(params, root=world.root, out=out, around=around)
        except TrainingFailed as error:
            tail = error.log.strip().splitlines()[-3:]
            detail = " | ".join([error.message, *tail])
            return [CheckResult(name="training", passed=False, detail=detail)]
        record = _provisional(state, model, report.report)
        detail = ", ".join(f"{key} {_figure(item)}" for key, item in sorted(record.metrics.items()))
        suspects = suspected(report.report)
        results = [CheckResult(name="training", passed=True, detail=detail)]
        if suspects:
            results[0] = CheckResult(
                name="training", passed=True, detail=f"{detail}; suspected leaks (SW410): {suspects}"
            )
        for environment in environments:
            results += judge_with(
                world,
                state,
                model,
                environment,
                record,
                package=out / "package",
                snapshot=world.root / data,
                on_line=on_line,
            )
    return results


def _provisional(state: State, model: Model, report: object) -> VersionRecord:
    """A record of the trial, good enough to judge by; it is never written."""
    if not isinstance(report, dict) or model.train is None:
        raise TypeError(model.name)
    candidate = find_candidate(model, state.observed)
    value = {
        key: report[key]
        for key in ("holdout", "metrics", "task", "python", "packages", "isolation", "duration", "cpu", "peak_memory")
    }
    value |= {
        "model": model.name,
        "number": max(candidate.facts.versions, default=0) + 1,
        "origin": "trial",
        "trigger": candidate.trigger,
        "reason": "tried out in the work tree",
        "fingerprint": digest("trial"),
        "parts": {},
        "data": {**report["data"], "dataset": model.train.data, "path": report["data"].get("path", ""), "md5": ""},
        "params": dict(model.train.params),
        "seed": model.train.seed,
        "package": {**report["package"], "md5": ""},
        "parent": None,
        "actor": "trial",
    }
    return decode(VersionRecord, value, where="training/report.json")


def _figure(item: Measurement) -> str:
    return "not computable" if item.value is None else f"{item.value:.4g}"
