"""What of a run is known before it starts: called workflows, the rights they may ask for, their inputs and secrets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .events import typed_inputs
from .expressions import Scope, resolve
from .permissions import check_within, lowered, resolve_permissions
from .values import as_text
from .workflow import Job, Workflow, WorkflowError

DEEPEST = 10  # workflows that call each other, the first included


@dataclass(slots=True, kw_only=True, eq=False)
class Frame:
    """One workflow of a run: the one that was started, or one that a job calls.

    `environment_secrets` are the names of secrets that an environment may fill in here; None for all. `most` are the
    rights of the calling job, None where nobody calls.
    """

    workflow: Workflow
    inputs: Mapping[str, Any]
    secrets: Mapping[str, str]
    prefix: str = ""
    most: Mapping[str, str] | None = None
    environment_secrets: frozenset[str] | None = None
    nodes: dict[str, Any] = field(default_factory=dict)


def permissions_of(
    workflow: Workflow, job: Job, *, default: Mapping[str, str], most: Mapping[str, str] | None
) -> dict[str, str]:
    """The rights of a job's token, before an event (a fork's) lowers them."""
    place = f"{workflow.path}: jobs.{job.id}"
    for given, where in ((job.given, place), (workflow.given, workflow.path)):
        if "permissions" in given:
            asked = resolve_permissions(given["permissions"], where)
            if most is not None:
                check_within(asked, most, place)
            return asked
    return dict(default if most is None else most)


def check_calls(
    workflow: Workflow,
    load: Callable[[str], Workflow],
    *,
    default: Mapping[str, str],
    most: Mapping[str, str] | None = None,
    depth: int = 1,
) -> None:
    """Refuse, before anything runs, a call that GitHub refuses: of what cannot be called, or that asks for too much."""
    if depth > DEEPEST:
        raise WorkflowError(f"{workflow.path}: workflows call each other more than {DEEPEST} deep")
    for job in workflow.jobs:
        granted = permissions_of(workflow, job, default=default, most=most)
        if job.calls:
            called = load(job.calls)
            declared = declaration(called)
            place = f"{workflow.path}: jobs.{job.id}"
            _check_names(job.given.get("with") or {}, declared.get("inputs") or {}, f"{place}.with")
            secrets = job.given.get("secrets") or {}
            if secrets != "inherit":
                _check_names(secrets, declared.get("secrets") or {}, f"{place}.secrets")
            check_calls(called, load, default=default, most=granted, depth=depth + 1)


def declaration(workflow: Workflow) -> Mapping[str, Any]:
    """Its `on.workflow_call`."""
    if "workflow_call" not in workflow.on:
        raise WorkflowError(f"{workflow.path}: cannot be called: it has no `on.workflow_call`")
    return workflow.on["workflow_call"] or {}


def called_frame(caller: Frame, job: Job, called: Workflow, scope: Scope, granted: Mapping[str, str]) -> Frame:
    """The frame of a called workflow: the inputs and secrets that its caller gives, and no others."""
    declared = declaration(called)
    given = resolve(job.given.get("with") or {}, scope)
    asked = job.given.get("secrets") or {}
    if asked == "inherit":
        secrets, names = dict(caller.secrets), caller.environment_secrets
    else:
        secrets = {name: as_text(value) for name, value in resolve(asked, scope).items()}
        names = frozenset(name.upper() for name in secrets)
    return Frame(
        workflow=called,
        inputs=typed_inputs(given, declared.get("inputs"), called.path),
        secrets=secrets,
        prefix=f"{caller.prefix}{job.id} / ",
        most=granted,
        environment_secrets=names,
    )


def for_fork(permissions: Mapping[str, str]) -> dict[str, str]:
    """What is left of a token's rights in a pull request of a fork."""
    return lowered(permissions, dict.fromkeys(permissions, "read"))


def _check_names(given: Mapping[str, Any], declared: Mapping[str, Any], place: str) -> None:
    if unknown := sorted(set(given) - set(declared)):
        raise WorkflowError(f"{place}: {unknown} is not defined in the referenced workflow")
    required = [
        name for name, spec in declared.items() if (spec or {}).get("required") and "default" not in (spec or {})
    ]
    if missing := sorted(set(required) - set(given)):
        raise WorkflowError(f"{place}: {missing} is required, but not provided while calling")
