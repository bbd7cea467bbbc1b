"""Records read ahead in a process of its own, while this one reads the declarations and the code.

Only time is saved: what the other process did not do, for whatever reason, this one does itself.
"""

from __future__ import annotations

import contextlib
import marshal
import os
import signal
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from types import TracebackType
    from typing import Self

    from stellwerk.adapters.git.cache import BlobCache
    from stellwerk.model.declared import Json
    from stellwerk.model.ports import Cache, Tree

Found = dict[str, dict[str, Any]]  # by kind and id


class Ahead:
    """A cache that also has what another process reads; the first question about that waits for it.

    `read` fills the cache it is given, there; `after` runs there once the findings are handed over.
    """

    def __init__(
        self, cache: Cache, read: Callable[[Cache], None], *, kinds: Collection[str], after: Callable[[Found], None]
    ) -> None:
        self._cache = cache
        self._kinds = kinds
        self._found: Found | None = None
        self._pipe, self._pid = self._started(read, after)

    @staticmethod
    def _started(read: Callable[[Cache], None], after: Callable[[Found], None]) -> tuple[int, int]:
        """Where the other process writes what it found, and its id."""
        ours, theirs = os.pipe()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # what runs in threads is not touched there
            pid = os.fork()
        if pid == 0:
            os.close(ours)
            try:
                found = _Kept()
                read(found)
                with os.fdopen(theirs, "wb") as pipe:
                    marshal.dump(found.found, pipe)
                after(found.found)
            except BaseException:  # noqa: BLE001, S110 - whatever it is: the parent then reads for itself
                pass
            finally:
                os._exit(0)
        os.close(theirs)
        return ours, pid

    def get(self, kind: str, blob: str) -> Json:
        if kind not in self._kinds:
            return self._cache.get(kind, blob)
        if self._found is None:
            self._found = self._received()
        value = self._found.get(kind, {}).get(blob)
        return self._cache.get(kind, blob) if value is None else value

    def put(self, kind: str, blob: str, value: Json) -> None:
        self._cache.put(kind, blob, value)

    def _received(self) -> Found:
        try:
            with os.fdopen(self._pipe, "rb", closefd=False) as pipe:
                found: Any = marshal.loads(pipe.read())  # noqa: S302 - our own process wrote it
        except (OSError, ValueError, EOFError, TypeError):
            return {}
        return found if isinstance(found, dict) else {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """The other process has ended after this."""
        if self._found is None:
            os.kill(self._pid, signal.SIGKILL)  # nobody asked for what it reads, and before that it writes nothing
        os.close(self._pipe)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self._pid, 0)


def records_ahead(cache: BlobCache, recorded: Tree, *, evidence: bool) -> Ahead | None:
    """Reads and keeps the records of a registry; None where the cache has some, or no other process can be had."""
    from stellwerk.planning.registry import record_paths
    from stellwerk.planning.sheets import RecordReader

    kinds = RecordReader(cache, evidence=evidence).kinds
    if not hasattr(os, "fork") or any(cache.keeps(kind) for kind in kinds):
        return None

    def read(kept: Cache) -> None:
        reader = RecordReader(kept, evidence=evidence)
        paths, _ = record_paths(recorded, reader)
        for _ in reader.read(recorded, paths):
            pass

    def keep(found: Found) -> None:
        for kind, values in found.items():
            for blob, value in values.items():
                cache.put(kind, blob, value)
        cache.flush()

    return Ahead(cache, read, kinds=kinds, after=keep)


class _Kept:
    """A cache that knows nothing and keeps what it is told."""

    def __init__(self) -> None:
        self.found: Found = {}

    def get(self, kind: str, blob: str) -> Json:
        del kind, blob
        return None

    def put(self, kind: str, blob: str, value: Json) -> None:
        self.found.setdefault(kind, {})[blob] = value
