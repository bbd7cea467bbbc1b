"""The steps of one model along its route: train, check, promote, deploy; and what waits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stellwerk.model.actions import Check, Deploy, Promote, Train, Wait, WaitKind
from stellwerk.planning.gates import Case, Gate, Gates
from stellwerk.planning.gone import erased_words
from stellwerk.planning.plan_guard import revalidate
from stellwerk.planning.policy import current
from stellwerk.planning.route_plan import RoutePlan, promotion_branch, target_words

if TYPE_CHECKING:
    from stellwerk.model.declared import Environment
    from stellwerk.model.records import Release
    from stellwerk.planning.candidate import Candidate


def plan_route(candidate: Candidate, gates: Gates, *, snapshot: bool, retry: bool) -> RoutePlan:
    """Everything to do for one model. `snapshot`: the plan takes the first snapshot of its data before."""
    plan = RoutePlan(pending=(f"snapshot:{candidate.model.train.data}",) if snapshot and candidate.model.train else ())
    _plan_training(candidate, gates, plan, retry=retry)
    for environment in gates.route.of(candidate.model):
        _plan_environment(candidate, environment, gates, plan)
    return plan


def _plan_training(candidate: Candidate, gates: Gates, plan: RoutePlan, *, retry: bool) -> None:
    model = candidate.model
    if candidate.version:
        return
    if erased := _erased(candidate, gates):
        plan.blocked = True
        plan.waits.append(erased)
    elif candidate.missing:
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
        again = f"stellwerk reconcile --model {model.name} --retry"
        unblock = f"change code, data or parameters; after another repair (a test, a cell without a tag): {again}"
        plan.waits.append(Wait(kind=WaitKind.TRAINING, model=model.name, reason=reason, unblock=unblock))
    else:
        seconds = candidate.parent.record.duration if candidate.parent else None
        action = Train(model=model.name, fingerprint=candidate.fingerprint)
        plan.add(f"train:{model.name}", action, candidate.reason, seconds=seconds)
        plan.pending = (*plan.pending, f"train:{model.name}")


def _erased(candidate: Candidate, gates: Gates) -> Wait | None:
    """The wait of a training whose data, or whose own result, somebody decided to delete."""
    model, erased = candidate.model, gates.observed.erased
    pointer = gates.observed.pointers.get(model.train.data) if model.train else None
    if pointer is not None and pointer.md5 in erased:
        reason = f"the snapshot {pointer.md5[:8]} of {pointer.path} was {erased_words(erased[pointer.md5])}"
        unblock = f"take a new one: stellwerk snapshot {model.train.data if model.train else ''} --because ..."
    elif candidate.lost and candidate.lost[0].record.package.md5 in erased:
        reason = f"the package of v{candidate.lost[0].record.number}, which is the same, was {candidate.lost[1]}"
        unblock = "change code, data or parameters"
    else:
        return None
    return Wait(kind=WaitKind.DATA, model=model.name, reason=reason, unblock=unblock)


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
            revalidate(case, release, gates, plan)
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
        erased = gates.unjudgeable(case.version, environment, policy) if case.version else None
        if erased is not None:
            plan.blocked = True
            plan.wait(case, erased)
            return
        champion = gates.champion(case, environment) if policy.measures else None
        reason = "not checked there yet"
        if verdict is not None and case.version is not None:
            same = current(verdict, case.version.record, policy)
            reason = f"the champion is v{champion} now" if same else "its checks or thresholds changed"
        elif champion is not None:
            reason = f"against champion v{champion}"
        key = f"check:{case.model.name}:{environment.name}"
        action = Check(model=case.model.name, environment=environment.name, version=case.number, champion=champion)
        plan.add(key, action, reason)
        plan.pending = (*plan.pending, key)
    elif verdict is not None and not verdict.passed:
        gate = next(gate for gate in gates.checked(case) if not gate.met and not gate.step)
        plan.blocked = True
        plan.wait(case, gate)


def _plan_promotion(case: Case, gates: Gates, plan: RoutePlan) -> bool:
    name, environment = case.model.name, case.environment
    unmet = [gate for gate in gates.to_promote(case) if not gate.met and not gate.step]
    if unmet:
        plan.blocked = True
        for gate in unmet:
            plan.wait(case, gate)
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
            plan.wait(case, Gate(kind=WaitKind.PULL_REQUEST, met=False, text=text, unblock=unblock))
            return False
        plan.add(key, action, "proposes the release as a pull request")
        return False
    plan.add(key, action, "every gate is open" if not plan.pending else "its other gates are open")
    plan.pending = (*plan.pending, key)
    if environment.deploy:
        deployment = case.facts.deployments.get(environment.name)
        deploy = Deploy(
            model=name,
            environment=environment.name,
            version=case.number,
            previous=deployment.version if deployment else None,
        )
        plan.add(f"deploy:{name}:{environment.name}", deploy, target_words(environment.deploy))
        plan.pending = (*plan.pending, f"deploy:{name}:{environment.name}")
    return True


def _plan_deployment(case: Case, release: Release, gates: Gates, plan: RoutePlan) -> None:
    """Make the target run what the release says, if every gate allows it, however the file got there."""
    name, environment = case.model.name, case.environment
    deployment = case.facts.deployments.get(environment.name)
    running = deployment.version if deployment else None
    key = f"deploy:{name}:{environment.name}"
    if release.withdrawn:
        if environment.deploy and (deployment is None or deployment.version is not None):
            action = Deploy(model=name, environment=environment.name, version=None, previous=running, withdraw=True)
            plan.add_needing((), key, action, f"withdrawn: {release.withdrawn.because}")
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
            for gate in closed or unmet:
                plan.wait(released, gate, kind=WaitKind.RELEASE)
            plan.blocked = plan.blocked or candidate
        return
    if environment.deploy:
        reason = f"the release says v{release.version}" + (f", v{running} runs" if running else ", nothing runs yet")
        if deployment is not None and deployment.model != name and running == release.version:
            reason = f"it runs there as {deployment.model}, the name it had before"
        action = Deploy(model=name, environment=environment.name, version=release.version, previous=running)
        plan.add_needing(needs, key, action, reason)
        if candidate:  # what comes after goes on only from where it runs
            plan.pending = (*plan.pending, key)
