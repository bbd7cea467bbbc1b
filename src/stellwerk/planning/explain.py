"""The same gates the plan acts on, as answers: `why` for one model, `status` for all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stellwerk.model.actions import Plan, Wait, WaitKind
from stellwerk.model.views import Condition, Explanation, Health, Status, StatusRow
from stellwerk.planning.candidate import Candidate, find_candidate
from stellwerk.planning.gates import Case, Gates
from stellwerk.planning.policy import current

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stellwerk.model.declared import Environment, Model, Project
    from stellwerk.model.observed import Observed, Version
    from stellwerk.model.records import Release

PASSING = frozenset({WaitKind.APPROVAL, WaitKind.PULL_REQUEST, WaitKind.MANUAL, WaitKind.SOAK})


def explain(model: Model, environment: Environment, observed: Observed, gates: Gates, plan: Plan) -> Explanation:
    """Every condition of the model's way into the environment, met or not, in the order they are asked."""
    release = observed.releases.get((environment.name, model.name))
    if model.train is None:
        missing = Condition(text="it declares how it is trained", met=False, unblock="add `train: {data: DATASET}`")
        return Explanation(
            model=model.name,
            environment=environment.name,
            version=None,
            released=release.version if release else None,
            conditions=(missing,),
        )
    candidate = find_candidate(model, observed)
    case = _case(candidate, environment, release)
    conditions = [_born(candidate, plan)]
    conditions.extend(
        Condition(text=gate.text, met=gate.met, unblock="" if gate.met else gate.unblock)
        for gate in (gates.to_promote(case) if gates.route.released_in(environment) else gates.checked(case))
    )
    if gates.route.released_in(environment):
        conditions.append(_released(case, environment))
    named = [step for step in plan.steps if getattr(step.action, "environment", environment.name) == environment.name]
    return Explanation(
        model=model.name,
        environment=environment.name,
        version=candidate.number,
        released=release.version if release else None,
        conditions=tuple(conditions),
        verdict=gates.verdict(candidate.version, environment),
        next_steps=tuple(named),
    )


def _case(candidate: Candidate, environment: Environment, release: Release | None) -> Case:
    return Case(
        model=candidate.model,
        environment=environment,
        version=candidate.version,
        facts=candidate.facts,
        release=release,
        trigger=candidate.trigger,
    )


def _born(candidate: Candidate, plan: Plan) -> Condition:
    if candidate.version:
        return Condition(text=f"v{candidate.number} was trained from what is declared now", met=True)
    for wait in plan.waits:
        if wait.model == candidate.model.name and wait.kind in (WaitKind.TRAINING, WaitKind.DATA):
            return Condition(text=wait.reason, met=False, unblock=wait.unblock)
    for wait in plan.waits:
        if wait.kind is WaitKind.CONFIRMATION:
            return Condition(text=wait.reason, met=False, unblock=wait.unblock)
    return Condition(
        text=f"a version of what is declared now ({candidate.reason})",
        met=False,
        unblock="stellwerk reconcile trains it",
    )


def _released(case: Case, environment: Environment) -> Condition:
    release, number = case.release, case.number
    text = f"v{number} is released in {environment.name}" if number else f"it is released in {environment.name}"
    met = release is not None and release.version == number and not release.withdrawn
    if met and environment.deploy and number is not None:
        deployment = case.facts.deployments.get(environment.name)
        met = deployment is not None and deployment.version == number
        text = f"v{number} runs in {environment.name}"
    unblock = "" if met else "stellwerk reconcile, once everything above is met"
    return Condition(text=text, met=met, unblock=unblock)


def status(
    project: Project, observed: Observed, gates: Gates, plan: Plan, seen: Mapping[tuple[str, str], str]
) -> Status:
    """Models × environments: what is released, how it is, what waits.

    `seen` is what targets said, by (environment, model).
    """
    rows: list[StatusRow] = []
    models: list[tuple[str, int | None, str]] = []
    waits: dict[tuple[str | None, str | None], list[Wait]] = {}
    for wait in plan.waits:
        waits.setdefault((wait.model, wait.environment), []).append(wait)
    planned = {step.key for step in plan.steps}
    for model in project.models:
        if model.train is None:
            models.append((model.name, None, "declares no training"))
            continue
        candidate = find_candidate(model, observed)
        models.append((model.name, candidate.number, _model_note(candidate, waits)))
        for environment in gates.route.of(model):
            release = observed.releases.get((environment.name, model.name))
            here = waits.get((model.name, environment.name), [])
            rows.append(
                StatusRow(
                    model=model.name,
                    environment=environment.name,
                    version=release.version if release and not release.withdrawn else None,
                    candidate=candidate.number,
                    health=_health(candidate, environment, release, gates),
                    waits=tuple(wait.reason for wait in here) + _planned_words(planned, model.name, environment.name),
                    live=seen.get((environment.name, model.name)),
                )
            )
    return Status(
        basis=observed.basis,
        environments=tuple(environment.name for environment in project.environments),
        rows=tuple(rows),
        models=tuple(models),
        datasets=tuple(
            (dataset.name, observed.pointers[dataset.name].md5 if dataset.name in observed.pointers else None)
            for dataset in project.datasets
        ),
    )


def _model_note(candidate: Candidate, waits: Mapping[tuple[str | None, str | None], list[Wait]]) -> str:
    own = waits.get((candidate.model.name, None), [])
    if own:
        return own[0].reason
    if candidate.version is None:
        return f"to be trained: {candidate.reason}"
    return "current"


def _planned_words(planned: set[str], model: str, environment: str) -> tuple[str, ...]:
    words = {"check": "to be checked", "promote": "to be promoted", "deploy": "to be deployed"}
    return tuple(text for kind, text in words.items() if f"{kind}:{model}:{environment}" in planned)


def _health(candidate: Candidate, environment: Environment, release: Release | None, gates: Gates) -> Health:
    if release is None:
        return _candidate_health(candidate, environment, gates)
    if release.withdrawn:
        return Health.WITHDRAWN
    version = candidate.facts.versions.get(release.version)
    case = _case(candidate, environment, release)
    if version is not None and _violated(version, case, environment, gates):
        return Health.VIOLATED
    if environment.deploy:
        deployment = candidate.facts.deployments.get(environment.name)
        if deployment is None or deployment.version != release.version:
            return Health.PENDING
    return Health.HELD if gates.holds(release) else Health.HEALTHY


def _violated(version: Version, case: Case, environment: Environment, gates: Gates) -> bool:
    for judge in gates.route.judges(case.model, environment):
        verdict = version.verdicts.get(judge.name)
        fresh = current(verdict, version.record, gates.policy(case, judge))
        if verdict is not None and fresh and not verdict.passed:
            return True
    return False


def _candidate_health(candidate: Candidate, environment: Environment, gates: Gates) -> Health:
    """Without a release: how the candidate stands with the checks made here."""
    verdict = gates.verdict(candidate.version, environment)
    case = _case(candidate, environment, None)
    if verdict is None or candidate.version is None or not gates.verdict_current(case, environment):
        return Health.NONE
    return Health.CHECKED if verdict.passed else Health.FAILED
