"""Thresholds that a change touches, and what the recorded metrics of running versions say to them. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import fields, replace

from stellwerk.metrics.judge import judged_value, limit_words, metric_name
from stellwerk.planning.candidate import facts_of
from stellwerk.planning.rules.loosened import loosenings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from stellwerk.model.declared import Environment, Model, Project, Threshold, Worsening
    from stellwerk.model.observed import Observed, Version
    from stellwerk.model.records import Measurement
    from stellwerk.planning.gates import Gates

NEW, REMOVED, TIGHTER, LOOSER, BOTH = "new", "removed", "tighter", "looser", "tighter and looser"


class Reading(Struct, frozen=True, kw_only=True):
    """What is recorded of one running version, held against one limit.

    `passed` None: nothing can be said, and `note` says why. `source` is where the measurement was recorded, in words.
    `already`: it failed the threshold as it was before, too.
    """

    version: int
    environments: tuple[str, ...]  # where it is released
    limit: str
    passed: bool | None
    slice: str | None = None
    measured: Measurement | None = None
    source: str = ""
    note: str = ""
    already: bool = False


class ThresholdChange(Struct, frozen=True, kw_only=True):
    """One threshold before and after. `environments` judge it; `owner` is the team that should look.

    `direction`: new | removed | tighter | looser | tighter and looser. `authors` touched it, as `Name <email>`.
    """

    model: str
    metric: str
    environments: tuple[str, ...]
    before: Threshold | None
    after: Threshold | None
    direction: str
    owner: str | None
    authors: tuple[str, ...] = ()
    readings: tuple[Reading, ...] = ()

    @property
    def failing(self) -> tuple[Reading, ...]:
        """The recorded metrics that fail because of this change."""
        return tuple(reading for reading in self.readings if reading.passed is False and not reading.already)


def threshold_changes(
    before: Project | None, after: Project, observed: Observed, gates: Gates
) -> list[ThresholdChange]:
    """Every threshold that was added, removed or changed, by model and metric; `before` None: nothing was declared."""
    olds = {model.name: model for model in before.models} if before else {}
    found = []
    for model in after.models:
        old = olds.pop(model.name, None) or olds.pop(model.previously or "", None)
        if old is None or old.thresholds != model.thresholds:
            found += list(_of_model(old, model, observed, gates))
    return found


def _of_model(old: Model | None, model: Model, observed: Observed, gates: Gates) -> Iterator[ThresholdChange]:
    before = {metric_name(item): item for item in old.thresholds} if old else {}
    after = {metric_name(item): item for item in model.thresholds}
    judging = tuple(item.name for item in gates.route.of(model) if gates.route.policy(model, item).measures)
    for metric in sorted(before.keys() | after.keys()):
        one, two = before.get(metric), after.get(metric)
        if one is not None and two is not None and replace(one, metric=metric) == replace(two, metric=metric):
            continue  # another name of the same metric
        yield ThresholdChange(
            model=model.name,
            metric=metric,
            environments=judging,
            before=one,
            after=two,
            direction=direction(one, two),
            owner=model.owners.accountable or gates.project.owners.accountable,
            readings=tuple(_readings(model, one, two, observed, gates)) if two and judging else (),
        )


def direction(before: Threshold | None, after: Threshold | None) -> str:
    """Whether less passes than before, or more. A limit that was added to a threshold is tighter."""
    if before is None or after is None:
        return REMOVED if after is None else NEW
    looser, tighter = any(loosenings(before, after)), any(loosenings(after, before))
    if looser and tighter:
        return BOTH
    return LOOSER if looser else TIGHTER


def threshold_words(threshold: Threshold | None, other: Threshold | None = None) -> str:
    """`max 0.2, per part_of_week`; with `other` only the keys in which they differ. '' where there is none."""
    if threshold is None:
        return ""
    words = []
    for field in fields(threshold):
        value = getattr(threshold, field.name)
        if field.name == "metric" or value == (getattr(other, field.name) if other else field.default):
            continue
        words.append(_key_words(field.name, value))
    return ", ".join(words) or "no limit"


def _key_words(key: str, value: object) -> str:
    match key, value:
        case "slices", tuple():
            return f"per {', '.join(value)}" if value else "not per slice"
        case "max_worsening", _ if value is not None:
            return f"max_worsening {_amount(value)}"  # type: ignore[arg-type]
        case _, None:
            return f"no {key}"
        case _, int() | float():
            return f"{key} {value:g}"
        case _:
            return f"{key} {value}"


def _amount(worsening: Worsening) -> str:
    return f"{worsening.value * 100:g}%" if worsening.relative else f"{worsening.value:g}"


def running_versions(model: Model, observed: Observed, gates: Gates) -> dict[int, tuple[Environment, ...]]:
    """The versions that are released somewhere on the model's route, and where."""
    found: dict[int, tuple[Environment, ...]] = {}
    for environment in gates.route.of(model):
        release = observed.releases.get((environment.name, model.name))
        if release is None and model.previously:
            release = observed.releases.get((environment.name, model.previously))
        if release is not None and not release.withdrawn:
            found[release.version] = (*found.get(release.version, ()), environment)
    return found


