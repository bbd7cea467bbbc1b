"""What a notebook becomes: written into the work tree, or compared with what an earlier notebook became."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from stellwerk.adapters.git.read import CommitTree
from stellwerk.app.session import write_rendered
from stellwerk.errors import StellwerkError, UsageError
from stellwerk.model.actions import Render, WaitKind
from stellwerk.model.declared import NOTEBOOK, Purpose
from stellwerk.model.views import Rendered
from stellwerk.planning.plan import Scope
from stellwerk.planning.sources import importable, texts_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stellwerk.app.session import Session
    from stellwerk.app.workspace import Workspace
    from stellwerk.model.declared import Model
    from stellwerk.model.records import CheckResult
    from stellwerk.reconcile.world import State


def convert_notebook(workspace: Workspace, name: str, *, check: bool) -> Rendered:
    """Write the module and the tests of the model's notebook; with `check` only say which differ."""
    loaded = workspace.loader.work_tree()
    workspace.loader.refuse_mistakes(loaded)
    model = _with_notebook(loaded.state, name)
    paths = loaded.state.observed.modules.get(model.name, {})
    plan = workspace.plan_of(loaded.state, Scope(model=name))
    renders = tuple(step.action for step in plan.steps if isinstance(step.action, Render) and step.action.path in paths)
    if not check:
        write_rendered(workspace.root, loaded.state.tree, renders)
    workspace.cache.flush()
    edited = (wait for wait in plan.waits if wait.kind is WaitKind.EDITED)
    return Rendered(renders=renders, left=tuple(wait for wait in edited if any(path in wait.reason for path in paths)))


def compare_notebook(workspace: Workspace, name: str, base: str) -> str:
    """A unified diff of what the notebook became at `base` and what it becomes now; '' where that is the same."""
    loaded = workspace.loader.work_tree()
    state = loaded.state
    model = _with_notebook(state, name)
    before = CommitTree(workspace.reader, workspace.reader.resolve(base))
    old = _texts(model, before.read([model.source or ""]), importable(before.blobs()))
    new = _texts(model, state.tree.read([model.source or ""]), importable(state.tree.blobs()))
    if not new:
        workspace.loader.refuse_mistakes(loaded)
        raise StellwerkError("there is no notebook", where=model.source or "", hint="write it, or correct `source:`")
    lines: list[str] = []
    for path in sorted({*old, *new}):
        was, now = (texts.get(path, "").splitlines() for texts in (old, new))
        names = (f"a/{path}" if path in old else "/dev/null", f"b/{path}" if path in new else "/dev/null")
        lines += difflib.unified_diff(_unsealed(was), _unsealed(now), *names, lineterm="")
    return "\n".join(lines)


def run_notebook(
    session: Session, state: State, name: str, timeout: float | None
) -> tuple[str, tuple[CheckResult, ...]]:
    """Run the notebook on the data of the model's first development environment; its name and the results."""
    from stellwerk.reconcile.check import notebook_checks

    model = _with_notebook(state, name)
    for environment in state.gates.route.of(model):
        if environment.purpose is Purpose.DEVELOPMENT:
            return environment.name, notebook_checks(session.world, state, model, environment, timeout)
    message = f"no environment of {name} has the purpose development, so nobody says which data its notebook may see"
    raise UsageError(message, hint="write environments/dev.yaml with `purpose: development`")


def _texts(model: Model, contents: Mapping[str, bytes], local: tuple[str, ...]) -> dict[str, str]:
    content = contents.get(model.source or "")
    return {} if content is None else texts_of(model, content, frozenset(local))


def _unsealed(lines: list[str]) -> list[str]:
    """Without the two lines of the head, which change with everything."""
    return lines[2:]


def _with_notebook(state: State, name: str) -> Model:
    model = state.model(name)
    if model.source is None or not model.source.endswith(NOTEBOOK):
        raise UsageError(f"the source of {name} is no notebook", hint=f"its `source:` is {model.source or 'not set'}")
    return model
