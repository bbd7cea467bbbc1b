"""Releases and deployments: set the wanted version, make the target run it, record what was seen."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from stellwerk.declarations.edit import remove_key, set_value
from stellwerk.declarations.records import dump, encode
from stellwerk.errors import BlockedError, StellwerkError
from stellwerk.model.ports import DeployRequest
from stellwerk.model.records import Deployment, Hold, Incident, Release, Rollback
from stellwerk.model.views import Done
from stellwerk.planning.route_plan import promotion_branch
from stellwerk.reconcile.messages import check_lines, message
from stellwerk.reconcile.presence import fetch, prove_there
from stellwerk.reconcile.world import PACKAGES, State, World, incident_path, release_path

if TYPE_CHECKING:
    from stellwerk.model.actions import Deploy, Promote, Retire, Step
    from stellwerk.model.declared import DeployTarget, Environment

Lines = Callable[[str], None]
DEPLOY_FAILED = "deploy-failed"
EVIDENCE = 30  # lines


def promote(world: World, state: State, step: Step, action: Promote, on_line: Lines = lambda _: None) -> Done:
    """Set the release of an environment: a commit, or a promotion branch. Before it the version's bytes are seen."""
    model, environment = state.model(action.model), state.environment(action.environment)
    if action.version is None:
        raise ValueError(step.key)
    name, number = model.name, action.version
    prove_there(world, state, state.case(model, environment, state.version(model, number)), on_line)
    old = f"v{action.previous} → " if action.previous else ""
    path = release_path(environment.name, name)
    if action.back:
        words = f"{step.reason}"
        rollback = Rollback(of=action.previous or 0, because=words, by=world.actor.name)
        hold = Hold(because=words, by=world.actor.name)
        text = release_text(state, environment.name, name, Release(version=number, rollback=rollback, hold=hold))
        summary = f"rollback: {name} to v{number} in {environment.name}"
    else:
        text = release_text(state, environment.name, name, Release(version=number))
        summary = f"promote: {name} v{number} to {environment.name}"
    body = f"{name} in {environment.name}: {old}v{number}\nbecause: {step.reason}\n{_evidence(state, name, number)}"
    words = message(
        summary,
        body,
        world.actor,
        action="rollback" if action.back else "promote",
        model=name,
        version=number,
        environment=environment.name,
    )
    changes: dict[str, bytes | None] = {path: text.encode()}
    if action.mode == "pull-request":
        branch = promotion_branch(environment.name, name)
        commit = world.commits.propose(branch, changes, words)
        return Done(step=step, summary=f"{summary}: proposed on branch {branch}", commit=commit)
    return Done(step=step, summary=summary, commit=world.commits.commit(changes, words))


def release_text(state: State, environment: str, model: str, release: Release) -> str:
    """The release file with this content: a person's file keeps its comments and order."""
    path = release_path(environment, model)
    present = state.tree.read([path]).get(path)
    if present is None:
        header = (
            f"# The version of {model} that {environment} runs. `stellwerk why {model} {environment}` explains it.\n"
        )
        return header + dump(release)
    text, wanted = present.decode(), encode(release)
    for key in ("version", "hold", "rollback", "withdrawn"):
        text = set_value(text, (key,), wanted[key]) if key in wanted else remove_key(text, (key,))
    return text


def _evidence(state: State, model: str, number: int) -> str:
    version = state.version(state.model(model), number)
    lines = [f"package: sha256 {version.record.package.sha256}", f"fingerprint: {version.record.fingerprint}"]
    for environment, verdict in version.verdicts.items():
        lines.append(f"{environment}: {'passed' if verdict.passed else 'FAILED'}, judged {verdict.at}")
        lines.append(check_lines(verdict.checks))
    for environment, approvals in version.approvals.items():
        lines += [f"{item.decision} for {environment} by {item.by} at {item.at}" for item in approvals]
    return "\n".join(line for line in lines if line)


def deploy(world: World, state: State, step: Step, action: Deploy, on_line: Lines) -> Done:
    """Evaluate every gate once more on this state, make the target run the release, then record it."""
    model, environment = state.model(action.model), state.environment(action.environment)
    target = environment.deploy
    if target is None:
        raise ValueError(step.key)
    name = model.name
    if action.withdraw:
        _leave_old_name(world, state, environment, name)
        return _withdraw(world, step, environment, target, name=name, fallback=model.fallback)
    if action.version is None:
        raise ValueError(step.key)
    version = state.version(model, action.version)
    closed = [gate for gate in state.gates.to_deploy(state.case(model, environment, version)) if not gate.met]
    if closed:
        raise BlockedError(
            f"{name} v{action.version} may not run in {environment.name}: {closed[0].text}", hint=closed[0].unblock
        )
    record = version.record
    with tempfile.TemporaryDirectory(prefix="stellwerk-deploy-") as room:
        package = Path(room) / "package"
        on_line(f"fetching the package of v{record.number}")
        fetch(world, state, record.package.md5, package, remote=PACKAGES)
        world.publisher.push()  # the release must be seen before its effect is
        request = DeployRequest(
            model=name,
            environment=environment.name,
            target=target,
            version=record.number,
            package=package,
            sha256=record.package.sha256,
            fallback=model.fallback,
        )
        try:
            detail = world.target(target).deploy(request) + _leave_old_name(world, state, environment, name)
        except StellwerkError as error:
            _record_failure(world, state, action, error)
            raise
    deployment = Deployment(
        model=name,
        environment=environment.name,
        version=record.number,
        package=record.package.sha256,
        target=target.target,
        at=world.now(),
        actor=str(world.actor),
        detail=detail,
        run=world.actor.run,
    )
    old = f"v{action.previous} → " if action.previous else ""
    summary = f"deploy: {name} v{record.number} to {environment.name}"
    body = f"{environment.name}: {old}v{record.number}\n{detail}\npackage: sha256 {record.package.sha256}"
    mended = {
        incident_path(name, item.number): dump(replace(item, open=False)).encode()
        for item in state.facts(model).incidents
        if item.kind == DEPLOY_FAILED and item.open and item.environment == environment.name
    }
    return _record(world, step, deployment, summary, body, also=mended)


