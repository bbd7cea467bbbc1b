"""Write generated files, and move the records of a renamed model: one commit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stellwerk.model.actions import Render, Step
from stellwerk.model.views import Done
from stellwerk.reconcile.messages import message

if TYPE_CHECKING:
    from stellwerk.model.ports import Tree
    from stellwerk.reconcile.world import World


def render(world: World, tree: Tree, steps: list[Step]) -> Done:
    """Commit all renders of a plan together."""
    changes: dict[str, bytes | None] = {}
    names = set()
    for step in steps:
        if isinstance(step.action, Render):
            names.add(step.action.model or "CI")
            changes |= render_changes(step.action, tree)
    models = ", ".join(sorted(names)[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")  # noqa: PLR2004
    count = f"{len(changes)} file" + ("s" if len(changes) != 1 else "")
    summary = f"render: {count} of {models}"
    renames = [step.action for step in steps if isinstance(step.action, Render)]
    moved = [(action.rename_from, action.path) for action in renames if action.rename_from is not None]
    if moved:
        pairs = [f"{old.removeprefix('registry/')} to {new.removeprefix('registry/')}" for old, new in moved]
        more = f" and {len(pairs) - 3} more" if len(pairs) > 3 else ""  # noqa: PLR2004
        summary = f"rename: {', '.join(pairs[:3])}{more}"
        names = {new.removeprefix("registry/") for _, new in moved}
    body = "\n".join(f"{step.reason}: {step.action.path}" for step in steps if isinstance(step.action, Render))
    text = message(summary, body, world.actor, action="render", model=min(names) if len(names) == 1 else None)
    return Done(step=steps[0], summary=summary, commit=world.commits.commit(changes, text))


def render_changes(action: Render, tree: Tree) -> dict[str, bytes | None]:
    """Path -> content of one render; a rename moves the registry, the releases and the stage's lock."""
    if action.rename_from is None:
        return {action.path: None if action.text is None else action.text.encode()}
    old, new = action.rename_from.removeprefix("registry/"), action.path.removeprefix("registry/")
    moves = {}
    for path in tree.blobs():
        parts = path.split("/")
        if path.startswith(f"registry/{old}/"):
            moves[path] = f"registry/{new}/{path.removeprefix(f'registry/{old}/')}"
        elif len(parts) == 3 and parts[0] == "environments" and parts[2] == f"{old}.yaml":  # noqa: PLR2004
            moves[path] = f"environments/{parts[1]}/{new}.yaml"
        elif path in (f"models/{old}/dvc.lock", f"models/{old}/metrics.json"):
            moves[path] = f"models/{new}/{parts[2]}"
    contents = tree.read(moves)
    changes: dict[str, bytes | None] = dict.fromkeys(moves)
    changes |= {moves[path]: content for path, content in contents.items()}
    return changes
