"""`stellwerk render`: bring the generated files into the work tree, for a person to commit."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from stellwerk.app.session import write_rendered
from stellwerk.errors import StellwerkError
from stellwerk.model.actions import Render, WaitKind
from stellwerk.model.views import Rendered
from stellwerk.planning.forge_files import facts_of
from stellwerk.planning.generated import FORGE_FILES
from stellwerk.planning.plan import Scope
from stellwerk.render.stage import GENERATED

if TYPE_CHECKING:
    from pathlib import Path

    from stellwerk.app.workspace import Workspace
    from stellwerk.model.actions import Plan, Wait
    from stellwerk.model.declared import Project

NAMED = 3


def render_files(workspace: Workspace, *, check: bool, force: tuple[str, ...], directory: Path) -> Rendered:
    """Write what is missing or outdated and delete what nothing needs; with `check` only say so.

    `force` are files that are overwritten although somebody edited them: as seen from `directory`, or from the root of
    the repository. Raises StellwerkError where no file of that name is rendered.
    """
    loaded = workspace.loader.work_tree()
    workspace.loader.refuse_mistakes(loaded)
    state = loaded.state
    lying = {**state.observed.generated, **state.observed.forge_files}
    known = {path for path, file in lying.items() if file.state != "foreign"}
    known |= set(state.observed.forge_files) if state.project.workflows else set()
    known |= {f"models/{model.name}/{name}" for model in state.project.models if model.train for name in GENERATED}
    known |= {path for paths in state.observed.modules.values() for path in paths}
    forced = tuple(_known(name, known, directory, workspace.root) for name in force)
    plan = workspace.plan_of(state, Scope(force=forced))
    renders = _renders(plan)
    if not check:
        _refuse_links(workspace.root, renders)
        write_rendered(workspace.root, state.tree, renders)
    workspace.cache.flush()
    return Rendered(renders=renders, left=_left(plan), gaps=() if check else _gaps(state.project, renders))


def _left(plan: Plan) -> tuple[Wait, ...]:
    """What is not rendered although it differs."""
    return tuple(wait for wait in plan.waits if wait.kind is WaitKind.EDITED or "--confirm-removals" in wait.unblock)


def _gaps(project: Project, renders: tuple[Render, ...]) -> tuple[str, ...]:
    """What the CI service cannot do of what the files that were just written ask for."""
    from stellwerk.render.capabilities import comment_lines, gaps
    from stellwerk.render.pipelines import pipelines

    written = {render.path for render in renders if render.text is not None}
    facts = facts_of(project)
    if facts is None or not written & set(FORGE_FILES):
        return ()
    return comment_lines(gaps(pipelines(facts), facts.workflows))


def _renders(plan: Plan) -> tuple[Render, ...]:
    """What can be rendered now: the files of a model that is still released somewhere are kept until it is not."""
    return tuple(step.action for step in plan.steps if isinstance(step.action, Render) and not step.needs)


def _known(name: str, known: set[str], directory: Path, root: Path) -> str:
    seen = os.path.relpath(directory.resolve() / name, root.resolve()).replace(os.sep, "/")
    for path in (seen, os.path.normpath(name).replace(os.sep, "/")):
        if path in known:
            return path
    named = ", ".join(sorted(known)[:NAMED]) + (f" and {len(known) - NAMED} more" if len(known) > NAMED else "")
    hint = f"rendered are {named}" if known else "no model is declared whose files could be rendered"
    raise StellwerkError("this is not a file that is rendered", where=name, hint=hint)


def _refuse_links(root: Path, renders: tuple[Render, ...]) -> None:
    """Nothing is written through a link: it may lead anywhere."""
    for render in renders:
        for parent in (root / render.path).parents:
            if parent == root:
                break
            if parent.is_symlink():
                raise StellwerkError(
                    "a folder on the way is a symbolic link, and nothing is written through one",
                    where=render.path,
                    hint="replace the link by a folder",
                )
