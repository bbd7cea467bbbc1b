"""What `stellwerk gc` found in the cache and the remotes: plain data that `report.garbage` turns into text and JSON."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field


class Place(Struct, frozen=True, kw_only=True):
    """A cache or a remote, by its name (`cache` or the remote's) and its address without credentials.

    `own`: nobody but this repository uses it, so what no commit here names is garbage there.
    """

    name: str
    address: str
    own: bool


class Stored(Struct, frozen=True, kw_only=True):
    """One object of a place. `modified` in seconds since the epoch; None: the place does not say."""

    md5: str
    size: int
    modified: float | None


class Goes(Struct, frozen=True, kw_only=True):
    """One object that goes, and why. `kind`: erased | retention | unnamed."""

    md5: str
    size: int
    kind: str
    what: str
    reason: str


class Sweep(Struct, frozen=True, kw_only=True):
    """One place: what goes there, and what stays as reason -> (objects, bytes). `problem`: it could not be asked."""

    place: Place
    goes: tuple[Goes, ...] = ()
    stays: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    young: tuple[int, int] = (0, 0)  # objects and bytes kept only because they are young
    unnamed: tuple[int, int] = (0, 0)  # kept although no commit here names them: the place may be shared
    problem: str = ""


class Garbage(Struct, frozen=True, kw_only=True):
    """What a run took, or with `dry_run` would take. `versions` lose their packages; `commit` records what went.

    `kept` maps each content that history needs to the reason; `lost` are folders whose list is nowhere, so that nobody
    knows their files. `grace` in seconds.
    """

    dry_run: bool
    grace: float
    sweeps: tuple[Sweep, ...]
    versions: tuple[str, ...] = ()
    kept: Mapping[str, str] = field(default_factory=dict)
    lost: tuple[str, ...] = ()
    commit: str | None = None
    pushed: bool = False


class ErasureDone(Struct, frozen=True, kw_only=True):
    """The answer of `gc --erase`: the tombstone, who depended on the bytes, where they were and are gone from."""

    summary: str
    path: str
    commit: str | None
    depended: tuple[str, ...]
    serving: tuple[str, ...]  # where versions that were trained on them are released or run
    garbage: Garbage
