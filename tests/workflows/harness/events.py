"""What happens on the forge, and which workflows of a commit it starts.

The payloads have the keys that workflows read, not all of GitHub's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .filters import keeps
from .repository import PullRequest, Repository
from .values import as_text
from .workflow import Workflow, WorkflowError

ZERO = "0" * 40
SKIP = ("[skip ci]", "[ci skip]", "[no ci]", "[skip actions]", "[actions skip]")
_ACTIVITY = ("opened", "synchronize", "reopened")  # what `pull_request` means without `types`


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """`ref` and `sha` are the run's; `paths` what a push or a pull request changes; `only` names one workflow file."""

    name: str
    ref: str
    sha: str
    actor: str
    payload: Mapping[str, Any]
    paths: tuple[str, ...] = ()
    head_ref: str = ""
    base_ref: str = ""
    from_fork: bool = False
    only: str = ""
    message: str = ""  # of the commit that was pushed, or of a pull request's head
    inputs: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ref_name(self) -> str:
        return self.ref.removeprefix("refs/heads/").removeprefix("refs/tags/").removeprefix("refs/pull/")


def push(repository: Repository, record: Mapping[str, Any]) -> Event:
    """A push that the repository remembers."""
    ref, before, after = record["ref"], record["before"], record["after"]
    start = before
    if before == ZERO:
        main = repository.commit_of(repository.settings.default_branch)
        start = (main and repository.git("merge-base", main, after, check=False)) or ""
    if not start or start == after:
        start = repository.commit_of(f"{after}^") or repository.git("hash-object", "-t", "tree", "/dev/null")
    message = repository.git("log", "-1", "--format=%B", after)
    payload = {
        "ref": ref,
        "before": before,
        "after": after,
        "created": before == ZERO,
        "deleted": False,
        "forced": False,
        "head_commit": {"id": after, "message": message.strip()},
        "pusher": {"name": record["who"]},
    }
    paths = tuple(repository.changed_paths(start, after))
    full = _full(repository, payload, record["who"])
    return Event(name="push", ref=ref, sha=after, actor=record["who"], paths=paths, payload=full, message=message)


def pull_request(repository: Repository, request: PullRequest, action: str, *, actor: str = "") -> Event | None:
    """An activity of a pull request (by its author, if by nobody else), on its merge commit; None where it conflicts."""
    actor = actor or request.author
    base, head = repository.commit_of(request.base), repository.commit_of(f"refs/pull/{request.number}/head")
    merge = repository.merge_commit(base, head, f"Merge {head} into {base}")
    if not merge:
        return None
    ref = f"refs/pull/{request.number}/merge"
    repository.git("update-ref", ref, merge)
    ancestor = repository.git("merge-base", base, head)
    details = {
        "number": request.number,
        "state": request.state,
        "merged": request.merged,
        "draft": False,
        "title": request.title,
        "body": request.body,
        "user": {"login": request.author},
        "labels": [{"name": label} for label in request.labels],
        "head": {"ref": request.head, "sha": head, "repo": _repo(repository, request.fork or repository.name)},
        "base": {"ref": request.base, "sha": base, "repo": _repo(repository, repository.name)},
        "merge_commit_sha": merge,
    }
    payload = {"action": action, "number": request.number, "pull_request": details}
    return Event(
        name="pull_request",
        ref=ref,
        sha=merge,
        actor=actor,
        payload=_full(repository, payload, actor),
        paths=tuple(repository.changed_paths(ancestor, head)),
        head_ref=request.head,
        base_ref=request.base,
        from_fork=bool(request.fork),
        message=repository.git("log", "-1", "--format=%B", head),
    )


def schedule(repository: Repository, cron: str = "") -> Event:
    """A point in time: of one cron line, or of any."""
    return _on_default_branch(repository, "schedule", "github", {"schedule": cron})


def workflow_dispatch(
    repository: Repository, workflow: str, inputs: Mapping[str, Any] | None = None, *, ref: str = "", actor: str = "ada"
) -> Event:
    """A person's or a program's request to run one file of `.github/workflows` (its name without the folder)."""
    ref = ref or f"refs/heads/{repository.settings.default_branch}"
    given = {key: as_text(value) for key, value in (inputs or {}).items()}
    path = f".github/workflows/{workflow}"
    payload = _full(repository, {"inputs": given, "ref": ref, "workflow": path}, actor)
    sha = repository.commit_of(ref)
    return Event(name="workflow_dispatch", ref=ref, sha=sha, actor=actor, payload=payload, only=path, inputs=given)


