"""A person's decisions: approve, reject, promote, hold, roll back, withdraw. Each is one commit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from stellwerk.declarations.records import dump
from stellwerk.errors import BlockedError, StellwerkError
from stellwerk.model.actions import WaitKind
from stellwerk.model.records import Approval, Hold, Incident, Release, Rollback, Withdrawal
from stellwerk.model.views import Decision
from stellwerk.planning.candidate import find_candidate
from stellwerk.planning.gates import Case, seconds_of
from stellwerk.planning.gone import package_gone
from stellwerk.planning.route_plan import promotion_branch
from stellwerk.reconcile.messages import message
from stellwerk.reconcile.presence import prove_there
from stellwerk.reconcile.release import release_text
from stellwerk.reconcile.world import State, World, incident_path, release_path

if TYPE_CHECKING:
    from stellwerk.model.declared import Environment, Model
    from stellwerk.model.observed import Version

BY_HAND = frozenset({WaitKind.MANUAL, WaitKind.WITHDRAWN})


class Subject(Struct, frozen=True, kw_only=True):
    """What a decision is about."""

    model: Model
    environment: Environment


def find_subject(state: State, model: str, environment: str) -> Subject:
    """Raises StellwerkError that names what is declared where the names are unknown."""
    subject = Subject(model=state.model(model), environment=state.environment(environment))
    if subject.model.environments is not None and environment not in subject.model.environments:
        raise StellwerkError(
            f"{model} does not go through {environment}",
            hint=f"its environments: {', '.join(subject.model.environments)}",
        )
    return subject


def wanted_version(state: State, subject: Subject, number: int | None) -> Version:
    """The version of that number, else the candidate. Raises StellwerkError where neither is there."""
    if number is not None:
        return state.version(subject.model, number)
    if subject.model.train is None:
        raise StellwerkError(f"{subject.model.name} declares no `train`", hint="name a version: --version N")
    candidate = find_candidate(subject.model, state.observed)
    if candidate.version is None:
        raise StellwerkError(
            f"{subject.model.name} has no version of what is declared now",
            hint="stellwerk reconcile trains it; or --version N",
        )
    return candidate.version


def approve(
    world: World,
    state: State,
    subject: Subject,
    version: Version,
    *,
    by: str | None,
    because: str | None,
    reject: bool,
) -> Decision:
    """Record a member's decision on a version. Raises BlockedError where four eyes forbid it."""
    name, number, environment = subject.model.name, version.record.number, subject.environment
    person = _person(world, state, subject, by)
    barred = state.gates.barred(state.case(subject.model, environment, version))
    if not reject and person in barred and any(rule.four_eyes for rule in environment.approval):
        raise BlockedError(
            f"{person} may not approve {name} v{number}: {person} {barred[person]}",
            where=environment.name,
            hint="four eyes are asked: somebody else of the team must approve",
        )
    approval = Approval(
        model=name,
        version=number,
        environment=environment.name,
        by=person,
        decision="rejected" if reject else "approved",
        at=world.now(),
        because=because,
    )
    path = f"registry/{name}/{number}/approvals/{environment.name}/{person}.yaml"
    verb = "reject" if reject else "approve"
    summary = f"{verb}: {name} v{number} for {environment.name} by {person}"
    text = message(
        summary,
        f"because: {because}" if because else "",
        world.actor,
        action=verb,
        model=name,
        version=number,
        environment=environment.name,
    )
    commit = world.commits.commit({path: dump(approval).encode()}, text)
    return Decision(
        summary=summary,
        commit=commit,
        pushed=False,
        paths=(path,),
        approval=approval,
        next=f"stellwerk why {name} {environment.name}" if reject else "stellwerk reconcile",
    )