def _readings(
    model: Model, before: Threshold | None, after: Threshold, observed: Observed, gates: Gates
) -> Iterator[Reading]:
    versions = facts_of(model, observed).versions
    for number, released in sorted(running_versions(model, observed, gates).items()):
        names = tuple(item.name for item in released)
        guards = [name for item in released for name in (judge.name for judge in gates.route.judges(model, item))]
        if not guards:
            continue  # nothing that this threshold would be held against runs there
        if number not in versions:
            note = "the registry has no such version"
            yield Reading(version=number, environments=names, limit=threshold_words(after), passed=None, note=note)
            continue
        for held in _held(versions[number], after, before, dict.fromkeys(guards)):
            yield replace(held, environments=names)


class _Recorded(Struct, frozen=True, kw_only=True):
    """A measurement of one group of rows, and where it was recorded."""

    slice: str | None
    measured: Measurement | None
    source: str
    note: str = ""


def _held(version: Version, after: Threshold, before: Threshold | None, judges: Iterable[str]) -> Iterator[Reading]:
    """The version's measurements held against each limit that may decide otherwise than before."""
    number = version.record.number
    for recorded in _recorded(version, after, judges):
        for limit, upper in _limits(after, before, recorded):
            reading = Reading(
                version=number,
                environments=(),
                limit=limit_words(after, limit, upper=upper),
                passed=None,
                slice=recorded.slice,
                measured=recorded.measured,
                source=recorded.source,
                note=recorded.note,
            )
            if recorded.measured is None:
                yield reading
                continue
            old = before if before is not None and _covers(before, recorded.slice) else None
            old_limit = getattr(old, "max" if upper else "min", None)
            failed = (
                old is not None
                and old_limit is not None
                and _judged(reading, old, old_limit, upper=upper).passed is False
            )
            yield replace(_judged(reading, after, limit, upper=upper), already=failed)
    if after.max_worsening is not None and (before is None or before.max_worsening != after.max_worsening):
        words = f"{metric_name(after)} worsens by at most {_amount(after.max_worsening)}"
        note = "compared with the champion while a promotion is pending; nothing recorded can say it"
        yield Reading(version=number, environments=(), limit=words, passed=None, note=note)


def _limits(after: Threshold, before: Threshold | None, recorded: _Recorded) -> Iterator[tuple[float, bool]]:
    """The limits that are not what they were, or that are judged otherwise."""
    how = ("judge", "confidence", "min_rows")
    same_way = before is not None and all(getattr(before, key) == getattr(after, key) for key in how)
    old_group = before is not None and _covers(before, recorded.slice)
    for name, upper in (("max", True), ("min", False)):
        limit = getattr(after, name)
        if limit is not None and not (same_way and old_group and getattr(before, name) == limit):
            yield limit, upper


def _covers(threshold: Threshold, label: str | None) -> bool:
    """Whether the threshold is judged on that slice (None: on all rows)."""
    return label is None or label.partition("=")[0] in threshold.slices


def _recorded(version: Version, threshold: Threshold, judges: Iterable[str]) -> Iterator[_Recorded]:
    """What verdicts measured, the nearest environment's first; else what training recorded of the held-out rows."""
    metric = metric_name(threshold)
    wanted: dict[str | None, _Recorded] = {}
    for environment in judges:
        verdict = version.verdicts.get(environment)
        for check in verdict.checks if verdict else ():
            if check.name == metric and check.measured is not None and check.slice not in wanted:
                wanted[check.slice] = _Recorded(
                    slice=check.slice, measured=check.measured, source=f"its verdict in {environment}"
                )
    if None not in wanted:
        own = {name: item for name, item in version.record.metrics.items() if name == metric}
        missing = "this metric was not recorded: the next check in its environment measures it"
        wanted[None] = _Recorded(
            slice=None, measured=own.get(metric), source="its training" if own else "", note="" if own else missing
        )
    yield wanted[None]
    for column in threshold.slices:
        groups = [item for label, item in sorted(wanted.items(), key=lambda pair: pair[0] or "") if _of(column, label)]
        yield from groups
        if not groups:
            yield _Recorded(slice=column, measured=None, source="", note=f"it was not recorded per {column}")


def _of(column: str, label: str | None) -> bool:
    return label is not None and label.startswith(f"{column}=")


def _judged(reading: Reading, threshold: Threshold, limit: float, *, upper: bool) -> Reading:
    measured = reading.measured
    if measured is None:
        return reading
    if measured.n < threshold.min_rows:
        note = f"{measured.n:,} rows, at least {threshold.min_rows:,} are needed to judge"
        return replace(reading, passed=False, note=note)
    if measured.value is None:
        return replace(reading, passed=False, note=f"it could not be computed: {measured.problem or 'no value'}")
    if threshold.judge == "bound" and measured.confidence != threshold.confidence:
        note = f"recorded at {measured.confidence:.4g} confidence, asked is {threshold.confidence:.4g}"
        return replace(reading, passed=None, note=note)
    value = judged_value(threshold, measured, upper=upper)
    if value is None:
        return replace(reading, passed=False, note="its interval could not be computed, so its bound is not proven")
    return replace(reading, passed=value <= limit if upper else value >= limit)
