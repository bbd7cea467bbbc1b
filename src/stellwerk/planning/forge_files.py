"""The files of the CI service and the forge: what is declared leads to which texts, and what of it is pending. Pure."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from stellwerk.model.actions import Render, Step, Wait, WaitKind
from stellwerk.planning.drift import difference
from stellwerk.planning.generated import FORGE_FILES
from stellwerk.planning.maker import maker
from stellwerk.planning.training_place import data_place, training_places

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stellwerk.model.declared import Environment, Project
    from stellwerk.model.observed import Observed
    from stellwerk.model.ports import Cache
    from stellwerk.render.pipelines.facts import Facts

WANTED = "forge-3"


def facts_of(project: Project) -> Facts | None:
    """What the pipelines are built from; None where no workflows are declared."""
    from stellwerk.render.pipelines.facts import Facts

    if project.workflows is None:
        return None
    datasets = {dataset.name: dataset for dataset in project.datasets}
    renewed = [model for model in project.models if model.retrain.schedule or "data" in model.retrain.on]
    taken = {model.train.data for model in renewed if model.train is not None}
    sources = [data_place(project, datasets[name]) for name in sorted(taken) if name in datasets]
    return Facts(
        workflows=project.workflows,
        environments=project.environments,
        training=_in_order(project, tuple(training_places(project).values())),
        sources=_in_order(project, tuple(sources)),
        schedules=tuple(sorted({model.retrain.schedule for model in renewed if model.retrain.schedule})),
        messages=any("data" in model.retrain.on for model in renewed),
        merges=project.records.ref is not None and project.records.pull_request,
    )


def plan_forge_files(
    project: Project, observed: Observed, *, cache: Cache, force: tuple[str, ...] = ()
) -> tuple[list[Step], list[Wait]]:
    """The files that are missing, outdated or no longer wanted; those that somebody edited or wrote wait."""
    steps: list[Step] = []
    waits: list[Wait] = []
    wanted = _wanted(project, cache)
    texts: Mapping[str, str] | None = None
    for path in FORGE_FILES:
        present = observed.forge_files.get(path)
        if path not in wanted:
            if present is None or present.state == "foreign":
                continue
            text, reason = None, "no workflows of this kind are declared any more"
        elif present is not None and present.sha256 == wanted[path]:
            continue
        else:
            texts = texts or _render(project)
            text, reason = texts[path], "not there yet" if present is None else "what is declared changed"
        if present is not None and present.state != "ours" and path not in force:
            words = "was edited by hand" if present.state == "edited" else "is not ours"
            diff = difference(path, present.text, text) if text is not None else ""
            reason = f"{path} {words} and differs from what would be rendered"
            unblock = f"stellwerk render --force {path}, or undo the edit"
            waits.append(Wait(kind=WaitKind.EDITED, reason=reason, unblock=unblock, diff=diff))
            continue
        action = Render(path=path, text=text, new=present is None)
        steps.append(Step(action=action, reason=reason, key=f"render:{path}"))
    return steps, waits


def _wanted(project: Project, cache: Cache) -> dict[str, str]:
    """Path -> SHA-256 of the text to be rendered; rendering itself only happens where the inputs are new."""
    if project.workflows is None:
        return {}
    owned = (
        project.teams,
        project.owners,
        [_owned(model) for model in project.models],
        sorted(project.included.items()),
    )
    asked = repr((maker("render"), facts_of(project), owned))
    key = hashlib.sha256(asked.encode("utf-8", "surrogatepass")).hexdigest()
    stored = cache.get(WANTED, key)
    if isinstance(stored, dict):
        return {str(path): str(digest) for path, digest in stored.items()}
    digests = {path: hashlib.sha256(text.encode()).hexdigest() for path, text in _render(project).items()}
    cache.put(WANTED, key, dict(digests))
    return digests


def _owned(model: object) -> tuple[object, ...]:
    return (getattr(model, "name", ""), getattr(model, "owners", None), getattr(model, "environments", None))


def _render(project: Project) -> Mapping[str, str]:
    from stellwerk.render.forge import render_forge

    facts = facts_of(project)
    return {} if facts is None else render_forge(facts, project)


def _in_order(project: Project, found: tuple[Environment | None, ...]) -> tuple[Environment | None, ...]:
    """Each once, in route order; "no environment" first."""
    named = {item.name for item in found if item is not None}
    listed: tuple[Environment | None, ...] = tuple(item for item in project.environments if item.name in named)
    return (None, *listed) if None in found else listed
