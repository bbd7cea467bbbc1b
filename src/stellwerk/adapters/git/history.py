"""The whole history of the files that need bytes, in a handful of git processes however long it is.

A content was in use until the commit that replaced it. That moment is never before a commit's ancestors: a clock that
was set back on one machine makes nothing look older than what it follows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from stellwerk.adapters.git.read import SUBMODULE, SYMLINK, read_blobs
from stellwerk.errors import StellwerkError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from stellwerk.adapters.git.read import GitReader

MARK = b"\x01"
NOTHING = frozenset("0")
RAW = ("--raw", "-r", "-z", "--no-abbrev", "--no-renames")


class Entry(Struct, frozen=True, kw_only=True):
    """One content of one file somewhere in history.

    `born` is when it last came, `ended` when it was last replaced or removed (None: never), both in seconds since the
    epoch. `now`: some ref, or a work tree, has it at this place.
    """

    path: str
    blob: str
    born: float | None
    ended: float | None
    now: bool


def read_history(reader: GitReader, patterns: Iterable[str]) -> tuple[Entry, ...]:
    """Every content that a file matching one of the glob patterns ever had, on any ref, sorted by path.

    Raises StellwerkError in a shallow clone: what lies beyond its edge cannot be seen.
    """
    if reader.shallow:
        raise StellwerkError(
            "this clone is shallow, so what older commits need cannot be seen",
            where=str(reader.root),
            hint="git fetch --unshallow (in CI: fetch-depth: 0), then run it again",
        )
    specs = [f":(top,glob){pattern}" for pattern in patterns]
    times = commit_times(reader)
    born: dict[tuple[str, str], float] = {}
    ended: dict[tuple[str, str], float] = {}
    for commit, path, old, new in _changes(reader, specs):
        at = times.get(commit, 0.0)
        if new:
            born[path, new] = max(at, born.get((path, new), at))
        if old:
            ended[path, old] = max(at, ended.get((path, old), at))
    now = _tips(reader, specs)
    return tuple(
        Entry(path=path, blob=blob, born=born.get((path, blob)), ended=ended.get((path, blob)), now=(path, blob) in now)
        for path, blob in sorted(born.keys() | ended.keys() | now)
    )


def contents(reader: GitReader, entries: Iterable[Entry]) -> Mapping[str, bytes]:
    """Blob -> content of the entries, in one process."""
    return read_blobs(reader, {entry.blob for entry in entries})


def commit_times(reader: GitReader) -> dict[str, float]:
    """Commit -> when it was made, in seconds since the epoch; not before any of its ancestors."""
    found: dict[str, float] = {}
    listed = reader.text("rev-list", "--all", "--topo-order", "--reverse", "--parents", "--timestamp")
    for line in listed.splitlines():
        stamp, commit, *parents = line.split()
        found[commit] = max(float(stamp), *(found.get(parent, 0.0) for parent in parents), 0.0)
    return found


def _changes(reader: GitReader, specs: list[str]) -> Iterator[tuple[str, str, str, str]]:
    """(commit, path, old blob, new blob) of every change, merges against each of their parents; '' for no blob."""
    if not reader.text("rev-list", "--all", "--max-count=1"):
        return
    shown = reader.run("log", "--all", "--full-history", "--root", "-m", "--format=%x01%H", *RAW, "--", *specs)
    commit, meta = "", ""
    for raw in shown.split(b"\0"):
        token = raw.lstrip(b"\n")
        if token.startswith(MARK):
            commit = token[1:].decode()
        elif meta:
            yield commit, token.decode("utf-8", "surrogateescape"), *_blobs(meta)
            meta = ""
        elif token.startswith(b":"):
            meta = token.decode()


def _blobs(meta: str) -> tuple[str, str]:
    """The two blobs of a line `:<mode> <mode> <blob> <blob> <status>`; '' for one that is none or no file."""
    before, after, old, new, _ = meta[1:].split(" ")
    return tuple(  # type: ignore[return-value]
        "" if NOTHING.issuperset(blob) or mode in {SYMLINK, SUBMODULE} else blob
        for mode, blob in ((before, old), (after, new))
    )


def _tips(reader: GitReader, specs: list[str]) -> set[tuple[str, str]]:
    """What lies at the tip of any ref, every work tree's HEAD included: one listing, and how the others differ."""
    tips = list(dict.fromkeys(reader.text("rev-list", "--all", "--no-walk=unsorted").split()))
    if not tips:
        return set()
    first = reader.text("rev-parse", "--verify", "--quiet", "HEAD^{commit}", check=False) or tips[0]
    empty = reader.run("hash-object", "-t", "tree", "--stdin", stdin=b"").decode().strip()
    shown = reader.run("diff-tree", *RAW, empty, first, "--", *specs)
    pairs = "".join(f"{tip} {first}\n" for tip in tips if tip != first)
    if pairs:
        shown += reader.run("diff-tree", "--stdin", *RAW, "--", *specs, stdin=pairs.encode())
    found: set[tuple[str, str]] = set()
    meta = ""
    for raw in shown.split(b"\0"):
        if meta:
            found |= {(raw.decode("utf-8", "surrogateescape"), blob) for blob in _blobs(meta) if blob}
            meta = ""
        else:
            meta = raw[raw.index(b":") :].decode() if b":" in raw else ""
    return found
