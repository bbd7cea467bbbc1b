"""What a whole plan shares with other processes, where there is much of it: to read the records, to plan the models.

What another process found is taken as if it came from the cache, so the answer is what it is without.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from stellwerk.adapters.git.survey import whole_of
from stellwerk.app.share import PIECES, Share

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import ExitStack
    from types import TracebackType
    from typing import Self, TypeVar

    from stellwerk.adapters.git.cache import BlobCache
    from stellwerk.adapters.git.read import WorkTree
    from stellwerk.adapters.git.survey import Survey
    from stellwerk.app.state import Loaded
    from stellwerk.app.workspace import Workspace
    from stellwerk.model.declared import Json
    from stellwerk.model.ports import Cache
    from stellwerk.planning.parts import Parts
    from stellwerk.reconcile.world import State

    T = TypeVar("T")

Found = dict[str, dict[str, Any]]  # by kind and id
MANY = 100  # models for which another process pays
FEW = 8  # models in a piece of work, at least


class Ahead:
    """A cache that also has what is read ahead of some kinds; the first question about one waits for all of them."""

    def __init__(self, cache: BlobCache, share: Share, recorded: WorkTree, *, kinds: frozenset[str]) -> None:
        self._cache, self._share, self._waiting = cache, share, kinds
        self.recorded = recorded

    def get(self, kind: str, blob: str) -> Json:
        if kind in self._waiting:
            self._waiting = frozenset()
            _keep(self._cache, self._share.results())
        return self._cache.get(kind, blob)

    def put(self, kind: str, blob: str, value: Json) -> None:
        self._cache.put(kind, blob, value)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._share.__exit__(kind, error, trace)


def records_ahead(workspace: Workspace, committed: Survey, others: ExitStack) -> Ahead | None:
    """Begins to read the records of a registry with other processes, which end with `others`.

    None where there are few, the cache has some, or no other process can be had.
    """
    from stellwerk.planning.registry import record_paths
    from stellwerk.planning.sheets import SEVERAL, RecordReader, prepare

    cache, evidence = workspace.cache, workspace.brief.evidence
    kinds = RecordReader(cache, evidence=evidence).kinds
    if len(committed.records) <= MANY or not Share.possible() or any(cache.keeps(kind) for kind in kinds):
        return None
    recorded, _ = whole_of(workspace.reader, committed)
    paths, _ = record_paths(recorded, RecordReader(cache, evidence=evidence))
    pieces = _cut(list(paths), least=SEVERAL)
    prepare(set(paths.values()))

    def read(piece: int) -> Found:
        kept = Kept()
        for _ in RecordReader(kept, evidence=evidence).read(recorded, {path: paths[path] for path in pieces[piece]}):
            pass
        return kept.found

    return others.enter_context(Ahead(cache, Share(len(pieces), read), recorded, kinds=kinds))


def read_all(workspace: Workspace, seen: Survey, ahead: Ahead | None) -> Loaded | None:
    """The state of the work tree, with the records that are read ahead; None where declarations put them elsewhere."""
    loader = replace(workspace.brief, cache=ahead) if ahead else workspace.brief
    declared, recorded = whole_of(workspace.reader, seen, ahead.recorded if ahead else None)
    return loader.read(declared, recorded, str(seen.head.commit), proposals=bool(seen.refs))


class PlannedAhead:
    """The models that another process can plan as well. What is new in the cache is written there."""

    def __init__(self, cache: BlobCache, state: State, parts: Parts, *, now: float) -> None:
        from stellwerk.planning.plan import Scope, planner_of

        self._cache, self._state, self._parts = cache, state, parts
        pieces = _cut(state.project.models)

        def plan(piece: int) -> tuple[dict[str, tuple[str, ...]], Found]:
            kept = Kept(cache)
            planner = planner_of(state.project, state.observed, now=now, cache=kept, scope=Scope(), parts=parts)
            found = {model.name: planner.part(model) for model in pieces[piece]}
            return {name: part.files.paths for name, part in found.items() if part.quiet}, kept.found

        self._new = cache.hand_over()
        self._share = Share(len(pieces), plan, before=lambda: cache.write(self._new))

    def join(self) -> None:
        """Plan what is left, and keep of which models there is nothing to say."""
        quiet: dict[str, tuple[str, ...]] = {}
        results = self._share.results()
        for paths, _ in results:
            quiet |= paths
        _keep(self._cache, [found for _, found in results])
        for model in self._state.project.models:
            if model.name in quiet:
                self._parts.keep_quiet(model, self._state.observed, quiet[model.name])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._share.__exit__(kind, error, trace)
        if not self._share.complete:
            self._cache.take_back(self._new)


def models_ahead(workspace: Workspace, state: State, parts: Parts, others: ExitStack) -> PlannedAhead | None:
    """Begins to plan the state's models with other processes, which end with `others`; the parts get what is found.

    None where there are few, or no other process can be had.
    """
    if len(state.project.models) <= MANY or not Share.possible():
        return None
    return others.enter_context(PlannedAhead(workspace.cache, state, parts, now=workspace.clock.now()))


class Kept:
    """A cache that keeps apart what it is told."""

    def __init__(self, known: Cache | None = None) -> None:
        self.found: Found = {}
        self._known = known

    def get(self, kind: str, blob: str) -> Json:
        return None if self._known is None else self._known.get(kind, blob)

    def put(self, kind: str, blob: str, value: Json) -> None:
        self.found.setdefault(kind, {})[blob] = value


def _cut(things: Sequence[T], *, least: int = FEW) -> list[Sequence[T]]:
    """In at most `PIECES` pieces of about the same length, which is not less than `least` where there are as many."""
    count = max(1, min(PIECES, len(things) // least))
    edges = [len(things) * number // count for number in range(count + 1)]
    return [things[start:end] for start, end in pairwise(edges)]


def _keep(cache: BlobCache, results: Sequence[Found]) -> None:
    for found in results:
        for kind, values in found.items():
            cache.put_all(kind, values)
