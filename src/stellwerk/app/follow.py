"""The state of a ref that moves step by step: of the next commit only what differs from the last one is read.

A run commits a record, and nothing else is new; it loses a race, and the records of some other models are. Whatever
else may have changed (a declaration, code, a snapshot, what was erased) is looked at as a whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from stellwerk.adapters.git.read import CommitTree, GitReader
from stellwerk.planning.carry import owner, read_by
from stellwerk.planning.gates import Gates
from stellwerk.planning.observe import Known, observe
from stellwerk.reconcile.world import State
from stellwerk.render.stage import GENERATED

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from stellwerk.app.state import Loaded, Loader
    from stellwerk.model.observed import ModelFacts, Observed

MANY = 400  # paths that git is asked about one by one; more are looked up among all


class Follower(Struct, kw_only=True):
    """Loads one commit after the other. `whole` says how many of them were read from nothing."""

    loader: Loader
    whole: int = 0
    _last: Loaded | None = None

    def state(self, commit: str | None) -> State:
        """The state of a commit, as the loader gives it."""
        loaded = self._after(self._last, commit) if self._last is not None and commit else None
        if loaded is None:
            loaded = self.loader.commit(commit)
            self.whole += 1
        self._last = loaded
        return loaded.state

    def _after(self, last: Loaded, commit: str) -> Loaded | None:
        """The state of the commit, from the last one; None where that is not enough."""
        before = last.state.observed
        if not before.basis:
            return None
        paths = changed(self.loader.reader, before.basis, commit) if before.basis != commit else ()
        if not _facts_of_models(last, paths):
            return None
        project, loader = last.state.project, self.loader
        observed = _with(last, CommitTree(loader.reader, commit, only=_asked(paths)), paths, loader)
        observed = replace(observed, basis=commit, branches=loader.branches(commit))
        authors = loader.threshold_authors(last.declarations, observed, commit)
        if authors != observed.threshold_authors:
            observed = replace(observed, threshold_authors=authors)
        gates = Gates(project, observed, last.state.gates.route, loader.clock.now())
        state = State(project=project, observed=observed, gates=gates, tree=CommitTree(loader.reader, commit))
        return replace(last, state=state)


def changed(reader: GitReader, old: str, new: str) -> tuple[str, ...]:
    """The paths in which two commits differ."""
    listing = reader.run("diff-tree", "-r", "-z", "--name-only", "--no-renames", old, new)
    return tuple(listing.decode("utf-8", "surrogateescape").split("\0")[:-1])


def _is_release(path: str) -> bool:
    return path.startswith("environments/") and owner(path) is not None


def _facts_of_models(last: Loaded, paths: Sequence[str]) -> bool:
    """Whether the paths hold records and releases of models, and outputs of trainings, and no more."""
    if len(paths) > MANY or any(owner(path) is None for path in paths):
        return False
    others = [path for path in paths if not path.startswith("registry/") and not _is_release(path)]
    if any(path.endswith((".py", *(f"/{name}" for name in GENERATED))) for path in others):
        return False
    project, observed = last.state.project, last.state.observed
    data = {dataset.path for dataset in project.datasets} | {f"{item.path}.dvc" for item in project.datasets}
    if data.intersection(paths) or set(last.declarations.files).intersection(paths):
        return False
    return not read_by((model.name for model in project.models), project, observed, paths)


def _asked(paths: Sequence[str]) -> tuple[str, ...]:
    """What is looked up of the new commit: all records of the models that have new ones, and the releases."""
    records = {f"registry/{path.split('/')[1]}/" for path in paths if path.startswith("registry/")}
    return (*sorted(records), *(path for path in paths if _is_release(path)))


def _with(last: Loaded, tree: CommitTree, paths: Sequence[str], loader: Loader) -> Observed:
    """What was observed, with the facts and releases that differ."""
    before, project = last.state.observed, last.state.project
    models = {path.split("/")[1] for path in paths if path.startswith("registry/")}
    places = [path for path in paths if _is_release(path)]
    if not models and not places:
        return before
    # A part has no code, so that what is known of it stays.
    known = Known(code=before.code, metric_code=before.metric_code, records=loader.kept.known.records)
    new = observe(project, tree, tree, cache=loader.cache, basis="", evidence=loader.evidence, known=known)
    prefixes = tuple(f"registry/{name}/" for name in models)
    unread = [item for item in before.unreadable if not item[0].startswith(prefixes) and item[0] not in places]
    found = {key: place for key, place in before.release_places.items() if place.path not in places}
    found = dict(sorted((found | dict(new.release_places)).items(), key=lambda item: item[1].path)) if places else found
    return replace(
        before,
        models=_replaced(before.models, new.models, models),
        releases={key: new.releases.get(key) or before.releases[key] for key in found} if places else before.releases,
        release_places=found,
        unreadable=tuple(sorted((*unread, *new.unreadable))),
    )


def _replaced(
    before: Mapping[str, ModelFacts], new: Mapping[str, ModelFacts], names: Collection[str]
) -> dict[str, ModelFacts]:
    merged = {name: value for name, value in before.items() if name not in names} | dict(new)
    return {name: merged[name] for name in sorted(merged)}
