"""Which models need no look: nothing they rest on differs from when a plan found nothing to do for them.

What is kept of a plan: for each model the files it rests on and a digest of their ids, if it was settled; and one
digest of everything else. While that one stands, only the models whose own digest differs are planned again, in a
project of which the others' files are left out. Whatever could reach from one model to another falls outside: then
everything is planned. This module is on the way of every plan and imports nothing heavy.
"""

from __future__ import annotations

import hashlib
import json
from functools import cached_property
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from stellwerk.model.ids import CHANGED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from stellwerk.model.declared import Json

KIND = "settled-1"
QUIET = "quiet-1"  # the kind of one digest, so that most plans need not read the others
FEW = 4  # planning a part of the models pays while it is less than one in this many
# What no rule compares between models and no other model's plan asks for.
OWN_KEYS = frozenset({"thresholds", "features", "description", "risk", "task", "target", "positive", "checks"})
OWN_TRAIN_KEYS = frozenset({"params", "seed", "timeout", "holdout"})


class Listing(Struct, frozen=True, kw_only=True, dict=True):
    """The ids of everything a plan could read. `files`: by path, outside `registry/`; `records`: by name below it."""

    files: Mapping[str, str]
    records: Mapping[str, str]
    refs: str

    @cached_property
    def paths(self) -> list[str]:
        """The files, sorted."""
        return sorted(self.files)

    @cached_property
    def releases(self) -> dict[str, list[str]]:
        """Model -> the paths of its release files."""
        found: dict[str, list[str]] = {}
        for path in self.paths:
            if path.startswith("environments/") and path.count("/") == 2 and path.endswith(".yaml"):  # noqa: PLR2004
                found.setdefault(path.rpartition("/")[2].removesuffix(".yaml"), []).append(path)
        return found


class Claim(Struct, frozen=True, kw_only=True):
    """What one model rests on.

    `files` are its code, pointer, rendered files and `declared`, the file that declares it
    and nothing else ('' where there is none); `records` the names of its registry folders. `face` digests what other
    models may depend on.
    """

    declared: str
    files: tuple[str, ...]
    records: tuple[str, ...]
    face: str


class Memory(Struct, frozen=True, kw_only=True):
    """What is kept of a plan. `settled`: model -> the digest of what it rested on; a model that is not there was not.

    `empty`: there was nothing to do and nothing waited.
    """

    shared: str
    empty: bool
    claims: Mapping[str, Claim]
    settled: Mapping[str, str]

    @property
    def quiet(self) -> bool:
        """Whether the plan of the very same files is empty, at any time."""
        return self.empty and len(self.settled) == len(self.claims)


def remember(listing: Listing, claims: Mapping[str, Claim], settled: Iterable[str], *, empty: bool) -> Memory | None:
    """None where something that all models share is not committed: its id tells too little."""
    shared = _shared(listing, claims)
    if shared is None:
        return None
    keys = {name: _key(listing, name, claims[name]) for name in settled if name in claims}
    settled_keys = {name: key for name, key in keys.items() if key is not None}
    return Memory(shared=shared, empty=empty, claims=claims, settled=settled_keys)


def unsettled(listing: Listing, memory: Memory) -> frozenset[str] | None:
    """The models to plan again; None: all of them, with everything they share."""
    if _shared(listing, memory.claims) != memory.shared:
        return None
    return _unsettled(listing, memory, memory.claims)


def _unsettled(listing: Listing, memory: Memory, claims: Mapping[str, Claim]) -> frozenset[str]:
    """Those of these models."""
    return frozenset(
        name
        for name, claim in claims.items()
        if name not in memory.settled or memory.settled[name] != _key(listing, name, claim)
    )


class Look(Struct, frozen=True, kw_only=True):
    """What `unsettled` says of a listing, kept for another that differs from it in a few files."""

    listing: Listing
    changed: frozenset[str] | None


def look(listing: Listing, memory: Memory) -> Look:
    """Look at all of it."""
    return Look(listing=listing, changed=unsettled(listing, memory))


