"""Look whether the world is as git says: rendered files, what targets run, bytes in the remotes. Changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stellwerk.adapters.git.checkout import write_atomically
from stellwerk.model.actions import Render
from stellwerk.model.forge import Drift, Look
from stellwerk.planning.plan import Scope
from stellwerk.report.drift import drift_json

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from stellwerk.app.workspace import Workspace
    from stellwerk.model.actions import Plan
    from stellwerk.model.declared import Environment
    from stellwerk.reconcile.world import State


def look(workspace: Workspace, environment: str | None, out: Path | None) -> Look:
    """In the files, or in one environment: its targets, and the remotes of what is released there. Written to `out`."""
    loaded = workspace.loader.work_tree()
    workspace.loader.refuse_mistakes(loaded)
    state = loaded.state
    if environment is None:
        found = tuple(_files(workspace.plan_of(state, Scope())))
    else:
        declared = state.environment(environment)
        found = (*_targets(workspace, state, declared), *_bytes(workspace, state, declared))
    workspace.cache.flush()
    seen = Look(environment=environment, commit=state.observed.basis or "", drifts=found)
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(out, drift_json(seen).encode())
    return seen


def _files(plan: Plan) -> Iterator[Drift]:
    for step in plan.steps:
        if isinstance(step.action, Render) and step.action.rename_from is None:
            yield Drift(kind="file", subject=step.action.path, detail=step.reason, unblock="stellwerk render")
    for wait in plan.waits:
        if wait.diff:
            yield Drift(kind="file", subject=wait.model or "CI", detail=wait.reason, unblock=wait.unblock)


def _targets(workspace: Workspace, state: State, environment: Environment) -> Iterator[Drift]:
    from stellwerk.app.session import probe

    if environment.deploy is None:
        return
    seen = probe(state, workspace.root, environment.name)
    for (where, model), words in sorted(seen.items()):
        release = state.observed.releases[where, model]
        unknown = words.startswith("cannot tell")
        wanted = "nothing runs" if release.withdrawn else f"runs v{release.version}"
        if words == wanted:
            continue
        detail = words if unknown else f"{words}; git says: {wanted}"
        unblock = "" if unknown else f"stellwerk reconcile --model {model}"
        yield Drift(kind="target", subject=f"{model} in {where}", detail=detail, unblock=unblock, unknown=unknown)


def _bytes(workspace: Workspace, state: State, environment: Environment) -> Iterator[Drift]:
    from stellwerk.adapters.dvc import DvcStore
    from stellwerk.reconcile.presence import absences

    for absence in absences(state, DvcStore(workspace.root), environment.name):
        if absence.state in ("missing", "unknown"):
            yield Drift(
                kind="bytes",
                subject=f"{absence.kind} of {absence.model} v{absence.version} ({absence.md5[:8]})",
                detail=f"{absence.note} ({absence.remote or 'default remote'})",
                unblock="" if absence.state == "unknown" else "stellwerk reconcile, where the DVC cache has it",
                unknown=absence.state == "unknown",
            )
