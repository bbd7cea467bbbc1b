"""Content by hash in DVC's cache and remotes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from stellwerk.model.ports import AddResult


class DvcStore:
    """`DataStore` on the DVC repository at `root`. Every call opens DVC anew, so configuration edits count at once."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def add(self, path: str) -> AddResult:
        """Track the file, put it into the cache, write its pointer; the files to commit come back with it."""
        raise NotImplementedError

    def cache_folder(self, path: Path) -> str:
        """Put a folder into the cache without a pointer; returns its hash, which ends in `.dir`."""
        raise NotImplementedError

    def push(self, hashes: Iterable[str], *, remote: str | None) -> None:
        """Copy from the cache to the remote, then ask the remote for each of them (and each file of a folder)."""
        raise NotImplementedError

    def missing(self, hashes: Iterable[str], *, remote: str | None) -> frozenset[str]:
        """The hashes that the remote itself does not hold; a folder counts only with all its files."""
        raise NotImplementedError

    def fetch(self, md5: str, destination: Path, *, remote: str | None) -> None:
        """Write the file or folder to `destination` (replaced atomically), from the cache or else the remote."""
        raise NotImplementedError

    def local_paths(self) -> tuple[Path, ...]:
        """The cache and the folders of local remotes: what model code must not see."""
        raise NotImplementedError

    def remote_names(self) -> tuple[str, ...]:
        """The configured remotes, sorted."""
        raise NotImplementedError
