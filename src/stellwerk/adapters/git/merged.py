"""The work tree together with a records ref, path by path, without writing anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stellwerk.adapters.git.read import CommitTree, GitReader, WorkTree

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class MergedTree:
    """Where the work tree differs from the merge base it wins; everywhere else the other commit does."""

    def __init__(self, tree: WorkTree | CommitTree, reader: GitReader, *, head: str, other: str) -> None:
        self.tree = tree
        self.other = CommitTree(reader, other)
        base = reader.text("merge-base", head, other, check=False)
        self.base = CommitTree(reader, base or None)
        self._from_other: frozenset[str] | None = None

    def _split(self) -> frozenset[str]:
        if self._from_other is None:
            work, base = self.tree.blobs(), self.base.blobs()
            paths = set(work) | set(self.other.blobs())
            self._from_other = frozenset(path for path in paths if work.get(path) == base.get(path))
        return self._from_other

    def blobs(self) -> Mapping[str, str]:
        from_other = self._split()
        own = {path: blob for path, blob in self.tree.blobs().items() if path not in from_other}
        return own | {path: blob for path, blob in self.other.blobs().items() if path in from_other}

    def symlinks(self) -> frozenset[str]:
        return self.tree.symlinks()

    def read(self, paths: Iterable[str]) -> Mapping[str, bytes]:
        from_other, wanted = self._split(), list(paths)
        return {
            **self.tree.read(path for path in wanted if path not in from_other),
            **self.other.read(path for path in wanted if path in from_other),
        }
