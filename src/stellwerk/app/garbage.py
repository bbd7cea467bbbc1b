"""`stellwerk gc`: what git and the work trees need, and then the use cases that delete the rest."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from stellwerk.adapters.dvc.garbage import CACHE, DvcGarbage
from stellwerk.adapters.git.history import contents, read_history
from stellwerk.adapters.git.read import CommitTree, WorkTree
from stellwerk.adapters.git.remote_names import find_remote
from stellwerk.app.decisions import decide_and_push
from stellwerk.errors import StellwerkError
from stellwerk.model.garbage import ErasureDone
from stellwerk.model.views import Decision
from stellwerk.planning.candidate import find_candidate
from stellwerk.planning.retention import MD5, PATTERNS, read_uses, reads
from stellwerk.reconcile.erase import Doomed, bury, named, serving, tombstone_path
from stellwerk.reconcile.garbage import ERASED, Need, Wish, record, survey, sweep

if TYPE_CHECKING:
    from stellwerk.app.session import Session
    from stellwerk.app.workspace import Workspace
    from stellwerk.model.garbage import Garbage
    from stellwerk.model.records import Erasure
    from stellwerk.reconcile.world import State, World

HASH = re.compile(r"[0-9a-f]{32}(?:\.dir)?")
TRAINING = ".dvc/tmp/stellwerk/*/tree/models/*/dvc.lock"


class GarbageRequest(Struct, frozen=True, kw_only=True):
    """What a person or a job asks of `gc`. `remotes` None: all. `grace` in seconds."""

    dry_run: bool
    grace: float
    remotes: tuple[str, ...] | None = None
    cache: bool = True
    unnamed: bool = False


def collect_garbage(workspace: Workspace, request: GarbageRequest) -> Garbage:
    """Delete what nothing needs; with `dry_run` only say what that is. The remote's branches are fetched first."""
    loaded = workspace.loader.work_tree()
    workspace.loader.refuse_mistakes(loaded)
    shelves = DvcGarbage(workspace.root)
    wish = Wish(
        places=shelves.places(request.remotes, cache=request.cache),
        everywhere=shelves.places(),
        grace=request.grace,
        unnamed=request.unnamed,
    )
    if request.dry_run:
        _fetch(workspace, workspace.session(loaded, push=None))
        return survey(_need(workspace, loaded.state), wish, shelves)
    return _collect(workspace, shelves, wish)


def erase(workspace: Workspace, what: str, *, because: str, current: bool) -> ErasureDone:
    """Erase a snapshot (`DATASET@REVISION` or its hash) or a package (`MODEL@NUMBER`) by decision, everywhere."""
    shelves = DvcGarbage(workspace.root)
    places = shelves.places()
    buried: list[tuple[Erasure, tuple[str, ...]]] = []

    def make(world: World, state: State) -> Decision:
        doomed = _doomed(workspace, state, what)
        if doomed.md5.endswith(".dir"):
            files = shelves.folders([doomed.md5], places)[doomed.md5] or frozenset()
            doomed = replace(doomed, files=tuple(sorted(files - {doomed.md5})))
        erasure, commit = bury(world, state, doomed, because=because, current=current)
        buried.append((erasure, serving(state, erasure.depended)))
        return Decision(summary=f"erased: {doomed.words}", commit=commit, pushed=False)

    decision = decide_and_push(workspace, make, push=None)[0]
    erasure, serves = buried[-1]
    return ErasureDone(
        summary=decision.summary,
        path=tombstone_path(erasure.md5),
        commit=decision.commit,
        depended=erasure.depended,
        serving=serves,
        garbage=_collect(
            workspace, shelves, Wish(places=places, everywhere=places, grace=0, kinds=frozenset({ERASED}))
        ),
    )


