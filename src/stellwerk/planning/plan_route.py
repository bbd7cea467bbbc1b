"""The steps of one model along its route: train, check, promote, deploy; and what waits."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from stellwerk.model.actions import Check, Deploy, Promote, Step, Train, Wait, WaitKind
from stellwerk.planning.gates import Case, Gate, Gates
from stellwerk.planning.policy import current

if TYPE_CHECKING:
    from stellwerk.model.declared import DeployTarget, Environment
    from stellwerk.model.observed import Version
    from stellwerk.model.records import Release
    from stellwerk.planning.candidate import Candidate


@dataclass(slots=True)
class RoutePlan:
    """What is being put together for one model. `pending` are the steps that must pass before the next."""

    steps: list[Step] = field(default_factory=list)
    waits: list[Wait] = field(default_factory=list)
    pending: tuple[str, ...] = ()
    blocked: bool = False


def plan_route(candidate: Candidate, gates: Gates, *, snapshot: bool, retry: bool) -> RoutePlan:
    """Everything to do for one model. `snapshot`: the plan takes the first snapshot of its data before."""
    plan = RoutePlan(pending=(f"snapshot:{candidate.model.train.data}",) if snapshot and candidate.model.train else ())
    _plan_training(candidate, plan, retry=retry)
    for environment in gates.route.of(candidate.model):
        _plan_environment(candidate, environment, gates, plan)
    return plan


def _plan_training(candidate: Candidate, plan: RoutePlan, *, retry: bool) -> None:
    model = candidate.model
    if candidate.version:
        return
    if candidate.missing:
        named = ", ".join(candidate.missing[:3])
        plan.blocked = True
        plan.waits.append(
            Wait(
                kind=WaitKind.DATA,
                model=model.name,
                reason=f"{named} is not there",
                unblock="add it, or correct the path",
            )
        )
    elif candidate.failure and not retry:
        plan.blocked = True
        reason = f"training failed before: {candidate.failure.summary}"
        unblock = f"change code, data or parameters, or try again: stellwerk reconcile --model {model.name} --retry"
        plan.waits.append(Wait(kind=WaitKind.TRAINING, model=model.name, reason=reason, unblock=unblock))
    else:
        seconds = candidate.parent.record.duration if candidate.parent else None
        action = Train(model=model.name, fingerprint=candidate.fingerprint)
        _add(plan, f"train:{model.name}", action, candidate.reason, seconds=seconds)
        plan.pending = (*plan.pending, f"train:{model.name}")


def _plan_environment(candidate: Candidate, environment: Environment, gates: Gates, plan: RoutePlan) -> None:
    model = candidate.model
    release = gates.release(environment.name, model.name)
    if release is None and model.previously:
        release = gates.release(environment.name, model.previously)
    case = Case(
        model=model,
        environment=environment,
        version=candidate.version,
        facts=candidate.facts,
        release=release,
        trigger=candidate.trigger,
    )
    if not plan.blocked:
        _plan_check(case, gates, plan)
    promoted = False
    if gates.route.released_in(environment):
        if release is not None:
            _revalidate(case, release, gates, plan)
        wanted = release is not None and release.version == case.number and not release.withdrawn
        if not wanted and not plan.blocked:
            promoted = _plan_promotion(case, gates, plan)
        if not promoted and release is not None:
            _plan_deployment(case, release, gates, plan)


def _plan_check(case: Case, gates: Gates, plan: RoutePlan) -> None:
    environment, policy = case.environment, gates.policy(case, case.environment)
    if policy.empty or (policy.source and case.version is None):
        return  # nothing asked, or part of the training
    verdict = gates.verdict(case.version, environment)
    if case.version is None or not gates.verdict_current(case, environment):
        champion = gates.champion(case, environment) if policy.measures else None
        reason = "not checked there yet"
        if verdict is not None and case.version is not None:
            same = current(verdict, case.version.record, policy)
            reason = f"the champion is v{champion} now" if same else "its checks or thresholds changed"
        elif champion is not None:
            reason = f"against champion v{champion}"
        key = f"check:{case.model.name}:{environment.name}"
        action = Check(model=case.model.name, environment=environment.name, version=case.number, champion=champion)
        _add(plan, key, action, reason)
        plan.pending = (*plan.pending, key)
    elif verdict is not None and not verdict.passed:
        gate = next(gate for gate in gates.checked(case) if not gate.met and not gate.step)
        plan.blocked = True
        plan.waits.append(_wait(case, gate))


def _plan_promotion(case: Case, gates: Gates, plan: RoutePlan) -> bool:
    name, environment = case.model.name, case.environment
    unmet = [gate for gate in gates.to_promote(case) if not gate.met and not gate.step]
    if unmet:
        plan.blocked = True
        plan.waits.extend(_wait(case, gate) for gate in unmet)
        return False
    previous = case.release.version if case.release else None
    mode = gates.mode(case)
    key = f"promote:{name}:{environment.name}"
    action = Promote(model=name, environment=environment.name, version=case.number, previous=previous, mode=mode)
    if mode == "pull-request":
        plan.blocked = True
        proposed = gates.observed.branches.get((environment.name, name))
        if proposed is not None and case.number is not None and proposed.version == case.number:
            text = f"the promotion of v{case.number} is proposed as a pull request"
            unblock = f"merge the branch {promotion_branch(environment.name, name)}"
            plan.waits.append(_wait(case, Gate(kind=WaitKind.PULL_REQUEST, met=False, text=text, unblock=unblock)))
            return False
        _add(plan, key, action, "proposes the release as a pull request")
        return False
    _add(plan, key, action, "every gate is open" if not plan.pending else "its other gates are open")
    plan.pending = (*plan.pending, key)
    if environment.deploy:
        deployment = case.facts.deployments.get(environment.name)
        deploy = Deploy(
            model=name,
            environment=environment.name,
            version=case.number,
            previous=deployment.version if deployment else None,
        )
        _add(plan, f"deploy:{name}:{environment.name}", deploy, target_words(environment.deploy))
        plan.pending = (*plan.pending, f"deploy:{name}:{environment.name}")
    return True


def target_words(deploy: DeployTarget) -> str:
    """Where a release goes: `into deployed/production`, or `by its command`."""
    return f"into {deploy.path}" if deploy.path else "by its command"


def _plan_deployment(case: Case, release: Release, gates: Gates, plan: RoutePlan) -> None:
    """Make the target run what the release says, if every gate allows it, however the file got there."""
    name, environment = case.model.name, case.environment
    deployment = case.facts.deployments.get(environment.name)
    running = deployment.version if deployment else None
    key = f"deploy:{name}:{environment.name}"
    if release.withdrawn:
        if environment.deploy and (deployment is None or deployment.version is not None):
            action = Deploy(model=name, environment=environment.name, version=None, previous=running, withdraw=True)
            plan.steps.append(Step(action=action, reason=f"withdrawn: {release.withdrawn.because}", key=key))
        return
    version = case.facts.versions.get(release.version)
    released = Case(
        model=case.model,
        environment=environment,
        version=version,
        facts=case.facts,
        release=release,
        trigger=version.record.trigger if version else "change",
    )
    same = version is not None and deployment is not None and deployment.package == version.record.package.sha256
    if environment.deploy and running == release.version and same and deployment and deployment.model == name:
        return
    unmet = [gate for gate in gates.to_deploy(released) if not gate.met]
    closed = [gate for gate in unmet if not gate.step]
    candidate = release.version == case.number
    needs = plan.pending if unmet and candidate else ()
    if closed or (unmet and not needs):
        if environment.deploy or version is None:
            plan.waits.extend(_wait(released, gate, kind=WaitKind.RELEASE) for gate in closed or unmet)
            plan.blocked = plan.blocked or candidate
        return
    if environment.deploy:
        reason = f"the release says v{release.version}" + (f", v{running} runs" if running else ", nothing runs yet")
        action = Deploy(model=name, environment=environment.name, version=release.version, previous=running)
        plan.steps.append(Step(action=action, reason=reason, key=key, needs=needs, condition=condition_words(needs)))
        if candidate:  # what comes after goes on only from where it runs
            plan.pending = (*plan.pending, key)


def _revalidate(case: Case, release: Release, gates: Gates, plan: RoutePlan) -> None:
    """Judge again what runs here when the thresholds changed, and take it down where that is declared."""
    version = case.facts.versions.get(release.version)
    if version is None or release.withdrawn:
        return
    released = Case(
        model=case.model,
        environment=case.environment,
        version=version,
        facts=case.facts,
        release=release,
        trigger=version.record.trigger,
    )
    violated = []
    for judge in gates.route.judges(case.model, case.environment):
        verdict = version.verdicts.get(judge.name)
        if verdict is None:
            continue  # the deployment's own gate says so
        if not current(verdict, version.record, gates.policy(released, judge)):
            reason = f"v{release.version} is released in {case.environment.name} and its thresholds changed"
            _judge_again(case, judge, release.version, reason, plan)
        elif not verdict.passed and not release.rollback:
            violated.append(judge)
    if violated and not _roll_back(released, violated, gates, plan):
        for judge in violated:
            _say_violated(released, judge, plan)


def _judge_again(case: Case, judge: Environment, number: int, reason: str, plan: RoutePlan) -> str:
    """The key of a check of that version, which is planned unless it is already."""
    key = f"check:{case.model.name}:{judge.name}"
    key = key if number == case.number else f"{key}@{number}"
    if all(step.key != key for step in plan.steps):
        action = Check(model=case.model.name, environment=judge.name, version=number)
        plan.steps.append(Step(action=action, reason=reason, key=key))
    return key


def _roll_back(case: Case, violated: list[Environment], gates: Gates, plan: RoutePlan) -> bool:
    """Go back to the newest earlier version that no judge refuses, where that is declared and nothing is held."""
    environment, number, release = case.environment, case.number, case.release
    if environment.on_violation != "rollback" or number is None or release is None or gates.holds(release):
        return False
    for earlier in sorted((item for item in case.facts.versions if item < number), reverse=True):
        stale = _stale_judges(case, case.facts.versions[earlier], gates)
        if stale is None:
            continue
        needs = tuple(
            _judge_again(case, judge, earlier, f"v{number} must be rolled back; is v{earlier} good?", plan)
            for judge in stale
        )
        named = " and ".join(judge.name for judge in violated)
        action = Promote(
            model=case.model.name, environment=environment.name, version=earlier, previous=number, back=True
        )
        key = f"promote:{case.model.name}:{environment.name}"
        reason = f"v{number} violates its thresholds in {named} (on_violation: rollback)"
        plan.steps.append(Step(action=action, reason=reason, key=key, needs=needs, condition=condition_words(needs)))
        if environment.deploy:
            deploy = Deploy(model=case.model.name, environment=environment.name, version=earlier, previous=number)
            needs = (*needs, key)
            plan.steps.append(
                Step(
                    action=deploy,
                    reason=target_words(environment.deploy),
                    key=f"deploy:{case.model.name}:{environment.name}",
                    needs=needs,
                    condition=condition_words(needs),
                )
            )
        plan.blocked = True
        return True
    return False


def _stale_judges(case: Case, version: Version, gates: Gates) -> list[Environment] | None:
    """The judges that must look at the version again; None where one refuses it, or never saw it."""
    stale = []
    for judge in gates.route.judges(case.model, case.environment):
        verdict = version.verdicts.get(judge.name)
        if verdict is None:
            return None
        if not current(verdict, version.record, gates.policy(case, judge)):
            stale.append(judge)
        elif not verdict.passed:
            return None
    return stale


def _say_violated(case: Case, judge: Environment, plan: RoutePlan) -> None:
    if any(
        (wait.kind, wait.version, wait.environment) == (WaitKind.VERDICT, case.number, judge.name)
        for wait in plan.waits
    ):
        return  # said of the candidate already
    verdict = case.version.verdicts[judge.name] if case.version else None
    words = ", ".join(check.name for check in verdict.checks if not check.passed) if verdict else ""
    plan.waits.append(
        Wait(
            kind=WaitKind.VERDICT,
            model=case.model.name,
            environment=case.environment.name,
            version=case.number,
            reason=f"v{case.number} runs here and violates {words} in {judge.name}",
            unblock=f"stellwerk rollback (or withdraw) {case.model.name} {case.environment.name} --because ...",
        )
    )


def _add(
    plan: RoutePlan, key: str, action: Train | Check | Promote | Deploy, reason: str, *, seconds: float | None = None
) -> None:
    step = Step(
        action=action,
        reason=reason,
        key=key,
        needs=plan.pending,
        condition=condition_words(plan.pending),
        seconds=seconds,
    )
    plan.steps.append(step)


def _wait(case: Case, gate: Gate, *, kind: WaitKind | None = None) -> Wait:
    return Wait(
        kind=kind or gate.kind,
        model=case.model.name,
        environment=case.environment.name,
        version=case.number,
        reason=gate.text,
        unblock=gate.unblock,
    )


def condition_words(needs: tuple[str, ...]) -> str:
    """What must pass first, in words; '' for nothing."""
    if not needs:
        return ""
    kind, _, rest = needs[-1].partition(":")
    if kind in ("promote", "deploy"):
        environment = rest.rpartition(":")[2]
        return f"if promoted to {environment}" if kind == "promote" else f"if it runs in {environment}"
    checks = [need.rpartition(":")[2].partition("@")[0] for need in needs if need.startswith("check:")]
    if checks:
        named = " and ".join(", ".join(checks).rsplit(", ", 1)) if len(checks) > 1 else checks[0]
        return f"if {named} {'passes' if len(checks) == 1 else 'pass'}"
    return "if training succeeds" if kind == "train" else f"if the snapshot of {rest} passes its checks"


def promotion_branch(environment: str, model: str) -> str:
    """The branch of a promotion pull request: one for each environment and model."""
    return f"stellwerk/promote/{environment}/{model}"
