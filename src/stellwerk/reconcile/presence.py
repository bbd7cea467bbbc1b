"""Whether the bytes that records name are there: asked of the remote itself, before anybody relies on them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from stellwerk.errors import StellwerkError, TrainingFailed
from stellwerk.model.views import Absence
from stellwerk.planning.candidate import find_candidate
from stellwerk.planning.gone import bytes_gone, package_gone
from stellwerk.reconcile.world import PACKAGES, data_remote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from stellwerk.model.declared import Environment, Model
    from stellwerk.model.observed import Version
    from stellwerk.model.ports import DataStore
    from stellwerk.planning.gates import Case
    from stellwerk.reconcile.world import State, World


class Needed(Struct, frozen=True, kw_only=True):
    """One content that a version needs. `remote` None: DVC's default. `words`: what it is, for people."""

    model: str
    number: int
    kind: str  # package | data
    md5: str
    remote: str | None
    words: str


def fetch(world: World, state: State, md5: str, destination: Path, *, remote: str | None) -> None:
    """As the store's `fetch`; bytes that went on purpose are an error that says so, even if a cache still has them."""
    if md5 in state.observed.erased:
        raise StellwerkError(f"{md5} was {bytes_gone(state.observed, md5)}", hint="nothing may bring it back")
    with telling(state, md5):
        world.store.fetch(md5, destination, remote=remote)


@contextmanager
def telling(state: State, md5: str) -> Iterator[None]:
    """Whatever fails to fetch these bytes in the block says, where a record does, that they went on purpose."""
    try:
        yield
    except TrainingFailed:
        raise
    except StellwerkError as error:
        words = bytes_gone(state.observed, md5)
        if not words:
            raise
        raise StellwerkError(f"{error.message} ({md5[:8]} was {words})", where=error.where, hint=error.hint) from error


def needed(state: State, model: Model, version: Version, environments: Iterable[Environment]) -> tuple[Needed, ...]:
    """What the version needs in these environments: its package, and its data where one of them measures it.

    Data that were erased by decision are needed nowhere.
    """
    record = version.record
    whose = f"{model.name} v{record.number}"
    package = Needed(
        model=model.name,
        number=record.number,
        kind="package",
        md5=record.package.md5,
        remote=PACKAGES,
        words=f"the package of {whose}",
    )
    measured = any(state.gates.route.policy(model, environment).measures for environment in environments)
    if not measured or record.data.md5 in state.observed.erased:
        return (package,)
    datasets = {dataset.name: dataset for dataset in state.project.datasets}
    dataset = datasets.get(record.data.dataset)
    data = Needed(
        model=model.name,
        number=record.number,
        kind="data",
        md5=record.data.md5,
        remote=data_remote(state.project, dataset) if dataset else None,
        words=f"the data of {whose} ({record.data.dataset} {record.data.md5[:8]})",
    )
    return (package, data)


def in_use(state: State, only: str | None = None) -> tuple[Needed, ...]:
    """What the versions need that are released, run, or are declared now; each content of a version once.

    `only`: what is released or runs in that environment.
    """
    found: dict[tuple[str, int, str], Needed] = {}
    for model in state.project.models:
        facts, route = state.facts(model), state.gates.route.of(model)
        numbers = {
            release.version
            for environment in route
            if only in (None, environment.name) and (release := state.release(environment.name, model.name)) is not None
        }
        numbers |= {
            deployment.version
            for where, deployment in facts.deployments.items()
            if deployment.version is not None and only in (None, where)
        }
        candidate = find_candidate(model, state.observed).number if model.train and only is None else None
        for number in sorted(numbers | ({candidate} if candidate is not None else set())):
            if number in facts.versions:
                there = route if only is None else [item for item in route if item.name == only]
                items = needed(state, model, facts.versions[number], there)
                found |= {(item.model, item.number, item.kind): item for item in items}
    return tuple(found.values())


def gone_on_purpose(state: State) -> tuple[Absence, ...]:
    """Of what is in use, what records say was erased or removed; no remote is asked."""
    if not state.observed.erased and not state.observed.removals:
        return ()
    found = []
    for item in in_use(state):
        version = state.version(state.model(item.model), item.number)
        if item.kind == "package" and (words := package_gone(state.observed, version.record)):
            found.append(_absence(item, "erased" if item.md5 in state.observed.erased else "removed", words))
            continue
        data = version.record.data
        if item.kind == "package" and data.md5 in state.observed.erased:
            words = bytes_gone(state.observed, data.md5)
            found.append(_absence(replace(item, kind="data", md5=data.md5), "erased", words))
    return tuple(found)


def absences(state: State, store: DataStore, only: str | None = None) -> tuple[Absence, ...]:
    """Of what is in use (in that environment), what the remotes lack, and what a remote would not tell."""
    known = {(item.model, item.version, item.kind) for item in gone_on_purpose(state)}
    items = [item for item in in_use(state, only) if (item.model, item.number, item.kind) not in known]
    lacking, silent = absent(store, items)
    unknown = [item for item in items if item.remote in silent]
    return (
        *(_absence(item, "missing", bytes_gone(state.observed, item.md5) or "not in the remote") for item in lacking),
        *(_absence(item, "unknown", silent[item.remote]) for item in unknown),
    )


def _absence(item: Needed, state: str, note: str) -> Absence:
    return Absence(
        model=item.model,
        version=item.number,
        kind=item.kind,
        md5=item.md5,
        remote=item.remote,
        state=state,
        note=note,
    )


def absent(store: DataStore, items: Iterable[Needed]) -> tuple[tuple[Needed, ...], Mapping[str | None, str]]:
    """Those that their remote does not hold, and what kept a remote from answering: one question to each remote."""
    remotes: dict[str | None, list[Needed]] = {}
    for item in items:
        remotes.setdefault(item.remote, []).append(item)
    found: list[Needed] = []
    silent: dict[str | None, str] = {}
    for remote, wanted in sorted(remotes.items(), key=lambda pair: pair[0] or ""):
        try:
            missing = store.missing({item.md5 for item in wanted}, remote=remote)
        except StellwerkError as error:
            silent[remote] = error.message
        else:
            found += [item for item in wanted if item.md5 in missing]
    return tuple(found), silent


def prove_there(world: World, state: State, case: Case, on_line: Callable[[str], None]) -> None:
    """Before the case's version is released: its objects are in the remotes, or are pushed there from the cache here.

    Raises StellwerkError that names what is missing, where, and what to do.
    """
    model, version = case.model, case.version
    if version is None:
        raise ValueError(model.name)
    judges = state.gates.route.judges(model, case.environment)
    items = needed(state, model, version, (*judges, case.environment))
    lacking, silent = absent(world.store, items)
    for remote, words in silent.items():
        raise StellwerkError(
            f"whether {model.name} v{version.record.number} can be released is not known: {words}",
            where=f"remote {remote or '(default)'}",
            hint="nothing was released; run it again when the remote answers",
        )
    for item in lacking:
        on_line(f"{item.words} is not in the remote {item.remote or '(default)'}: pushing it from the cache")
        try:
            world.store.push([item.md5], remote=item.remote)
        except StellwerkError as error:
            raise StellwerkError(
                f"{item.words} ({item.md5}) is not in the remote, so nothing is released: {error.message}",
                where=f"remote {item.remote or '(default)'}",
                hint="run stellwerk reconcile on a machine whose DVC cache has it (it is pushed from there), "
                "or train anew: change the model's `seed`",
            ) from error
