"""Releases that a change proposes: the version against the champion it replaces, and who agreed. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct, field

from stellwerk.model.actions import WaitKind
from stellwerk.model.views import Condition
from stellwerk.planning.candidate import facts_of
from stellwerk.planning.gates import Case

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from stellwerk.model.declared import Environment, Json, Model, Project
    from stellwerk.model.observed import Observed, Version
    from stellwerk.model.records import CheckResult, Measurement, Release, Verdict
    from stellwerk.planning.gates import Gates

PEOPLE = frozenset({WaitKind.APPROVAL, WaitKind.REJECTED})


class Comparison(Struct, frozen=True, kw_only=True):
    """One judgement of a verdict. `same_rows`: champion and candidate were measured on the same rows.

    Otherwise `champion` is what its own verdict recorded on rows of its own, and no difference may be taken.
    """

    metric: str
    slice: str | None
    limit: str
    passed: bool
    candidate: Measurement | None = None
    champion: Measurement | None = None
    same_rows: bool = False
    detail: str = ""


class ReleaseChange(Struct, frozen=True, kw_only=True):
    """A release file that was added, changed or removed.

    `judged_in`, `rows`, `excluded`, `champion` and `difference` are the verdict's; '' where no verdict is recorded.
    `approvals` are the conditions that people meet, `conditions` all others.
    """

    environment: str
    model: str
    before: Release | None
    after: Release | None
    judged_in: str = ""
    champion: int | None = None
    rows: int | None = None
    excluded: int = 0
    comparisons: tuple[Comparison, ...] = ()
    difference: Mapping[str, Json] = field(default_factory=dict)
    approvals: tuple[Condition, ...] = ()
    conditions: tuple[Condition, ...] = ()
    note: str = ""


def release_changes(
    before: Observed | None, project: Project, observed: Observed, gates: Gates
) -> Iterator[ReleaseChange]:
    """Every release that is not what it was at the base, by environment and model."""
    olds = before.releases if before else {}
    models = {model.name: model for model in project.models}
    environments = {environment.name: environment for environment in project.environments}
    for key in sorted(olds.keys() | observed.releases.keys()):
        one, two = olds.get(key), observed.releases.get(key)
        if one == two:
            continue
        change = ReleaseChange(environment=key[0], model=key[1], before=one, after=two)
        model, environment = models.get(key[1]), environments.get(key[0])
        if two is None or model is None or environment is None:
            yield change
        else:
            yield _judged(change, model, environment, observed, gates)


def _judged(
    change: ReleaseChange, model: Model, environment: Environment, observed: Observed, gates: Gates
) -> ReleaseChange:
    release = change.after
    facts = facts_of(model, observed)
    if release is None or release.version not in facts.versions:
        number = release.version if release else "?"
        return ReleaseChange(
            environment=change.environment,
            model=change.model,
            before=change.before,
            after=release,
            note=f"the registry has no version {number}: merging this releases nothing",
        )
    version = facts.versions[release.version]
    case = Case(
        model=model,
        environment=environment,
        version=version,
        facts=facts,
        release=release,
        trigger=version.record.trigger,
    )
    asked = tuple(gates.to_deploy(case))
    told = [
        (gate.kind in PEOPLE, Condition(text=gate.text, met=gate.met, unblock="" if gate.met else gate.unblock))
        for gate in asked
    ]
    judges = [item.name for item in gates.route.judges(model, environment)]
    verdict = next((version.verdicts[name] for name in judges if name in version.verdicts), None)
    champion = change.before.version if change.before and not change.before.withdrawn else None
    return ReleaseChange(
        environment=change.environment,
        model=change.model,
        before=change.before,
        after=release,
        judged_in=verdict.environment if verdict else "",
        champion=verdict.champion if verdict else None,
        rows=verdict.rows if verdict else None,
        excluded=verdict.excluded if verdict else 0,
        comparisons=tuple(_comparisons(verdict, facts.versions.get(champion or 0), judges)) if verdict else (),
        difference=verdict.difference or {} if verdict else {},
        approvals=tuple(condition for people, condition in told if people),
        conditions=tuple(condition for people, condition in told if not people),
        note="" if verdict else "no verdict of this version is recorded",
    )


def _comparisons(verdict: Verdict, champion: Version | None, judges: list[str]) -> Iterator[Comparison]:
    """Every measured check; what no verdict compared stands beside the champion's own record."""
    compared = {(check.name, check.slice): check.champion for check in verdict.checks if check.champion}
    for check in verdict.checks:
        if check.measured is None:
            continue
        there, same = compared.get((check.name, check.slice)), True
        if there is None:
            there, same = _own(champion, judges, verdict, check)
        yield Comparison(
            metric=check.name,
            slice=check.slice,
            limit=check.limit or "",
            passed=check.passed,
            candidate=check.measured,
            champion=there,
            same_rows=same,
            detail=check.detail,
        )


def _own(
    champion: Version | None, judges: list[str], compared: Verdict, check: CheckResult
) -> tuple[Measurement | None, bool]:
    """What the champion's own verdict measured, and whether on the very rows of the verdict compared with."""
    for name in judges:
        verdict = champion.verdicts.get(name) if champion else None
        for own in verdict.checks if verdict else ():
            if verdict and own.measured is not None and (own.name, own.slice) == (check.name, check.slice):
                same = verdict.evaluation == compared.evaluation and not verdict.excluded and not compared.excluded
                return own.measured, same
    return None, False
