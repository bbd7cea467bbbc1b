"""What was computed from a blob, kept in the git directory: one JSON file per kind, replaced atomically.

Anything wrong with it (missing, damaged, read-only, of another version) only costs time.
"""

from __future__ import annotations

import json
import zlib
from typing import TYPE_CHECKING

import msgspec

from stellwerk import __version__
from stellwerk.adapters.leftovers import beside
from stellwerk.model.ids import CHANGED

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from stellwerk.model.declared import Json

HEAD_ENDS = b',"blobs":'


def _head(text: bytes) -> bytes:
    """How a file begins whose other bytes, to its end, are these: what does not begin so is damaged, or another's."""
    return b'{"version":"%s","check":"%08x"%s' % (__version__.encode(), zlib.crc32(text), HEAD_ENDS)


def _written(blobs: dict[str, Json]) -> bytes:
    try:
        return msgspec.json.encode(blobs)
    except UnicodeEncodeError:  # a path that is not UTF-8
        return json.dumps(blobs, separators=(",", ":")).encode()


def _read(text: bytes) -> dict[str, Json]:
    """Raises ValueError where it is no JSON."""
    try:
        blobs = msgspec.json.decode(text)
    except msgspec.DecodeError:
        blobs = json.loads(text)
    return blobs if isinstance(blobs, dict) else {}


class BlobCache:
    """Implements `model.ports.Cache`. `flush` keeps what was used in this run and forgets the rest."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._known: dict[str, dict[str, Json]] = {}
        self._used: dict[str, dict[str, Json]] = {}
        self._new: set[str] = set()

    def get(self, kind: str, blob: str) -> Json:
        if kind not in self._known:
            self._known[kind] = self._load(kind)
        value = self._known[kind].get(blob)
        if value is not None:
            self._used.setdefault(kind, {})[blob] = value
        return value

    def put(self, kind: str, blob: str, value: Json) -> None:
        if blob.startswith(CHANGED):
            return  # a changed file has no stable id
        if kind not in self._known:
            self._known[kind] = self._load(kind)
        self._known[kind][blob] = value
        self._used.setdefault(kind, {})[blob] = value
        self._new.add(kind)

    def put_all(self, kind: str, values: Mapping[str, Json]) -> None:
        """Keep what another process found; none of the ids is of a changed file."""
        if kind not in self._known:
            self._known[kind] = self._load(kind)
        self._known[kind].update(values)
        self._used.setdefault(kind, {}).update(values)
        self._new.add(kind)

    def keeps(self, kind: str) -> bool:
        """Whether there is a file of that kind, whatever it holds."""
        return self._path(kind).exists()

    def flush(self) -> None:
        """Write what is new. A cache that cannot be written is no error."""
        self.write(self.hand_over())

    def hand_over(self) -> frozenset[str]:
        """The kinds of which something is new; whoever asks writes them, and until more is new nobody else does."""
        new = frozenset(self._new)
        self._new.clear()
        return new

    def take_back(self, kinds: frozenset[str]) -> None:
        """These kinds were perhaps not written."""
        self._new |= kinds

    def write(self, kinds: frozenset[str]) -> None:
        """Write these kinds, where that can be done."""
        for kind in sorted(kinds):
            kept = {**self._known.get(kind, {}), **self._used[kind]}
            if len(kept) > 2 * len(self._used[kind]) + 1000:
                kept = self._used[kind]
            try:
                self._write(kind, kept)
            except OSError:
                return

    def _path(self, kind: str) -> Path:
        return self.folder / f"{kind}.json"

    def _load(self, kind: str) -> dict[str, Json]:
        try:
            stored = self._path(kind).read_bytes()
            head, _, text = stored.partition(HEAD_ENDS)
            if head + HEAD_ENDS == _head(text):
                return _read(text[:-1])
        except (OSError, ValueError, RecursionError):
            pass
        return {}

    def _write(self, kind: str, blobs: dict[str, Json]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        fresh = beside(self._path(kind))
        try:
            text = _written(blobs) + b"}"
            with fresh.open("wb") as file:
                file.write(_head(text) + text)
            fresh.replace(self._path(kind))
        except BaseException:
            fresh.unlink(missing_ok=True)
            raise