def _person(world: World, state: State, subject: Subject, by: str | None) -> str:
    teams = {team.name: team for team in state.project.teams}
    asked = {rule.by for rule in subject.environment.approval}
    members = [member for name in sorted(asked or teams) if name in teams for member in teams[name].members]
    for member in members:
        if (by is not None and member.name == by) or (
            by is None and (member.email == world.actor.email or member.name == world.actor.name)
        ):
            return member.name
    who = by or f"{world.actor.name} <{world.actor.email}>"
    named = ", ".join(sorted({member.name for member in members})) or "nobody: declare teams with members"
    raise StellwerkError(
        f"{who} is not a member of a team that approves for {subject.environment.name}",
        hint=f"who may: {named} (set git's user.email to a member's, or --as NAME)",
    )


def promote_by_hand(world: World, state: State, subject: Subject, version: Version) -> Decision:
    """Set the release to the version if every gate but the promotion mode is open. Raises BlockedError."""
    name, number, environment = subject.model.name, version.record.number, subject.environment
    if not state.gates.route.released_in(environment):
        raise StellwerkError(
            f"{environment.name} has no releases", hint="it only checks; declare `deploy` there to release into it"
        )
    case = state.case(subject.model, environment, version)
    closed = [gate for gate in state.gates.to_promote(case) if not gate.met and gate.kind not in BY_HAND]
    if closed:
        words = "; ".join(gate.text for gate in closed)
        raise BlockedError(
            f"{name} v{number} may not enter {environment.name}: not met: {words}", hint=closed[0].unblock
        )
    prove_there(world, state, case, lambda _: None)
    text = release_text(state, environment.name, name, Release(version=number))
    summary = f"promote: {name} v{number} to {environment.name}"
    body = f"promoted by hand by {world.actor.name}; every gate is open"
    words = message(
        summary, body, world.actor, action="promote", model=name, version=number, environment=environment.name
    )
    path = release_path(environment.name, name)
    if state.gates.mode(case) == "pull-request":
        branch = promotion_branch(environment.name, name)
        commit = world.commits.propose(branch, {path: text.encode()}, words)
        return Decision(
            summary=f"{summary}: proposed on branch {branch}",
            commit=commit,
            pushed=False,
            paths=(path,),
            next=f"open a pull request for {branch}",
        )
    commit = world.commits.commit({path: text.encode()}, words)
    return Decision(summary=summary, commit=commit, pushed=False, paths=(path,), next="stellwerk reconcile deploys it")


def hold(world: World, state: State, subject: Subject, *, because: str, until: str | None, end: bool) -> Decision:
    """Keep automation away from a release, or let it back."""
    name, environment = subject.model.name, subject.environment.name
    release = _released(state, subject)
    if until is not None:
        _check_time(until)
    if end:
        changed = Release(version=release.version, withdrawn=release.withdrawn)
        summary = f"hold: ended for {name} in {environment}"
    else:
        held = Hold(because=because, by=world.actor.name, until=until)
        changed = Release(version=release.version, hold=held, rollback=release.rollback, withdrawn=release.withdrawn)
        summary = f"hold: {name} v{release.version} in {environment}" + (f" until {until}" if until else "")
    done = _set_release(world, state, subject, changed, summary=summary, because=because, action="hold")
    return replace(done, next="stellwerk plan") if end else done


def rollback(
    world: World, state: State, subject: Subject, *, because: str, version: int | None, until: str | None
) -> Decision:
    """Go back to an older version, with a hold. Needs no approval and works during a freeze."""
    name, environment = subject.model.name, subject.environment.name
    release = _released(state, subject)
    if until is not None:
        _check_time(until)
    target = state.version(subject.model, version) if version is not None else _earlier(state, subject, release)
    number = target.record.number
    if number == release.version and not release.withdrawn:
        raise StellwerkError(f"{environment} already has v{number} of {name}", hint="name another one: --to N")
    changed = Release(
        version=number,
        rollback=Rollback(of=release.version, because=because, by=world.actor.name),
        hold=Hold(because=because, by=world.actor.name, until=until),
    )
    closed = [gate for gate in state.gates.to_deploy(_with(state, subject, target, changed)) if not gate.met]
    if closed:
        raise BlockedError(
            f"{name} v{number} cannot be rolled back to: not met: {closed[0].text}", hint=closed[0].unblock
        )
    summary = f"rollback: {name} v{release.version} → v{number} in {environment}"
    incident = _incident(
        world, state, subject, kind="rollback", summary=f"{summary}: {because}", version=release.version
    )
    return _set_release(
        world, state, subject, changed, summary=summary, because=because, action="rollback", incident=incident
    )