def look_again(before: Look, listing: Listing, memory: Memory) -> frozenset[str] | None:
    """What `unsettled` says, by a look at the files that differ."""
    first = before.listing
    same = first.refs == listing.refs and first.records == listing.records
    if before.changed is None or not same or first.files.keys() != listing.files.keys():
        return unsettled(listing, memory)
    moved = {path for path, entry in listing.files.items() if entry != first.files[path]}
    touched = {
        name: claim
        for name, claim in memory.claims.items()
        if not moved.isdisjoint(claim.files) or not moved.isdisjoint(listing.releases.get(name, ()))
    }
    known = {path for name, claim in touched.items() for path in (*claim.files, *listing.releases.get(name, ()))}
    if not moved <= known:
        return unsettled(listing, memory)
    return (before.changed - touched.keys()) | _unsettled(listing, memory, touched)


def exact_key(listing: Listing) -> str | None:
    """A digest of all ids; None where a file is not committed."""
    said = [listing.refs, str(len(listing.files))]
    for ids in (listing.files, listing.records):
        said += ids.keys()
        said += ids.values()
    text = "\0".join(said)
    return None if f" {CHANGED}" in text else _digest([text])


def whole_key(listing: Listing, more: str) -> str | None:
    """A digest of everything, and of `more`; None where a file is not committed."""
    shared = _shared(listing, {})
    return None if shared is None else _digest([shared, more])


def part(listing: Listing, memory: Memory, changed: frozenset[str]) -> tuple[frozenset[str], frozenset[str]] | None:
    """The models to plan and the files to leave out; None where leaving out does not pay."""
    shown = changed | {name for name, claim in memory.claims.items() if not claim.declared}
    if not changed or len(shown) * FEW > len(memory.claims):
        return None
    kept = {path for name in shown for path in memory.claims[name].files}
    left_out: set[str] = set()
    for name, claim in memory.claims.items():
        if name not in shown:
            own = f"models/{name}/"
            left_out.add(claim.declared)
            left_out.update(path for path in claim.files if path.startswith(own) and path not in kept)
            left_out.update(listing.releases.get(name, ()))
    return shown, frozenset(left_out)


def face_of(name: str, declared: Mapping[str, Json]) -> str:
    """A digest of what is declared of a model, without what concerns nobody else."""
    told = {key: value for key, value in declared.items() if key not in OWN_KEYS}
    train = told.get("train")
    if isinstance(train, dict):
        told["train"] = {key: value for key, value in train.items() if key not in OWN_TRAIN_KEYS}
    return hashlib.sha256(json.dumps([name, told], sort_keys=True).encode()).hexdigest()[:16]


def to_json(memory: Memory) -> Json:
    """For the cache."""
    claims: dict[str, Json] = {
        name: [memory.settled.get(name, ""), claim.face, claim.declared, list(claim.files), list(claim.records)]
        for name, claim in memory.claims.items()
    }
    return {"shared": memory.shared, "empty": memory.empty, "models": claims}


def from_json(stored: Any) -> Memory | None:
    """None where it is not what was stored."""
    try:
        models = stored["models"]
        claims, settled = {}, {}
        for name, (key, face, declared, files, records) in models.items():
            claims[name] = Claim(declared=declared, files=tuple(files), records=tuple(records), face=face)
            if key:
                settled[name] = key
        return Memory(shared=stored["shared"], empty=stored["empty"] is True, claims=claims, settled=settled)
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _shared(listing: Listing, claims: Mapping[str, Claim]) -> str | None:
    """A digest of everything that no model claims, and of which files there are."""
    claimed = {path for claim in claims.values() for path in claim.files}
    folders = {name for claim in claims.values() for name in claim.records}
    releases = {path for name in claims for path in listing.releases.get(name, ())}
    said = [listing.refs]
    for path in listing.paths:
        if path in claimed:
            said.append(path)
        elif path not in releases:
            said.append(f"{path} {listing.files[path]}")
    said += [f"{name} {listing.records[name]}" for name in sorted(listing.records) if name not in folders]
    text = "\0".join(said)
    return None if f" {CHANGED}" in text else _digest([text])


def _key(listing: Listing, name: str, claim: Claim) -> str | None:
    """A digest of what the model rests on; None where a file of it is not committed."""
    files = listing.files
    said = [f"{path} {files.get(path, '')}" for path in (*claim.files, *listing.releases.get(name, ()))]
    said += [f"{folder} {listing.records.get(folder, '')}" for folder in claim.records]
    text = "\0".join(said)
    return None if CHANGED in text else _digest([text])


def _digest(said: list[str]) -> str:
    return hashlib.sha256("\0".join(said).encode("utf-8", "surrogatepass")).hexdigest()
