"""What lies in DVC's cache and remotes, and its deletion, which DVC's own garbage collection does.

That collection deletes everything it is not told to keep, and lists the place anew while it works: what another
process has just pushed would go. It is therefore shown only the objects that are to go.
"""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from stellwerk.adapters.dvc.session import opened, public_url
from stellwerk.adapters.dvc.store import bring_lists, contents_of
from stellwerk.errors import StellwerkError
from stellwerk.model.garbage import Place, Stored

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from stellwerk.adapters.dvc.session import Session

CACHE = "cache"
TIMES = ("mtime", "created", "LastModified", "last_modified", "updated", "timeModified")
ATTEMPTS = 3


class _Doomed(Struct, frozen=True):
    """An object database that knows only the objects that are to go."""

    odb: Any
    hashes: tuple[str, ...]

    def all(self, jobs: int | None = None) -> Iterator[str]:
        """What DVC's collection asks for."""
        del jobs
        return iter(self.hashes)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.odb, name)


class DvcGarbage:
    """The cache and the remotes of the DVC repository at `root`, seen as places that hold objects."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()

    def places(self, remotes: tuple[str, ...] | None = None, *, cache: bool = True) -> tuple[Place, ...]:
        """The cache and the remotes (None: all), those that share a folder once. Raises StellwerkError for a name."""
        with opened(self.root, doing="read DVC's configuration") as session:
            known = sorted(session.repo.config["remote"])
            for name in remotes or ():
                if name not in known:
                    raise StellwerkError(
                        f"DVC has no remote named {name!r}",
                        where=".dvc/config",
                        hint=f"there is: {', '.join(known) or 'none'}",
                    )
            found: list[Place] = []
            seen: set[Any] = set()
            if cache:
                folder = Path(session.repo.cache.local_cache_dir)
                own = folder.is_relative_to(self.root / ".dvc")
                found.append(Place(name=CACHE, address=str(folder), own=own))
                seen.add(session.repo.cache.local)
            for name in known if remotes is None else remotes:
                odb = session.repo.cloud.get_remote_odb(name, "gc")
                if odb not in seen:
                    seen.add(odb)
                    found.append(
                        Place(name=name, address=public_url(str(odb.fs.unstrip_protocol(odb.path))), own=False)
                    )
            return tuple(found)

    def stored(self, place: Place) -> tuple[Stored, ...]:
        """Every object there, by listing; sorted. Raises StellwerkError where the place cannot be asked."""
        with self._opened(place, "list") as session:
            odb = _odb(session, place)
            found = []
            for path, info in _listed(odb).items():
                with suppress(ValueError):
                    md5 = odb.path_to_oid(path)
                    found.append(Stored(md5=md5, size=int(info.get("size") or 0), modified=_modified(info)))
            return tuple(sorted(found, key=lambda item: item.md5))

    def folders(self, hashes: Iterable[str], places: Iterable[Place]) -> Mapping[str, frozenset[str] | None]:
        """The files of each folder, its own name included; None where its list is in no place that can be asked."""
        wanted = frozenset(md5 for md5 in hashes if md5.endswith(".dir"))
        found: dict[str, frozenset[str] | None] = dict.fromkeys(wanted)
        remotes = [place for place in places if place.name != CACHE]
        with opened(self.root, doing="read the lists of folders") as session:
            cache = session.repo.cache.local
            for place in [None, *remotes]:
                lacking = frozenset(md5 for md5, files in found.items() if files is None)
                if place is not None and lacking:
                    with suppress(StellwerkError), self._opened(place, "read the lists of folders in") as there:
                        bring_lists(lacking, _odb(there, place), cache)
                found |= {md5: contents_of(md5, cache) for md5 in lacking}
        return found

    def delete(self, place: Place, hashes: Iterable[str]) -> int:
        """Delete the objects that are there, folders' lists first; returns how many. Safe to repeat.

        A crash leaves files without their list, never a list without its files.
        """
        from dvc_data.hashfile.db import get_index
        from dvc_data.hashfile.gc import gc

        wanted = sorted(set(hashes))
        if not wanted:
            return 0
        with self._opened(place, "delete objects from") as session:
            odb, count = _odb(session, place), 0
            for attempt in range(ATTEMPTS):
                there = tuple(sorted(_exist(odb, wanted)))
                try:
                    count += gc(_Doomed(odb, there), ()) if there else 0
                    break
                except FileNotFoundError:  # somebody else deletes as well
                    if attempt + 1 == ATTEMPTS:
                        raise
            if place.name != CACHE:
                with suppress(AttributeError):
                    get_index(odb).clear()
            left = _exist(odb, wanted)
            if left:
                raise StellwerkError(
                    f"{min(left)} is still there after it was deleted",
                    where=f"{place.name} ({place.address})",
                    hint="check the rights of this process, and whether the bucket keeps versions",
                )
            return count

    def forget(self, hashes: Iterable[str]) -> int:
        """Take out what else of these contents DVC keeps here: entries of the run cache and of its old layout."""
        wanted, count = frozenset(hashes), 0
        if not wanted:
            return 0
        with opened(self.root, doing="clear DVC's run cache") as session:
            legacy = session.repo.cache.legacy
            for md5 in wanted:
                old = Path(legacy.oid_to_path(md5))
                if old.is_file():
                    old.unlink()
                    count += 1
            for entry in Path(session.repo.stage_cache.cache_dir).glob("*/*/*"):
                text = entry.read_text(encoding="utf-8", errors="replace")
                if any(md5 in text for md5 in wanted):
                    entry.unlink(missing_ok=True)
                    count += 1
        return count

    def _opened(self, place: Place, doing: str) -> Any:
        remote = None if place.name == CACHE else place.name
        return opened(self.root, doing=f"{doing} {place.name}", remote=remote, asks_remote=remote is not None)


def _odb(session: Session, place: Place) -> Any:
    return session.repo.cache.local if place.name == CACHE else session.repo.cloud.get_remote_odb(place.name, "gc")


def _exist(odb: Any, hashes: Iterable[str]) -> frozenset[str]:
    """Of these objects, those that are there; nothing is hashed."""
    wanted = list(hashes)
    found = odb.fs.exists([odb.oid_to_path(md5) for md5 in wanted])
    return frozenset(md5 for md5, there in zip(wanted, found, strict=True) if there)


def _listed(odb: Any) -> dict[str, dict[str, Any]]:
    """Path -> what the place says of it, without opening a file."""
    if odb.fs.protocol == "local":
        files = (Path(parent, name) for parent, _, names in os.walk(odb.path) for name in names)
        stats = ((file, file.stat()) for file in files)
        return {
            str(file): {"size": stat.st_size, "mtime": stat.st_mtime, "created": stat.st_ctime} for file, stat in stats
        }
    odb.fs.fs.invalidate_cache()
    try:
        found: dict[str, dict[str, Any]] = odb.fs.fs.find(odb.path, detail=True)
    except FileNotFoundError:
        return {}
    return found


def _modified(info: Mapping[str, Any]) -> float | None:
    """The latest of the times that the place tells. A file that was linked into a cache keeps its old `mtime`."""
    found: list[float] = []
    for key in TIMES:
        value = info.get(key)
        if isinstance(value, datetime):
            found.append(value.timestamp())
        elif isinstance(value, int | float) and not isinstance(value, bool):
            found.append(float(value))
        elif isinstance(value, str):
            with suppress(ValueError):
                found.append(datetime.fromisoformat(value).timestamp())
    return max(found, default=None)