def repository_dispatch(
    repository: Repository, kind: str, client_payload: Mapping[str, Any] | None = None, *, actor: str = "ada"
) -> Event:
    """Another system's word: its `event_type` and what it says."""
    details = {
        "action": kind,
        "client_payload": dict(client_payload or {}),
        "branch": repository.settings.default_branch,
    }
    return _on_default_branch(repository, "repository_dispatch", actor, details)


def starts(event: Event, workflow: Workflow) -> bool:
    """Whether an event starts a workflow that the event's commit contains."""
    if event.name not in workflow.on or (event.only and event.only != workflow.path):
        return False
    if any(word in event.message for word in SKIP):
        return False
    config = workflow.on[event.name] or {}
    match event.name:
        case "push":
            wanted = _push_starts(event, config)
        case "pull_request":
            wanted = event.payload["action"] in _listed(config.get("types") or _ACTIVITY)
            wanted = wanted and keeps(config, "branches", [event.base_ref]) and keeps(config, "paths", event.paths)
        case "schedule":
            cron = event.payload["schedule"]
            wanted = not cron or any(entry["cron"] == cron for entry in config)
        case "repository_dispatch":
            wanted = event.payload["action"] in _listed(config.get("types") or event.payload["action"])
        case _:
            wanted = True
    return wanted


def typed_inputs(given: Mapping[str, Any], declared: Mapping[str, Any] | None, place: str) -> dict[str, Any]:
    """The `inputs` context: declared inputs with their defaults and types; what is not declared is refused."""
    declared = declared or {}
    if unknown := sorted(set(given) - set(declared)):
        raise WorkflowError(f"{place}: unexpected inputs provided: {unknown}")
    found: dict[str, Any] = {}
    for name, spec in ((name, given_spec or {}) for name, given_spec in declared.items()):
        kind = spec.get("type", "string")
        if given.get(name) in {None, ""} and spec.get("required") and "default" not in spec:
            raise WorkflowError(f"{place}: required input '{name}' not provided")
        empty: Any = {"boolean": False, "number": 0}.get(kind, "")
        value = given[name] if name in given else spec.get("default", empty)
        found[name] = _typed(value, kind, spec, f"{place}: input '{name}'")
    return found


def _typed(value: Any, kind: str, spec: Mapping[str, Any], place: str) -> Any:
    text = as_text(value)
    match kind:
        case "boolean":
            if text not in {"true", "false"}:
                raise WorkflowError(f"{place} is no boolean: {text!r}")
            return text == "true"
        case "number":
            try:
                return float(text)
            except ValueError as error:
                raise WorkflowError(f"{place} is no number: {text!r}") from error
        case "choice" if text not in map(as_text, spec.get("options", ())):
            raise WorkflowError(f"{place} is not among its options: {text!r}")
        case _:
            return text


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def _push_starts(event: Event, config: Mapping[str, Any]) -> bool:
    kind, other = ("tags", "branches") if event.ref.startswith("refs/tags/") else ("branches", "tags")
    filtered = {key for key in config if not key.startswith("paths")}
    if filtered and not filtered & {kind, f"{kind}-ignore"} and filtered & {other, f"{other}-ignore"}:
        return False
    return keeps(config, kind, [event.ref_name]) and (kind == "tags" or keeps(config, "paths", event.paths))


def _on_default_branch(repository: Repository, name: str, actor: str, payload: Mapping[str, Any]) -> Event:
    ref = f"refs/heads/{repository.settings.default_branch}"
    full = _full(repository, payload, actor)
    return Event(name=name, ref=ref, sha=repository.commit_of(ref), actor=actor, payload=full)


def _full(repository: Repository, payload: Mapping[str, Any], actor: str) -> dict[str, Any]:
    return {**payload, "repository": _repo(repository, repository.name), "sender": {"login": actor, "type": "User"}}


def _repo(repository: Repository, name: str) -> dict[str, Any]:
    owner, _, short = name.partition("/")
    return {
        "full_name": name,
        "name": short,
        "owner": {"login": owner},
        "default_branch": repository.settings.default_branch,
        "private": repository.settings.private,
        "fork": name != repository.name,
        "clone_url": repository.url,
    }
