"""Give birth to a version: development checks, the DVC stage, the packages remote, then one commit with the record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from stellwerk.declarations.records import decode, dump
from stellwerk.errors import StellwerkError, TrainingFailed
from stellwerk.model.records import Incident, VersionRecord
from stellwerk.model.views import Done
from stellwerk.planning.candidate import Candidate, find_candidate
from stellwerk.reconcile.check import judge_source, source_verdict
from stellwerk.reconcile.discretion import OURS, discreet, sensitive
from stellwerk.reconcile.messages import check_lines, message, number
from stellwerk.reconcile.presence import telling
from stellwerk.reconcile.world import PACKAGES, State, World, incident_path

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from stellwerk.model.actions import Step
    from stellwerk.model.declared import Model
    from stellwerk.model.ports import TrainingResult

LOG_LINES = 30


def train(world: World, state: State, step: Step, model: Model, on_line: Callable[[str], None]) -> Done:
    """Train the model's current candidate and record the version, or record the failure against its fingerprint."""
    candidate = find_candidate(model, state.observed)
    sources = judge_source(world, state, model, on_line)
    failed = [check for _, checks in sources for check in checks if not check.passed]
    if failed:
        text = "; ".join(f"{check.name}: {check.detail}" for check in failed[:3])
        return _record_failure(world, step, candidate, f"development checks failed: {text}", check_lines(tuple(failed)))
    tip, pointer = world.commits.tip(), state.observed.pointers.get(model.train.data) if model.train else None
    try:
        with telling(state, pointer.md5 if pointer else ""):
            result = world.trainer(state.project).train(model.name, commit=tip or "HEAD", on_line=on_line)
    except TrainingFailed as error:
        if model.train is None or not sensitive(state.project, state.dataset(model.train.data)):
            return _record_failure(world, step, candidate, error.message, error.log)
        summary = error.message if error.kind in OURS else discreet(error.message)
        done = _record_failure(world, step, candidate, summary.replace("\n", "; "), discreet(error.log))
        return replace(done, detail=f"{error.message}\n{error.log}")
    on_line("pushing the package")
    world.store.push([result.package_md5], remote=PACKAGES)
    record = _record(world, state, candidate, result)
    home = f"registry/{model.name}/{record.number}"
    changes: dict[str, bytes | None] = {
        f"{home}/version.yaml": dump(record).encode(),
        f"{home}/profile.json": result.profile.encode(),
    }
    for environment, checks in sources:
        policy = state.gates.route.policy(model, environment)
        verdict = source_verdict(world, policy, environment.name, record, checks)
        changes[f"{home}/verdicts/{environment.name}.yaml"] = dump(verdict).encode()
    changes |= result.files
    changes |= _close_failures(candidate)
    summary = f"train: {model.name} v{record.number}"
    metrics = ", ".join(f"{name} {number(item.value)}" for name, item in sorted(record.metrics.items()))
    body = (
        f"because: {record.reason}\ndata: {record.data.dataset} {record.data.md5[:8]}, {record.data.rows} rows, "
        f"{record.holdout.rows} held out\nmetrics: {metrics}\npackage: sha256 {record.package.sha256}"
    )
    suspects, warning = suspected(result.report), ""
    if suspects:
        body += f"\nsuspected leaks (SW410): {suspects}"
        warning = f"warning SW410: columns that seem to reproduce the target: {suspects}"
    text = message(summary, body, world.actor, action="train", model=model.name, version=record.number)
    commit = world.commits.commit(changes, text)
    return Done(step=step, summary=f"{summary} ({_headline(model, record)})", commit=commit, detail=warning)


def _headline(model: Model, record: VersionRecord) -> str:
    """The metrics that the model's thresholds name, else two of them; the record has all."""
    asked = {threshold.metric for threshold in model.thresholds}
    names = [name for name in sorted(record.metrics) if name in asked] or sorted(record.metrics)[:2]
    return ", ".join(f"{name} {number(record.metrics[name].value)}" for name in names)


def _record(world: World, state: State, candidate: Candidate, result: TrainingResult) -> VersionRecord:
    report: Mapping[str, Any] = result.report
    model = candidate.model
    if model.train is None or candidate.fingerprint is None:
        raise ValueError(model.name)
    where = f"models/{model.name}/training/report.json"
    pointer = state.observed.pointers[model.train.data]
    if report["data"]["md5"] != pointer.md5:
        raise StellwerkError(
            f"the data that were read are not the snapshot: {report['data']['md5'][:8]} instead of {pointer.md5[:8]}",
            where=pointer.path,
            hint=f"somebody wrote through a link into DVC's cache. Were the new data meant? stellwerk snapshot "
            f"{model.train.data} --because ...; else: rm {pointer.path} && dvc fetch && dvc checkout",
        )
    numbers = candidate.facts.versions
    value: dict[str, Any] = {
        key: report[key]
        for key in ("holdout", "metrics", "task", "python", "packages", "isolation", "duration", "cpu", "peak_memory")
    }
    value |= {
        "model": model.name,
        "number": max(numbers, default=0) + 1,
        "origin": "trained",
        "trigger": candidate.trigger,
        "reason": candidate.reason,
        "fingerprint": candidate.fingerprint,
        "parts": dict(candidate.parts),
        "data": {**report["data"], "dataset": model.train.data, "path": pointer.path},
        "params": dict(model.train.params),
        "seed": model.train.seed,
        "package": {**report["package"], "md5": result.package_md5},
        "parent": candidate.parent.record.number if candidate.parent else None,
        "actor": str(world.actor),
        "run": world.actor.run,
    }
    return decode(VersionRecord, value, where=where)


def suspected(report: Mapping[str, Any]) -> str:
    """The columns that seem to give the target away, in words; '' where none does."""
    return "; ".join(f"{item['column']} ({item['reason']})" for item in report.get("suspects") or ())


def _record_failure(world: World, step: Step, candidate: Candidate, summary: str, log: str) -> Done:
    """A failed attempt is a fact: no run repeats it unasked."""
    model = candidate.model.name
    number = max((item.number for item in candidate.facts.incidents), default=0) + 1
    lines = tuple(log.splitlines()[-LOG_LINES:])
    first = summary.splitlines()[0] if summary else "it failed"
    incident = Incident(
        model=model,
        number=number,
        kind="training-failed",
        summary=first,
        at=world.now(),
        actor=str(world.actor),
        fingerprint=candidate.fingerprint,
        notify=candidate.model.owners.develops,
        evidence=lines,
        run=world.actor.run,
    )
    text = message(f"fail: training of {model}", summary, world.actor, action="train", model=model)
    commit = world.commits.commit({incident_path(model, number): dump(incident).encode()}, text)
    return Done(step=step, summary=f"training of {model} failed: {first}", commit=commit, passed=False, detail=log)


def _close_failures(candidate: Candidate) -> dict[str, bytes | None]:
    return {
        incident_path(candidate.model.name, item.number): dump(replace(item, open=False)).encode()
        for item in candidate.facts.incidents
        if item.kind == "training-failed" and item.open
    }
