"""What one change of a repository brings: its plan, findings, data and releases against those of the base. Pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from msgspec import Struct, field

from stellwerk.metrics.judge import metric_name
from stellwerk.model.actions import Train
from stellwerk.model.findings import Severity
from stellwerk.planning.candidate import facts_of, find_candidate
from stellwerk.planning.data_change import DataChange, data_changes
from stellwerk.planning.explain import explain
from stellwerk.planning.fingerprint import changed_parts
from stellwerk.planning.release_change import ReleaseChange, release_changes
from stellwerk.planning.threshold_change import ThresholdChange, running_versions, threshold_changes
from stellwerk.planning.training_place import training_places

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from stellwerk.model.actions import Plan, Step, Wait
    from stellwerk.model.declared import Model, Project
    from stellwerk.model.findings import Finding
    from stellwerk.model.observed import Observed
    from stellwerk.model.records import CheckResult, Measurement
    from stellwerk.model.views import Explanation
    from stellwerk.planning.gates import Gates

BY_ITSELF = "stellwerk reconcile"  # how the hint of a condition begins that a run meets
MOST_MODELS = 20  # whose conditions and metrics are shown one by one


class Side(Struct, frozen=True, kw_only=True):
    """One of the two states compared. `plan` None: nothing can be planned, and `problem` says why."""

    project: Project
    observed: Observed
    gates: Gates
    findings: tuple[Finding, ...] = ()
    plan: Plan | None = None
    problem: str = ""


class SourceCheck(Struct, frozen=True, kw_only=True):
    """What a development check said, read from what `check --out` wrote. `problem`: why it cannot be read."""

    file: str
    model: str | None = None
    environment: str | None = None
    checks: tuple[CheckResult, ...] = ()
    problem: str = ""

    @property
    def passed(self) -> bool:
        return not self.problem and all(check.passed for check in self.checks)


class MetricHistory(Struct, frozen=True, kw_only=True):
    """One metric of a model over its versions, oldest first: (version, what was measured, where it is released)."""

    model: str
    metric: str
    points: tuple[tuple[int, Measurement, tuple[str, ...]], ...]


class Change(Struct, frozen=True, kw_only=True):
    """Everything a reviewer is told. `added` and `dropped` compare the plans; `places` says where models train.

    `problem`: why the state after the change cannot be planned; `base_problem`: why the base cannot. `errors` counts
    all mistakes, those of the base included. `sources` are (model, what of it changed, in words), `notes` what could
    not be found out.
    """

    base: str
    head: str
    added: tuple[Step, ...] = ()
    dropped: tuple[Step, ...] = ()
    waits: tuple[Wait, ...] = ()
    met: tuple[Wait, ...] = ()
    places: Mapping[str, str] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    errors: int = 0
    problem: str = ""
    base_problem: str = ""
    thresholds: tuple[ThresholdChange, ...] = ()
    sources: tuple[tuple[str, tuple[str, ...]], ...] = ()
    checks: tuple[SourceCheck, ...] = ()
    releases: tuple[ReleaseChange, ...] = ()
    data: tuple[DataChange, ...] = ()
    blocked: tuple[Explanation, ...] = ()
    histories: tuple[MetricHistory, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def failing(self) -> tuple[ThresholdChange, ...]:
        """The changed thresholds that a running version fails because of this change."""
        return tuple(item for item in self.thresholds if item.failing)

    @property
    def red(self) -> bool:
        """Whether merging this is wrong as far as anybody can tell now."""
        return bool(self.errors or self.problem or self.failing)


def compare(before: Side | None, after: Side, *, base: str, head: str, checks: tuple[SourceCheck, ...] = ()) -> Change:
    """What the change brings; `before` None: nothing was declared, or nothing of it could be read.

    Profiles of datasets and the authors of thresholds need git: they are filled in by the caller.
    """
    added, dropped = _steps(before.plan if before else None, after.plan)
    waits, met = _waits(before.plan if before else None, after.plan)
    thresholds = threshold_changes(before.project if before else None, after.project, after.observed, after.gates)
    data = tuple(data_changes(before.observed if before else None, after.observed, after.project))
    releases = tuple(release_changes(before.observed if before else None, after.project, after.observed, after.gates))
    sources = tuple(_sources(before, after))
    known = {model.name: model for model in after.project.models}
    touched = _touched(added, dropped, waits)
    touched |= {item.model for item in thresholds} | {item.model for item in releases} | {name for name, _ in sources}
    touched |= {name for item in data for name in item.models}
    models = [known[name] for name in sorted(touched & known.keys()) if known[name].train is not None]
    trained = {step.action.model for step in added if isinstance(step.action, Train)}
    places = {name: place.name for name, place in training_places(after.project).items() if place and name in trained}
    return Change(
        base=base,
        head=head,
        added=added,
        dropped=dropped,
        waits=waits,
        met=met,
        places=places,
        findings=_new_findings(before.findings if before else (), after.findings),
        errors=sum(1 for finding in after.findings if finding.severity is Severity.ERROR),
        problem=after.problem,
        base_problem=before.problem if before else "",
        thresholds=tuple(thresholds),
        sources=sources,
        checks=checks,
        releases=releases,
        data=data,
        blocked=tuple(_blocked(models[:MOST_MODELS], after)),
        histories=tuple(_histories(models[:MOST_MODELS], after, {item.model: item.metric for item in thresholds})),
    )


def unplanned(
    before: Side | None, findings: tuple[Finding, ...], *, base: str, head: str, checks: tuple[SourceCheck, ...] = ()
) -> Change:
    """The change where what it declares cannot be read at all."""
    return Change(
        base=base,
        head=head,
        findings=_new_findings(before.findings if before else (), findings),
        errors=sum(1 for finding in findings if finding.severity is Severity.ERROR),
        problem="the declarations cannot be read",
        checks=checks,
    )


def _steps(before: Plan | None, after: Plan | None) -> tuple[tuple[Step, ...], tuple[Step, ...]]:
    """The steps that only the later plan has, and those of the earlier one whose key is gone."""
    if after is None:
        return (), ()
    old = {_said(step) for step in before.steps} if before else set()
    keys = {step.key for step in after.steps}
    added = tuple(step for step in after.steps if _said(step) not in old)
    dropped = tuple(step for step in (before.steps if before else ()) if step.key not in keys)
    return added, dropped


def _said(step: Step) -> tuple[object, ...]:
    return step.key, step.action, step.condition, step.reason


def _waits(before: Plan | None, after: Plan | None) -> tuple[tuple[Wait, ...], tuple[Wait, ...]]:
    if after is None:
        return (), ()
    earlier = before.waits if before else ()
    old, new = {_awaited(wait) for wait in earlier}, {_awaited(wait) for wait in after.waits}
    about = {(wait.kind, wait.model, wait.environment, wait.version) for wait in after.waits}
    added = tuple(wait for wait in after.waits if _awaited(wait) not in old)
    gone = (wait for wait in earlier if _awaited(wait) not in new)
    return added, tuple(w for w in gone if (w.kind, w.model, w.environment, w.version) not in about)


def _awaited(wait: Wait) -> tuple[object, ...]:
    return wait.model, wait.environment, wait.version, wait.reason


def _new_findings(before: tuple[Finding, ...], after: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """The findings that the base does not have, wherever in the file they stand now."""
    left = Counter((item.rule, item.place.path, item.message) for item in before)
    found = []
    for item in after:
        name = (item.rule, item.place.path, item.message)
        if left[name]:
            left[name] -= 1
        else:
            found.append(item)
    return tuple(found)


def _touched(added: tuple[Step, ...], dropped: tuple[Step, ...], waits: tuple[Wait, ...]) -> set[str]:
    names = {getattr(step.action, "model", None) for step in (*added, *dropped)} | {wait.model for wait in waits}
    return {name for name in names if name}


def _sources(before: Side | None, after: Side) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The models whose code, parameters or other inputs changed, data apart, and how."""
    olds = {model.name: model for model in before.project.models} if before else {}
    for model in after.project.models:
        if model.train is None:
            continue
        old = olds.get(model.name) or olds.get(model.previously or "")
        if old is None or before is None or old.train is None:
            yield model.name, ("new",)
            continue
        code = after.observed.code.get(model.name, ())
        if (old.train, old.source, code) == (model.train, model.source, before.observed.code.get(old.name, ())) and (
            (old.command, old.requirements, old.features) == (model.command, model.requirements, model.features)
        ):
            continue
        parts = find_candidate(old, before.observed).parts, find_candidate(model, after.observed).parts
        words = changed_parts(*({**part, "data": ""} for part in parts))
        if words:
            yield model.name, words


