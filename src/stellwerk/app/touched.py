"""Who touched which threshold between two commits: each commit's declarations against its parents'."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from stellwerk.adapters.git.read import CommitTree, changed_paths
from stellwerk.declarations.compose import load_declarations
from stellwerk.metrics.judge import metric_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stellwerk.app.workspace import Workspace
    from stellwerk.declarations.compose import Declarations
    from stellwerk.model.declared import Threshold

MOST_COMMITS = 100  # whose declarations are read; the newest
FIELD = "\x1f"
NOBODY = "not committed yet"

Thresholds = dict[tuple[str, str], "Threshold"]


class Touches(Struct, frozen=True, kw_only=True):
    """(model, metric) -> who touched the threshold, as `Name <email>`. `note` says what is not known."""

    authors: Mapping[tuple[str, str], tuple[str, ...]]
    note: str = ""


def threshold_touches(workspace: Workspace, now: Declarations, before: Declarations | None, base: str) -> Touches:
    """The authors of the commits since `base` that changed a threshold's value, however its file was written.

    A merge touched what none of its parents has. Of a shallow clone's first commits it cannot be known.
    """
    reader = workspace.reader
    paths = sorted({*now.files, *(before.files if before else ()), "mlops.yaml"})
    shape = FIELD.join(("%H", "%P", "%an <%ae>"))
    listed = reader.text(
        "log", "--full-history", f"--max-count={MOST_COMMITS + 1}", f"--format={shape}", f"{base}..HEAD", "--", *paths
    ).splitlines()
    known: dict[str, Thresholds] = {}

    def at(commit: str) -> Thresholds:
        if commit not in known:
            declarations, _ = load_declarations(CommitTree(reader, commit), cache=workspace.cache)
            known[commit] = thresholds_of(declarations)
        return known[commit]

    found: dict[tuple[str, str], list[str]] = {}
    cut = False
    for line in listed[:MOST_COMMITS]:
        commit, parents, author = line.split(FIELD)
        if not parents:
            cut = True  # the edge of a shallow clone, or a first commit
            continue
        earlier = [at(parent) for parent in parents.split()]
        for key in _changed(at(commit), earlier):
            found.setdefault(key, []).append(author)
    head = reader.head().commit or ""
    if changed_paths(reader) & set(paths):
        for key in _changed(thresholds_of(now), [at(head)]):
            found.setdefault(key, []).append(NOBODY)
    note = ""
    if len(listed) > MOST_COMMITS:
        note = f"who touched a threshold is known of the newest {MOST_COMMITS} commits alone"
    elif cut and reader.shallow:
        note = "this clone is shallow: who else touched a threshold cannot be seen"
    return Touches(authors={key: tuple(sorted(set(names))) for key, names in found.items()}, note=note)


def thresholds_of(declarations: Declarations | None) -> Thresholds:
    """Every threshold, by model and metric."""
    models = declarations.project.models if declarations else ()
    return {(model.name, metric_name(item)): item for model in models for item in model.thresholds}


def _changed(now: Thresholds, earlier: list[Thresholds]) -> list[tuple[str, str]]:
    """The thresholds that are in none of the earlier states what they are now."""
    keys = sorted({*now, *(key for state in earlier for key in state)})
    return [key for key in keys if all(now.get(key) != state.get(key) for state in earlier)]
