"""Declarations as plain values -> the structs of `model.declared`.

Total on everything that `conform` lets through, and on what is left when non-conforming parts were cut out: whatever
is absent or null has its default.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from stellwerk.declarations.decode_environment import decode_checks, decode_environments, seconds
from stellwerk.declarations.decode_workflows import decode_workflows
from stellwerk.declarations.moments import parse_duration
from stellwerk.declarations.values import as_list, as_map, flag, number, opt_number, opt_text, texts, whole
from stellwerk.model.declared import (
    Column,
    Command,
    Dataset,
    Features,
    Holdout,
    Json,
    Limits,
    Member,
    Model,
    Owners,
    Packages,
    Project,
    Records,
    Retention,
    Retrain,
    Source,
    Team,
    Threshold,
    Train,
    Worsening,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_TRAIN = Train(data="")
_THRESHOLD = Threshold(metric="")
_ROLES = ("accountable", "develops", "operates", "monitors", "retrains")


def decode_project(value: Mapping[str, Json], environments: Mapping[str, Json]) -> Project:
    """The project of merged declarations, models already laid over `defaults`; tuples sorted by name."""
    owners = _owners(value.get("owners"), Owners())
    classifications = texts(value.get("classifications"))
    limits = as_map(value.get("limits"))
    return Project(
        name=opt_text(value.get("project")),
        requires=opt_text(value.get("requires")),
        owners=owners,
        classifications=classifications,
        teams=tuple(_team(name, as_map(part)) for name, part in _sorted(value.get("teams"))),
        datasets=tuple(_dataset(name, as_map(part)) for name, part in _sorted(value.get("datasets"))),
        models=tuple(_model(name, as_map(part), owners) for name, part in _sorted(value.get("models"))),
        environments=decode_environments(environments, classifications),
        limits=Limits(
            trainings=whole(limits.get("trainings"), Limits().trainings),
            min_group=whole(limits.get("min_group"), Limits().min_group),
            retention=_retention(as_map(limits.get("retention"))),
        ),
        records=_records(as_map(value.get("records"))),
        packages=Packages(image=opt_text(as_map(value.get("packages")).get("image"))),
        workflows=decode_workflows(value.get("workflows")),
    )


def _records(value: Mapping[str, Json]) -> Records:
    return Records(
        ref=opt_text(value.get("ref")), pull_request=flag(value.get("pull_request"), default=Records().pull_request)
    )


def _retention(value: Mapping[str, Json]) -> Retention:
    periods = {
        key: seconds(value[key], -1) for key in ("releases", "versions", "snapshots") if value.get(key) is not None
    }
    return Retention(**{key: period for key, period in periods.items() if period >= 0})


def _sorted(value: Json) -> list[tuple[str, Json]]:
    return sorted(as_map(value).items())


def _owners(value: Json, fallback: Owners) -> Owners:
    said = as_map(value)
    if not said:
        return fallback
    return Owners(**{role: opt_text(said.get(role)) or getattr(fallback, role) for role in _ROLES})


def _team(name: str, value: Mapping[str, Json]) -> Team:
    people = value.get("members")
    members: list[Member] = []
    if isinstance(people, dict):
        members = [_member(person, as_map(said)) for person, said in people.items()]
    for item in as_list(people):
        if isinstance(item, str):
            members.append(Member(name=item))
        elif isinstance(item, dict) and isinstance(item.get("name"), str):
            members.append(_member(str(item["name"]), item))
    return Team(
        name=name,
        members=tuple(sorted(members, key=lambda member: member.name)),
        github=opt_text(value.get("github")),
        contact=opt_text(value.get("contact")),
    )


def _member(name: str, value: Mapping[str, Json]) -> Member:
    return Member(name=name, email=opt_text(value.get("email")), github=opt_text(value.get("github")))


def _dataset(name: str, value: Mapping[str, Json]) -> Dataset:
    return Dataset(
        name=name,
        path=opt_text(value.get("path")) or "",
        format=opt_text(value.get("format")) or "csv",
        owner=opt_text(value.get("owner")),
        classification=opt_text(value.get("classification")),
        stand_in=opt_text(value.get("stand_in")),
        key=texts(value.get("key")),
        time=opt_text(value.get("time")),
        source=_source(value.get("source")),
        description=opt_text(value.get("description")),
        columns=tuple(_column(column, said) for column, said in _sorted(value.get("columns"))),
        personal=texts(value.get("personal")),
    )


def _source(value: Json) -> Source | None:
    if isinstance(value, str):
        return Source(url=value) if _SCHEME.match(value) else Source(file=value)
    said = as_map(value)
    file, command, url = (opt_text(said.get(key)) for key in ("file", "command", "url"))
    if file is None and command is None and url is None:
        return None
    return Source(file=file, command=command, url=url)


def _column(name: str, value: Json) -> Column:
    if isinstance(value, str):
        return Column(name=name, type=value)
    said = as_map(value)
    allowed = said.get("allowed")
    return Column(
        name=name,
        type=opt_text(said.get("type")),
        min=_bound(said.get("min")),
        max=_bound(said.get("max")),
        allowed=tuple(item for item in allowed if item is not None) if isinstance(allowed, list) else None,
        unique=flag(said.get("unique"), default=False),
        missing=opt_number(said.get("missing")),
        pattern=opt_text(said.get("pattern")),
        description=opt_text(said.get("description")),
    )


def _bound(value: Json) -> float | str | None:
    return value if isinstance(value, str) else opt_number(value)


def _model(name: str, value: Mapping[str, Json], owners: Owners) -> Model:
    train = as_map(value.get("train"))
    features = as_map(value.get("features"))
    environments = value.get("environments")
    return Model(
        name=name,
        train=_train(train) if opt_text(train.get("data")) is not None else None,
        retrain=_retrain(as_map(value.get("retrain"))),
        source=opt_text(value.get("source")),
        command=_command(value.get("command")),
        inputs=texts(value.get("inputs")),
        requirements=opt_text(value.get("requirements")),
        task=opt_text(value.get("task")),
        target=opt_text(value.get("target")),
        positive=value.get("positive"),
        features=Features(include=texts(features.get("include")), exclude=texts(features.get("exclude"))),
        risk=opt_text(value.get("risk")),
        trains_in=opt_text(value.get("trains_in")),
        thresholds=tuple(
            _threshold(metric, as_map(said)) for metric, said in _sorted(value.get("thresholds")) if said is not None
        ),
        environments=texts(environments) if isinstance(environments, list) else None,
        checks=decode_checks(value.get("checks")),
        owners=_owners(value.get("owners"), owners),
        previously=opt_text(value.get("previously")),
        description=opt_text(value.get("description")),
        fallback=opt_text(value.get("fallback")),
        format=opt_text(value.get("format")),
        tolerance=opt_number(as_map(value.get("equivalence")).get("tolerance")),
    )


def _train(value: Mapping[str, Json]) -> Train:
    return Train(
        data=opt_text(value.get("data")) or "",
        params=_without_nulls(as_map(value.get("params"))),
        seed=whole(value.get("seed"), _TRAIN.seed),
        timeout=seconds(value.get("timeout"), _TRAIN.timeout),
        holdout=_holdout(value.get("holdout")),
    )


def _retrain(value: Mapping[str, Json]) -> Retrain:
    return Retrain(schedule=opt_text(value.get("schedule")), on=texts(value.get("on")))


def _without_nulls(value: Mapping[str, Json]) -> dict[str, Json]:
    return {
        key: _without_nulls(child) if isinstance(child, dict) else child
        for key, child in value.items()
        if child is not None
    }


def _holdout(value: Json) -> Holdout:
    said = as_map(value)
    by = texts(said.get("by"))
    last = said.get("last")
    if isinstance(last, str):
        return Holdout(fraction=None, last_seconds=parse_duration(last), by=by)
    if last is not None:
        return Holdout(fraction=None, last_share=opt_number(last), by=by)
    return Holdout(fraction=number(said.get("fraction"), 0.2), by=by)


def _command(value: Json) -> Command | None:
    if isinstance(value, str):
        return Command(train=value, predict=value)
    said = as_map(value)
    train, predict = opt_text(said.get("train")), opt_text(said.get("predict"))
    return Command(train=train, predict=predict) if train and predict else None


def _threshold(metric: str, value: Mapping[str, Json]) -> Threshold:
    return Threshold(
        metric=metric,
        max=opt_number(value.get("max")),
        min=opt_number(value.get("min")),
        max_worsening=_worsening(value.get("max_worsening")),
        min_rows=whole(value.get("min_rows"), _THRESHOLD.min_rows),
        confidence=number(value.get("confidence"), _THRESHOLD.confidence),
        judge=opt_text(value.get("judge")) or _THRESHOLD.judge,
        slices=texts(value.get("slices")),
    )


def _worsening(value: Json) -> Worsening | None:
    if isinstance(value, str):
        return Worsening(value=round(float(value.rstrip("% ")) / 100, 12), relative=True)
    share = opt_number(value)
    return Worsening(value=share) if share is not None else None
