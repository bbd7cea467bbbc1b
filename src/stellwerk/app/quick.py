"""A plan that looks only at what changed since the last one. Its answer is that of a whole plan."""

from __future__ import annotations

import gc
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from stellwerk.adapters.git.survey import Survey, survey
from stellwerk.app.meanwhile import STORED, Readiness
from stellwerk.planning.settled import (
    KIND,
    QUIET,
    Claim,
    Listing,
    Memory,
    exact_key,
    face_of,
    part,
    remember,
    to_json,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from stellwerk.app.ahead import Ahead
    from stellwerk.app.state import Loaded
    from stellwerk.app.workspace import Workspace
    from stellwerk.model.actions import Plan
    from stellwerk.model.declared import Json
    from stellwerk.model.ports import Cache

RECORDS = ("versionrecord", "verdict", "approval", "deployment", "incident", "release")  # kinds of the cache
PROMOTIONS = ("refs/heads/stellwerk/promote/", "refs/remotes/*/stellwerk/promote/**")


class Planned(Struct, frozen=True, kw_only=True):
    """A plan, and the files it rests on that must be committed before a reconcile."""

    plan: Plan
    uncommitted: tuple[str, ...] = ()


def plan_work_tree(workspace: Workspace) -> Planned | None:
    """The plan of the work tree; None where it must be made from nothing."""
    with ExitStack() as others:
        return _plan(workspace, others)


def _plan(workspace: Workspace, others: ExitStack) -> Planned | None:
    """`others` ends the processes that help, which begin as soon as it is known that there is work for them."""
    ahead: list[Ahead | None] = []
    ready = Readiness(workspace.cache)

    def meanwhile(committed: Survey, at_work: Callable[[], bool]) -> None:
        if workspace.cache.keeps(KIND):
            ready.make(listing_of(committed), at_work)
        else:
            from stellwerk.app.ahead import records_ahead

            ahead.append(records_ahead(workspace, committed, others))

    seen = survey(workspace.reader, *PROMOTIONS, meanwhile=meanwhile)
    if seen is None:
        return None
    listing = listing_of(seen)
    quiet = workspace.cache.get(QUIET, STORED)
    if quiet is not None and quiet == exact_key(listing):
        return Planned(plan=empty_plan(seen))
    memory = ready.memory
    changed = ready.unsettled(listing)
    if memory is not None and changed is not None:
        if not changed and memory.empty:
            _keep(workspace, listing, memory, memory)
            return Planned(plan=empty_plan(seen))
        few = part(listing, memory, changed)
        found = _plan_part(workspace, seen, listing, memory, few) if few is not None else None
        if found is not None:
            return found
    return _plan_whole(workspace, seen, listing, others, *ahead)


def listing_of(seen: Survey) -> Listing:
    """The ids of what a plan could read."""
    return Listing(files=seen.files, records=seen.records, refs=seen.refs)


def empty_plan(seen: Survey) -> Plan:
    """Nothing to do at that commit."""
    from stellwerk.model.plan import Plan

    return Plan(basis=str(seen.head.commit))


def _plan_whole(
    workspace: Workspace, seen: Survey, listing: Listing, others: ExitStack, ahead: Ahead | None = None
) -> Planned | None:
    from stellwerk.app.ahead import models_ahead, read_all
    from stellwerk.model.actions import Render, WaitKind
    from stellwerk.planning.parts import Parts

    with uncollected():
        loaded = read_all(workspace, seen, ahead)
        if loaded is None:
            return None
        parts = Parts()
        planned = models_ahead(workspace, loaded.state, parts, others)
        workspace.brief.refuse_mistakes(loaded)
        if planned is not None:
            planned.join()
        plan, settled = workspace.plan_and_settled(loaded.state, parts=parts)
        empty = not plan.steps and not plan.waits
        pending = any(isinstance(step.action, Render) and step.action.model is None for step in plan.steps)
        pending = pending or any(wait.kind is WaitKind.EDITED and wait.model is None for wait in plan.waits)
        if not pending:  # the files of CI rest on all models: a plan of some of them says nothing about those
            _keep(workspace, listing, remember(listing, _claims(loaded), settled, empty=empty))
        return Planned(plan=plan, uncommitted=_uncommitted(workspace, loaded, seen))


@contextmanager
def uncollected() -> Iterator[None]:
    """No search for cycles, here and later: a plan makes hundreds of thousands of objects and hardly one cycle."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.freeze()  # else the next object would have all of them searched
            gc.enable()


def _plan_part(
    workspace: Workspace,
    seen: Survey,
    listing: Listing,
    memory: Memory,
    few: tuple[frozenset[str], frozenset[str]],
) -> Planned | None:
    """The plan of the shown models alone; None where that is not the whole answer."""
    from stellwerk.errors import StellwerkError
    from stellwerk.planning.plan import concerns_models_only

    shown, hidden = few
    loader = replace(workspace.brief, cache=_WithoutRecords(workspace.cache))
    folders = seen.records.keys() - {
        folder for name, claim in memory.claims.items() if name not in shown for folder in claim.records
    }
    try:
        loaded = loader.part(seen, hidden=hidden, records=folders)
        if loaded is None:
            return None
        loader.refuse_mistakes(loaded)
    except StellwerkError:
        return None  # the whole look says it better
    claims = _claims(loaded)
    if claims.keys() != shown or any(_reaches_out(memory.claims[name], claims[name]) for name in shown):
        return None
    plan, settled = workspace.plan_and_settled(loaded.state, few=True)
    if not concerns_models_only(plan):
        return None
    if seen.files == seen.committed:  # what is not committed has no key to be remembered under
        others = memory.settled.keys() - shown
        empty = not plan.steps and not plan.waits and len(others) + len(shown) == len(memory.claims)
        now = remember(listing, {**memory.claims, **claims}, others | settled, empty=empty)
        _keep(workspace, listing, now, memory)
    return Planned(plan=plan, uncommitted=_uncommitted(workspace, loaded, seen))


def _uncommitted(workspace: Workspace, loaded: Loaded, seen: Survey) -> tuple[str, ...]:
    from stellwerk.app.rerun import only_run
    from stellwerk.app.state import inputs_of

    paths = inputs_of(loaded) & (seen.files.keys() | seen.committed.keys())
    changed = {path for path in paths if seen.files.get(path) != seen.committed.get(path)}
    return tuple(sorted(changed - only_run(workspace.reader, changed)))


class _WithoutRecords:
    """The cache without the kinds that hold every record: a few are read again sooner than all of them are loaded."""

    def __init__(self, cache: Cache) -> None:
        self.cache = cache

    def get(self, kind: str, blob: str) -> Json:
        return None if kind.startswith(RECORDS) else self.cache.get(kind, blob)

    def put(self, kind: str, blob: str, value: Json) -> None:
        if not kind.startswith(RECORDS):
            self.cache.put(kind, blob, value)


def _reaches_out(before: Claim, now: Claim) -> bool:
    """Whether the model changed in something that others may depend on."""
    return before.face != now.face or before.declared != now.declared or before.records != now.records


def _keep(workspace: Workspace, listing: Listing, memory: Memory | None, before: Memory | None = None) -> None:
    if memory is None:
        return
    if memory is not before and memory != before:
        workspace.cache.put(KIND, STORED, to_json(memory))
    key = exact_key(listing) if memory.quiet else None
    if key is not None:
        workspace.cache.put(QUIET, STORED, key)


def _claims(loaded: Loaded) -> dict[str, Claim]:
    """What each model of the state rests on."""
    state, own = loaded.state, loaded.declarations.sources.own_files()
    observed, paths = state.observed, state.tree.blobs()
    rendered: dict[str, list[str]] = {}
    for path in observed.generated:
        rendered.setdefault(path.split("/")[1], []).append(path)
    pointers = {name: pointer.place for name, pointer in observed.pointers.items()}
    models = loaded.declarations.value.get("models")
    written: Mapping[str, object] = models if isinstance(models, dict) else {}
    claims = {}
    for model in state.project.models:
        files: set[str] = {own.get(model.name, ""), model.source or "", *rendered.get(model.name, ())}
        files.update(file.path for file in observed.code.get(model.name, ()))
        files.update(file.path for file in observed.metric_code.get(model.name, ()))
        if model.train is not None:
            files.add(pointers.get(model.train.data, ""))
        said = written.get(model.name)
        claims[model.name] = Claim(
            declared=own.get(model.name, ""),
            files=_present(files, paths),
            records=(model.name, model.previously) if model.previously else (model.name,),
            face=face_of(model.name, said if isinstance(said, dict) else {}),
        )
    return claims


def _present(files: Collection[str], paths: Collection[str]) -> tuple[str, ...]:
    return tuple(sorted(path for path in files if path in paths))