def _leave_old_name(world: World, state: State, environment: Environment, name: str) -> str:
    """Take out what still runs under the name the model had before; says so. A name that is used again is let be."""
    facts = state.observed.models.get(name)
    deployment = facts.deployments.get(environment.name) if facts else None
    if environment.deploy is None or deployment is None or deployment.version is None or deployment.model == name:
        return ""
    if deployment.model in {model.name for model in state.project.models}:
        return ""
    request = DeployRequest(
        model=deployment.model,
        environment=environment.name,
        target=environment.deploy,
        version=None,
        package=None,
        sha256=None,
    )
    world.target(environment.deploy).deploy(request)
    return f"; no longer as {deployment.model}"


def _record_failure(world: World, state: State, action: Deploy, error: StellwerkError) -> None:
    """An outside effect that failed is an incident; trying again adds none while it is open."""
    model = state.model(action.model)
    facts = state.facts(model)
    for item in facts.incidents:
        if item.kind == DEPLOY_FAILED and item.open and item.version == action.version:
            return
    incident = Incident(
        model=model.name,
        number=max((item.number for item in facts.incidents), default=0) + 1,
        kind=DEPLOY_FAILED,
        summary=f"v{action.version} could not be deployed to {action.environment}",
        at=world.now(),
        actor=str(world.actor),
        version=action.version,
        environment=action.environment,
        notify=model.owners.operates or model.owners.accountable,
        evidence=tuple(error.message.splitlines()[-EVIDENCE:]),
        run=world.actor.run,
    )
    text = message(
        f"fail: deployment of {model.name} v{action.version} to {action.environment}",
        error.message,
        world.actor,
        action="deploy",
        model=model.name,
        version=action.version,
        environment=action.environment,
    )
    world.commits.commit({incident_path(model.name, incident.number): dump(incident).encode()}, text)


def _withdraw(
    world: World, step: Step, environment: Environment, target: DeployTarget, *, name: str, fallback: str | None
) -> Done:
    request = DeployRequest(
        model=name,
        environment=environment.name,
        target=target,
        version=None,
        package=None,
        sha256=None,
        fallback=fallback,
    )
    detail = world.target(target).deploy(request)
    deployment = Deployment(
        model=name,
        environment=environment.name,
        version=None,
        package=None,
        target=target.target,
        at=world.now(),
        actor=str(world.actor),
        detail=detail,
        run=world.actor.run,
    )
    return _record(world, step, deployment, f"withdraw: {name} from {environment.name}", f"{step.reason}\n{detail}")


def _record(
    world: World,
    step: Step,
    deployment: Deployment,
    summary: str,
    body: str,
    *,
    also: Mapping[str, bytes] | None = None,
) -> Done:
    path = f"registry/{deployment.model}/deployments/{deployment.environment}.yaml"
    text = message(
        summary,
        body,
        world.actor,
        action="deploy",
        model=deployment.model,
        version=deployment.version,
        environment=deployment.environment,
    )
    commit = world.commits.commit({**(also or {}), path: dump(deployment).encode()}, text)
    return Done(step=step, summary=f"{summary}: {deployment.detail}" if deployment.detail else summary, commit=commit)


def retire(world: World, state: State, step: Step, action: Retire) -> Done:
    """Take a model that is no longer declared out of one environment; its registry stays."""
    name = action.model
    environments = {item.name: item for item in state.project.environments}
    environment = environments.get(action.environment)
    changes: dict[str, bytes | None] = {release_path(action.environment, name): None}
    facts = state.observed.models.get(name)
    deployment = facts.deployments.get(action.environment) if facts else None
    detail = "its release file is removed"
    if environment and environment.deploy and deployment and deployment.version is not None:
        request = DeployRequest(
            model=name,
            environment=environment.name,
            target=environment.deploy,
            version=None,
            package=None,
            sha256=None,
        )
        detail = world.target(environment.deploy).deploy(request) + _leave_old_name(world, state, environment, name)
        gone = Deployment(
            model=name,
            environment=environment.name,
            version=None,
            package=None,
            target=environment.deploy.target,
            at=world.now(),
            actor=str(world.actor),
            detail=f"retired: {detail}",
            run=world.actor.run,
        )
        changes[f"registry/{name}/deployments/{environment.name}.yaml"] = dump(gone).encode()
    summary = f"retire: {name} v{action.version} from {action.environment}"
    text = message(
        summary,
        f"because: {step.reason}\n{detail}\nits registry stays",
        world.actor,
        action="retire",
        model=name,
        version=action.version,
        environment=action.environment,
    )
    return Done(step=step, summary=summary, commit=world.commits.commit(changes, text))