def _blocked(models: list[Model], after: Side) -> Iterator[Explanation]:
    """For each environment that releases the model, what is not met there, if the plan's own steps do not meet it."""
    if after.plan is None:
        return
    for model in models:
        for environment in after.gates.route.of(model):
            if after.gates.route.released_in(environment):
                found = explain(model, environment, after.observed, after.gates, after.plan)
                if any(not item.met and not item.unblock.startswith(BY_ITSELF) for item in found.conditions):
                    yield found


def _histories(models: list[Model], after: Side, touched: Mapping[str, str]) -> Iterator[MetricHistory]:
    """Of the metric whose threshold was touched, else of one that has a threshold, else of any."""
    for model in models:
        records = [version.record for _, version in sorted(facts_of(model, after.observed).versions.items())]
        if len(records) < 2:  # noqa: PLR2004 one point is no history
            continue
        wanted = [touched.get(model.name, ""), *(metric_name(item) for item in model.thresholds)]
        wanted += sorted(records[-1].metrics)
        metric = next((name for name in wanted if name in records[-1].metrics), None)
        if metric is None:
            continue
        released = running_versions(model, after.observed, after.gates)
        points = tuple(
            (record.number, record.metrics[metric], tuple(item.name for item in released.get(record.number, ())))
            for record in records
            if metric in record.metrics
        )
        yield MetricHistory(model=model.name, metric=metric, points=points)