def withdraw(world: World, state: State, subject: Subject, *, because: str) -> Decision:
    """Let the declared fallback serve. Needs no approval and works during a freeze."""
    name, environment = subject.model.name, subject.environment.name
    release = _released(state, subject)
    changed = Release(version=release.version, withdrawn=Withdrawal(because=because, by=world.actor.name))
    summary = f"withdraw: {name} v{release.version} from {environment}"
    incident = _incident(
        world, state, subject, kind="withdrawn", summary=f"{summary}: {because}", version=release.version
    )
    return _set_release(
        world, state, subject, changed, summary=summary, because=because, action="withdraw", incident=incident
    )


def _with(state: State, subject: Subject, version: Version, release: Release) -> Case:
    return replace(state.case(subject.model, subject.environment, version), release=release)


def _released(state: State, subject: Subject) -> Release:
    release = state.release(subject.environment.name, subject.model.name)
    if release is None:
        raise StellwerkError(
            f"{subject.model.name} is not released in {subject.environment.name}",
            hint=f"stellwerk why {subject.model.name} {subject.environment.name}",
        )
    return release


def _earlier(state: State, subject: Subject, release: Release) -> Version:
    """The newest version before the released one that once passed where releases here are judged."""
    facts = state.facts(subject.model)
    judges = state.gates.route.judges(subject.model, subject.environment)
    for number in sorted(facts.versions, reverse=True):
        version = facts.versions[number]
        verdicts = [version.verdicts.get(environment.name) for environment in judges]
        if package_gone(state.observed, version.record):
            continue
        if number < release.version and all(verdict is not None and verdict.passed for verdict in verdicts):
            return version
    raise BlockedError(
        f"no version of {subject.model.name} before v{release.version} has passed its checks",
        hint=f"name one: --to N; or: stellwerk withdraw {subject.model.name} {subject.environment.name} --because ...",
    )


def _incident(world: World, state: State, subject: Subject, *, kind: str, summary: str, version: int) -> Incident:
    facts = state.facts(subject.model)
    return Incident(
        model=subject.model.name,
        number=max((item.number for item in facts.incidents), default=0) + 1,
        kind=kind,
        summary=summary,
        at=world.now(),
        actor=str(world.actor),
        version=version,
        environment=subject.environment.name,
        notify=subject.model.owners.operates or subject.model.owners.accountable,
        run=world.actor.run,
    )


def _set_release(
    world: World,
    state: State,
    subject: Subject,
    release: Release,
    *,
    summary: str,
    because: str,
    action: str,
    incident: Incident | None = None,
) -> Decision:
    name, environment = subject.model.name, subject.environment.name
    path = release_path(environment, name)
    changes: dict[str, bytes | None] = {path: release_text(state, environment, name, release).encode()}
    if incident:
        changes[incident_path(name, incident.number)] = dump(incident).encode()
    text = message(
        summary,
        f"because: {because}\nby: {world.actor}" if because else f"by: {world.actor}",
        world.actor,
        action=action,
        model=name,
        version=release.version,
        environment=environment,
    )
    commit = world.commits.commit(changes, text)
    return Decision(summary=summary, commit=commit, pushed=False, paths=tuple(sorted(changes)))


def _check_time(text: str) -> None:
    try:
        seconds_of(text)
    except ValueError as error:
        raise StellwerkError(
            f"{text!r} is not a date or time", hint="write 2026-12-31 or 2026-12-31T18:00:00Z"
        ) from error
