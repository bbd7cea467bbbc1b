"""What guards a version after its release: judged again when thresholds change, rolled back where that is declared."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from stellwerk.model.actions import Check, Deploy, Promote, Wait, WaitKind
from stellwerk.planning.gates import Case, Gate, Gates
from stellwerk.planning.gone import package_gone
from stellwerk.planning.policy import current
from stellwerk.planning.route_plan import RoutePlan, target_words

if TYPE_CHECKING:
    from stellwerk.model.declared import Environment
    from stellwerk.model.observed import Version
    from stellwerk.model.records import Release


def revalidate(case: Case, release: Release, gates: Gates, plan: RoutePlan) -> None:
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
            erased = gates.unjudgeable(version, judge, gates.policy(released, judge))
            if erased is not None:
                _say_unjudged(released, erased, reason, plan)
                continue
            _judge_again(case, judge, release.version, reason, plan)
        elif not verdict.passed and not release.rollback:
            violated.append(judge)
    if violated and not _roll_back(released, violated, gates, plan):
        for judge in violated:
            _say_violated(released, judge, plan)


def _say_unjudged(case: Case, erased: Gate, reason: str, plan: RoutePlan) -> None:
    if all(wait.reason != erased.text for wait in plan.waits):
        plan.wait(case, replace(erased, text=f"{reason}; {erased.text}"))


def _judge_again(case: Case, judge: Environment, number: int, reason: str, plan: RoutePlan) -> str:
    """The key of a check of that version, which is planned unless it is already."""
    key = f"check:{case.model.name}:{judge.name}"
    key = key if number == case.number else f"{key}@{number}"
    if all(step.key != key for step in plan.steps):
        action = Check(model=case.model.name, environment=judge.name, version=number)
        plan.add_needing((), key, action, reason)
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
        plan.add_needing(needs, key, action, reason)
        if environment.deploy:
            deploy = Deploy(model=case.model.name, environment=environment.name, version=earlier, previous=number)
            deployed = f"deploy:{case.model.name}:{environment.name}"
            plan.add_needing((*needs, key), deployed, deploy, target_words(environment.deploy))
        plan.blocked = True
        return True
    return False


def _stale_judges(case: Case, version: Version, gates: Gates) -> list[Environment] | None:
    """The judges that must look at the version again; None where one refuses it, never saw it, or cannot see it."""
    stale: list[Environment] = []
    if package_gone(gates.observed, version.record):
        return None
    for judge in gates.route.judges(case.model, case.environment):
        verdict = version.verdicts.get(judge.name)
        if verdict is None:
            return None
        policy = gates.policy(case, judge)
        if not current(verdict, version.record, policy):
            if gates.unjudgeable(version, judge, policy):
                return None
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
