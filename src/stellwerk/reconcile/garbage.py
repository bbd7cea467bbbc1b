"""Take out of cache and remotes what nothing needs, and what somebody decided to erase. Records come before deletions.

Every deletion can be repeated: a run that is killed leaves objects that the next one takes, and never a record that
says less than is gone.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct, field
from msgspec.structs import replace

from stellwerk.declarations.records import dump
from stellwerk.errors import StellwerkError
from stellwerk.model.garbage import Garbage, Goes, Place, Stored, Sweep
from stellwerk.model.records import Removal
from stellwerk.planning.gone import erased_words
from stellwerk.planning.retention import Uses, Verdicts, decide
from stellwerk.reconcile.messages import message

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from stellwerk.model.declared import Retention
    from stellwerk.model.observed import Observed
    from stellwerk.reconcile.world import World

ERASED, RETENTION, UNNAMED = "erased", "retention", "unnamed"
CACHE = "cache"


class Shelves(Protocol):
    """Where bytes lie; see `adapters.dvc.garbage.DvcGarbage`."""

    def stored(self, place: Place) -> tuple[Stored, ...]: ...

    def folders(self, hashes: Iterable[str], places: Iterable[Place]) -> Mapping[str, frozenset[str] | None]: ...

    def delete(self, place: Place, hashes: Iterable[str]) -> int: ...


class Need(Struct, frozen=True, kw_only=True):
    """What is known of the bytes that git names. `always` maps contents that are needed now to the reason."""

    uses: Uses
    retention: Retention
    observed: Observed
    now: float
    always: Mapping[str, str] = field(default_factory=dict)

    def verdicts(self) -> Verdicts:
        """What stays and what may go, decisions to erase left out; what earlier runs began to remove may go as well."""
        judged = decide(self.uses.uses, self.retention, self.now)
        erased = self.observed.erased
        kept = {md5: words for md5, words in {**self.always, **judged.kept}.items() if md5 not in erased}
        expired = {
            md5: f"removed by retention on {removal.at[:10]}"
            for removal in self.observed.removals
            for md5 in removal.objects
        } | dict(judged.expired)
        return Verdicts(
            kept=kept,
            expired={md5: words for md5, words in expired.items() if md5 not in kept and md5 not in erased},
        )


class Wish(Struct, frozen=True, kw_only=True):
    """What a person asked of a run. `grace`, in seconds: objects younger than that stay; 0: none does.

    `unnamed`: take also from shared places what no commit here names. `kinds`: take nothing else. `places` are swept;
    the lists of folders are looked for in `everywhere`.
    """

    places: tuple[Place, ...]
    everywhere: tuple[Place, ...]
    grace: float
    unnamed: bool = False
    kinds: frozenset[str] = frozenset({ERASED, RETENTION, UNNAMED})


class _Tally(Struct):
    """What was found in one place so far."""

    goes: list[Goes] = field(default_factory=list)
    stays: dict[str, tuple[int, int]] = field(default_factory=dict)
    young: tuple[int, int] = (0, 0)
    unnamed: tuple[int, int] = (0, 0)

    def stay(self, reason: str, size: int) -> None:
        count, total = self.stays.get(reason, (0, 0))
        self.stays[reason] = (count + 1, total + size)


class Sorter:
    """Tells for each object why it stays or goes."""

    def __init__(self, need: Need, wish: Wish, shelves: Shelves) -> None:
        self.need, self.wish = need, wish
        judged = need.verdicts()
        erased = need.observed.erased
        folders = shelves.folders({*judged.kept, *judged.expired}, wish.everywhere)
        self.names = dict(need.uses.names)
        self.kept = self._with_files(judged.kept, folders)
        self.expired = {
            md5: words for md5, words in self._with_files(judged.expired, folders).items() if md5 not in self.kept
        }
        self.direct = frozenset(judged.expired)
        self.erased = {md5: erased_words(item) for item in erased.values() for md5 in (item.md5, *item.files)}
        self.erased = {md5: words for md5, words in self.erased.items() if md5 in erased or md5 not in self.kept}
        self.lost = tuple(sorted(md5 for md5 in judged.kept if md5.endswith(".dir") and folders.get(md5) is None))

    def _with_files(self, reasons: Mapping[str, str], folders: Mapping[str, frozenset[str] | None]) -> dict[str, str]:
        found = dict(reasons)
        for md5, words in reasons.items():
            for file in folders.get(md5) or ():
                found.setdefault(file, words)
                self.names.setdefault(file, f"a file of {self.names.get(md5, md5)}")
        return found

    def sort(self, place: Place, stored: Iterable[Stored]) -> Sweep:
        """What goes from the place, and how much stays for which reason."""
        tally = _Tally()
        for item in stored:
            self._put(place, item, tally)
        return Sweep(
            place=place,
            goes=tuple(tally.goes),
            stays=dict(sorted(tally.stays.items())),
            young=tally.young,
            unnamed=tally.unnamed,
        )

    def _put(self, place: Place, item: Stored, tally: _Tally) -> None:
        kind, reason = self._kind(item.md5)
        if kind == ERASED and ERASED in self.wish.kinds:
            tally.goes.append(self._goes(item, kind, reason))
        elif not kind or kind not in self.wish.kinds:
            tally.stay(reason, item.size)
        elif self.lost and item.md5 not in self.direct:
            tally.stay("may be of a needed folder whose list is nowhere", item.size)
        elif self._young(item):
            tally.young = (tally.young[0] + 1, tally.young[1] + item.size)
        elif kind == UNNAMED and not place.own and not self.wish.unnamed:
            tally.unnamed = (tally.unnamed[0] + 1, tally.unnamed[1] + item.size)
        else:
            tally.goes.append(self._goes(item, kind, reason))

    def _kind(self, md5: str) -> tuple[str, str]:
        """(kind, reason); '' for what stays."""
        if md5 in self.erased:
            return ERASED, self.erased[md5]
        if md5 in self.kept:
            return "", self.kept[md5]
        if md5 in self.expired:
            return RETENTION, self.expired[md5]
        return UNNAMED, "no commit names it"

    def _goes(self, item: Stored, kind: str, reason: str) -> Goes:
        what = self.names.get(item.md5, "unknown")
        return Goes(md5=item.md5, size=item.size, kind=kind, what=what, reason=reason)

    def _young(self, item: Stored) -> bool:
        return self.wish.grace > 0 and (item.modified is None or self.need.now - item.modified < self.wish.grace)


def survey(need: Need, wish: Wish, shelves: Shelves) -> Garbage:
    """What would go and what stays; nothing is changed. A place that cannot be asked is a problem of its own."""
    sorter = Sorter(need, wish, shelves)
    sweeps = []
    for place in wish.places:
        try:
            sweeps.append(sorter.sort(place, shelves.stored(place)))
        except StellwerkError as error:
            sweeps.append(Sweep(place=place, problem=error.message))
    return Garbage(
        dry_run=True,
        grace=wish.grace,
        sweeps=tuple(sweeps),
        versions=_versions(need, sweeps),
        kept=sorter.kept,
        lost=sorter.lost,
    )


def _removed(sweeps: Iterable[Sweep]) -> dict[str, Goes]:
    """What retention takes from a remote; what only leaves a cache is not gone."""
    found = [item for sweep in sweeps if sweep.place.name != CACHE for item in sweep.goes if item.kind == RETENTION]
    return {item.md5: item for item in found}


def _versions(need: Need, sweeps: Iterable[Sweep]) -> tuple[str, ...]:
    said = {name for removal in need.observed.removals for name in removal.versions}
    named = {name for md5 in _removed(sweeps) for name in need.uses.packages.get(md5, ())}
    return tuple(sorted(named - said))


def sweep(world: World, found: Garbage, look: Callable[[], Need], wish: Wish, shelves: Shelves) -> Garbage:
    """Delete what a survey found and a pushed commit records: in the remotes first, in the cache last.

    `look` reads git anew, the remote's included. What somebody came to need meanwhile stays; what came to be needed
    while it was being deleted is pushed again from the cache, which is why the cache is last.
    """
    remotes = [part for part in found.sweeps if part.place.name != CACHE]
    caches = [part for part in found.sweeps if part.place.name == CACHE]
    done = [_delete(part, shelves) for part in _still(remotes, look, wish, shelves)]
    if any(part.goes for part in done):
        _heal(world, done, look, wish, shelves)
    done += [_delete(part, shelves) for part in _still(caches, look, wish, shelves)]
    order = {part.place.name: index for index, part in enumerate(found.sweeps)}
    return replace(
        found,
        dry_run=False,
        sweeps=tuple(sorted(done, key=lambda item: order[item.place.name])),
    )


def _still(sweeps: list[Sweep], look: Callable[[], Need], wish: Wish, shelves: Shelves) -> list[Sweep]:
    """The sweeps without what is needed by now."""
    if not any(sweep.goes for sweep in sweeps):
        return sweeps
    kept = Sorter(look(), wish, shelves).kept
    return [
        replace(sweep, goes=tuple(item for item in sweep.goes if item.kind == ERASED or item.md5 not in kept))
        for sweep in sweeps
    ]


def _heal(world: World, done: list[Sweep], look: Callable[[], Need], wish: Wish, shelves: Shelves) -> None:
    """Push again what somebody pushed a commit for while it was being deleted."""
    kept = Sorter(look(), wish, shelves).kept
    for sweep in done:
        again = {item.md5 for item in sweep.goes if item.kind != ERASED and item.md5 in kept}
        if again:
            world.store.push(again, remote=sweep.place.name)


def _delete(sweep: Sweep, shelves: Shelves) -> Sweep:
    if sweep.problem:
        return sweep
    try:
        shelves.delete(sweep.place, {item.md5 for item in sweep.goes})
    except StellwerkError as error:
        return replace(sweep, problem=error.message)
    return sweep


def record(world: World, need: Need, found: Garbage) -> str | None:
    """Commit what retention takes, before it goes; None where nothing that is not recorded yet does."""
    said = {md5 for removal in need.observed.removals for md5 in removal.objects}
    objects = {md5: item.what for md5, item in sorted(_removed(found.sweeps).items()) if md5 not in said}
    if not objects and not found.versions:
        return None
    at = world.now()
    digest = hashlib.sha256("".join([*objects, *found.versions]).encode()).hexdigest()[:8]
    removal = Removal(
        name=f"{at.replace(':', '')}-{digest}",
        at=at,
        actor=str(world.actor),
        versions=found.versions,
        objects=objects,
        run=world.actor.run,
    )
    named = ", ".join(found.versions[:5]) + (f" and {len(found.versions) - 5} more" if len(found.versions) > 5 else "")  # noqa: PLR2004
    summary = f"gc: {len(objects)} objects whose retention is over"
    body = f"packages: {named}\nthe records of these versions stay" if named else ""
    text = message(summary, body, world.actor, action="gc")
    return world.commits.commit({f"registry/.removed/{removal.name}.yaml": dump(removal).encode()}, text)
