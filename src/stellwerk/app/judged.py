"""What is wrong in the work tree. It is kept under the ids of all it rests on: the same files are judged once."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from msgspec import ValidationError, convert, to_builtins

from stellwerk.adapters.git.read import CommitTree, WorkTree
from stellwerk.adapters.git.survey import survey
from stellwerk.app.quick import PROMOTIONS, listing_of, uncollected
from stellwerk.model.findings import DeclarationsError, Finding
from stellwerk.planning.settled import whole_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from stellwerk.adapters.git.survey import Survey
    from stellwerk.app.ahead import Ahead
    from stellwerk.app.state import Loaded
    from stellwerk.app.workspace import Workspace

KIND = "findings-2"
Judged = tuple[tuple[Finding, ...], dict[str, str]]  # findings, and the text of the files they are in


def judge_work_tree(workspace: Workspace, base: str | None) -> Judged:
    """Every finding; with `base`, a commit, also those that compare."""
    with ExitStack() as others, uncollected():
        ahead: list[Ahead | None] = []

        def read_ahead(committed: Survey, _: Callable[[], bool]) -> None:
            if not workspace.cache.keeps(KIND):
                from stellwerk.app.ahead import records_ahead

                ahead.append(records_ahead(workspace, committed, others))

        seen = survey(workspace.reader, *PROMOTIONS, meanwhile=read_ahead)
        key = whole_key(listing_of(seen), base or "") if seen is not None else None
        if seen is not None and key is not None and (known := _kept(workspace, seen, key)):
            return known
        try:
            loaded = _loaded(workspace, seen, *ahead)
        except DeclarationsError as error:
            return error.findings, dict(error.sources)
        before = None
        if base is not None:
            from stellwerk.declarations.compose import load_declarations

            before, _ = load_declarations(CommitTree(workspace.reader, base), cache=workspace.cache)
        findings = workspace.loader.judged(loaded, before)
        if key is not None and loaded.declarations.project.records.ref is None:
            _keep(workspace, key, findings)
        workspace.cache.flush()
        return findings, workspace.loader.sources(loaded.state.tree, findings)


def _loaded(workspace: Workspace, seen: Survey | None, ahead: Ahead | None = None) -> Loaded:
    from stellwerk.app.ahead import read_all

    loaded = read_all(workspace, seen, ahead) if seen is not None else None
    return loaded or workspace.brief.work_tree()


def _kept(workspace: Workspace, seen: Survey, key: str) -> Judged | None:
    """What was found in the very same files before."""
    stored = workspace.cache.get(KIND, key)
    if stored is None:
        return None
    try:
        findings = convert(stored, tuple[Finding, ...])
    except ValidationError:
        return None
    contents = WorkTree(workspace.reader, listed=seen.files).read({finding.place.path for finding in findings})
    return findings, {path: content.decode("utf-8", "replace") for path, content in contents.items()}


def _keep(workspace: Workspace, key: str, findings: Iterable[Finding]) -> None:
    workspace.cache.put(KIND, key, to_builtins(tuple(findings)))