def _collect(workspace: Workspace, shelves: DvcGarbage, wish: Wish) -> Garbage:
    """Record and push what goes, then delete it. Raises StellwerkError, nothing deleted, where it cannot be pushed."""
    found: list[Garbage] = []
    erased: set[str] = set()

    def make(world: World, state: State) -> Decision:
        erased.update(state.observed.erased)
        need = _need(workspace, state)
        found.append(survey(need, wish, shelves))
        return Decision(summary="gc", commit=record(world, need, found[-1]), pushed=False)

    decision, session = decide_and_push(workspace, make, push=None)
    if session.publisher.remote is None and find_remote(workspace.reader, workspace.reader.head().branch):
        raise StellwerkError(
            "the remote cannot be reached, so nobody knows what others need: nothing was deleted",
            where=str(workspace.root),
            hint="what was decided is recorded; stellwerk gc finishes it when the remote answers",
        )

    def look() -> Need:
        _fetch(workspace, session)
        return _need(workspace, workspace.loader.commit(session.writer.tip()).state)

    swept = sweep(session.world, found[-1], look, wish, shelves)
    if any(place.name == CACHE for place in wish.places):
        shelves.forget(erased)
    workspace.cache.flush()
    return replace(swept, commit=decision.commit, pushed=decision.pushed)


def _fetch(workspace: Workspace, session: Session) -> None:
    """The remote's branches, its records ref and its tags: whatever any of them needs stays."""
    session.publisher.fetch()
    remote = find_remote(workspace.reader, workspace.reader.head().branch)
    if remote is not None:
        workspace.reader.run("fetch", "--quiet", "--no-tags", remote, f"+refs/tags/*:refs/stellwerk/tags/{remote}/*")


def _need(workspace: Workspace, state: State) -> Need:
    """Everything that any ref, the work tree, and the trainings that run here need."""
    entries = read_history(workspace.reader, PATTERNS)
    texts = contents(workspace.reader, [entry for entry in entries if reads(entry.path)])
    always = _loose(workspace)
    for model in state.project.models:
        version = find_candidate(model, state.observed).version if model.train else None
        if version is not None:
            words = f"{model.name} v{version.record.number} is what is declared now"
            always |= dict.fromkeys((version.record.package.md5, version.record.data.md5), words)
    return Need(
        uses=read_uses(entries, texts),
        retention=state.project.limits.retention,
        observed=state.observed,
        now=workspace.clock.now(),
        always=always,
    )


def _loose(workspace: Workspace) -> dict[str, str]:
    """What pointers and lock files name that are not committed: in the work tree, and where something is trained."""
    tree = WorkTree(workspace.reader)
    wanted = [path for path in tree.blobs() if path in tree.dirty and path.endswith((".dvc", "dvc.lock"))]
    texts = dict(tree.read(wanted))
    texts |= {file.as_posix(): file.read_bytes() for file in workspace.root.glob(TRAINING)}
    return {
        found.decode(): f"{path} here names it, uncommitted"
        for path, text in texts.items()
        for found in MD5.findall(text)
    }


def _doomed(workspace: Workspace, state: State, what: str) -> Doomed:
    """What the person named. Raises StellwerkError that lists what there is."""
    name, revision = named(what)
    datasets = {dataset.name for dataset in state.project.datasets}
    if name not in datasets and name in state.observed.models and revision.removeprefix("v").isdigit():
        model = state.model(name)
        version = state.version(model, int(revision.removeprefix("v")))
        return Doomed(
            md5=version.record.package.md5, model=model, number=version.record.number, commit=state.observed.basis
        )
    dataset = state.dataset(name)
    pointer = f"{dataset.path}.dvc"
    history = read_history(workspace.reader, [re.sub(r"([*?\[\\])", r"\\\1", pointer)])
    texts = contents(workspace.reader, history)
    if HASH.fullmatch(revision):
        if not any(revision.encode() in text for text in texts.values()):
            raise StellwerkError(
                f"no commit here has a pointer of {name} to {revision}", where=pointer, hint=f"git log -p -- {pointer}"
            )
        return Doomed(md5=revision, dataset=dataset, commit=_naming(workspace, pointer, revision))
    commit = workspace.reader.resolve(revision)
    text = CommitTree(workspace.reader, commit).read([pointer]).get(pointer, b"")
    found = MD5.findall(text)
    if len(found) != 1:
        raise StellwerkError(
            f"{revision} has no pointer of {name} to one content", where=pointer, hint=f"git log -p -- {pointer}"
        )
    return Doomed(md5=found[0].decode(), dataset=dataset, commit=commit)


def _naming(workspace: Workspace, pointer: str, md5: str) -> str | None:
    """The newest commit that changed whether the pointer names these bytes."""
    return workspace.reader.text("log", "--all", "--max-count=1", "--format=%H", f"-S{md5}", "--", pointer) or None
