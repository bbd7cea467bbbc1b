"""The work tree and the index, where the written ref is checked out, follow what was committed.

A note is written before the ref moves, so that the next run can finish what a killed one left behind. What a person
changed is never overwritten.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from stellwerk.adapters.git.objects import FOLDER, Entry
from stellwerk.adapters.git.read import SUBMODULE, SYMLINK, CommitTree, GitError, GitReader, locked_by_git
from stellwerk.adapters.leftovers import beside, sweep
from stellwerk.errors import StellwerkError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from stellwerk.adapters.git.objects import NewObjects

NOTE = "sync.json"
PATIENCE = 1.0  # seconds to wait for a git command that holds the index
PAUSE = 0.02
FEW = 50  # paths that git is asked about one by one; more are looked up in the whole index
Changes = Mapping[str, bytes | None]


class Checkout:
    """The work tree of the repository `reader` reads, and the index, as far as `ref` is checked out there."""

    def __init__(self, reader: GitReader, ref: str) -> None:
        self.reader = reader
        self.ref = ref
        self.notes = reader.git_dir / "stellwerk"

    @property
    def current(self) -> bool:
        """Whether the ref is checked out here."""
        return self.reader.text("symbolic-ref", "--quiet", "HEAD", check=False) == self.ref

    @property
    def noted(self) -> bool:
        """Whether a run was stopped between moving the ref and writing the files, or is there just now."""
        sweep(self.notes / NOTE)
        return (self.notes / NOTE).exists()

    def get_ready(self, tip: str | None) -> None:
        """Finish what is noted. Raises GitError where the index is locked: the ref would move, and nothing follow."""
        end = time.monotonic() + PATIENCE
        while self._index_lock.exists() and time.monotonic() < end:
            time.sleep(PAUSE)
        if self._index_lock.exists():
            raise locked_by_git(str(self._index_lock))
        if self.noted:
            self.finish(tip)

    @cached_property
    def _index_lock(self) -> Path:
        return self.reader.root / self.reader.text("rev-parse", "--git-path", "index.lock")

    def note(self, commit: str, parent: str | None, paths: Iterable[str]) -> None:
        """Say what `follow` or `switch` is about to do."""
        self.notes.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"ref": self.ref, "commit": commit, "parent": parent, "paths": sorted(paths)})
        write_atomically(self.notes / NOTE, text.encode(), durably=False)

    def follow(self, commit: str, changes: Changes, entries: Mapping[str, Entry | None]) -> None:
        """Bring the commit's changes into the work tree, and its entries into the index."""
        for path, content in sorted(changes.items()):
            full = self.reader.root / path
            if content is None:
                full.unlink(missing_ok=True)
                _remove_empty(full.parent, self.reader.root)
            elif self.on_disk(path) != content:
                write_atomically(full, content, durably=False)  # git has it
        lines = [
            f"{entry.mode} {entry.id}\t{path}" if entry else f"0 {'0' * len(commit)}\t{path}"
            for path, entry in sorted(entries.items())
        ]
        if lines:
            text = "\0".join(lines) + "\0"
            self.reader.run("update-index", "-z", "--index-info", stdin=text.encode("utf-8", "surrogateescape"))
        (self.notes / NOTE).unlink(missing_ok=True)

    def switch(self, old: str, new: str, *, really: bool) -> None:
        """Take work tree and index from one commit to another, as a checkout does; local changes of other files stay.

        Raises StellwerkError where one stands in the way; unless `really`, that is all it does.
        """
        # Paths of our own commits lie in the index without their times, which git takes for a local change.
        self.reader.run("update-index", "-q", "--refresh", check=False)
        try:
            self.reader.run("read-tree", "-m", "-u", *([] if really else ["-n"]), old, new)
        except GitError as error:
            raise StellwerkError(
                f"uncommitted changes stand in the way of the newer state: {error.message}",
                where=str(self.reader.root),
                hint="commit or stash them, then run again",
            ) from error
        if really:
            (self.notes / NOTE).unlink(missing_ok=True)

    def finish(self, tip: str | None) -> tuple[str, ...]:
        """Bring into the work tree what a killed run had committed but not written; returns the paths."""
        try:
            note = json.loads((self.notes / NOTE).read_bytes())
            commit, parent, paths = note["commit"], note["parent"], list(note["paths"])
        except (OSError, ValueError, KeyError, TypeError):
            return ()
        if note.get("ref") != self.ref or not self.current or tip is None:
            return ()
        for path in paths:
            sweep(self.reader.root / path)
        if not self.reader.commit_of(commit) or not self.reader.ancestor(commit, tip):
            (self.notes / NOTE).unlink(missing_ok=True)
            return ()
        old, new = _listed(self.reader, parent), _listed(self.reader, tip)
        before, after = CommitTree(self.reader, parent).read(paths), CommitTree(self.reader, tip).read(paths)
        plain = [path for path in paths if _plain(old.get(path)) and _plain(new.get(path))]
        stale = [path for path in plain if self.on_disk(path) == before.get(path)]
        if parent and self._switched(parent, tip):
            return tuple(sorted(stale))
        index = self.staged(paths)
        behind = [path for path in plain if index.get(path) == (old[path].id if path in old else None)]
        self.follow(tip, {path: after.get(path) for path in stale}, {path: new.get(path) for path in behind})
        return tuple(sorted(stale))

    def _switched(self, old: str, new: str) -> bool:
        """Whether git could do it itself, which it can unless a person has changed one of the files since."""
        try:
            self.switch(old, new, really=True)
        except StellwerkError:
            return False
        return True

    def refuse_dirty(self, changes: Changes, present: Mapping[str, Entry], objects: NewObjects) -> None:
        """Raise StellwerkError where a path has uncommitted changes, or lies behind a link."""
        index = self.staged(changes)
        for path, content in changes.items():
            self._refuse_links(path)
            if _machine_written(path):
                continue
            entry = present.get(path)
            committed = entry.id if entry and _plain(entry) else None
            held = self.on_disk(path)
            clean = held == content or (objects.id_of("blob", held) if held is not None else None) == committed
            clean = clean or self._filtered(path) == committed
            staged = index.get(path)
            if staged != (entry.id if entry else None):
                clean = clean and staged is not None and content is not None
                clean = clean and staged == objects.id_of("blob", content or b"")
            if not clean:
                raise StellwerkError(
                    "this file has uncommitted changes and would be overwritten",
                    where=path,
                    hint=f"commit it, or restore it with: git restore {path}",
                )

    def staged(self, paths: Iterable[str]) -> dict[str, str]:
        """Path -> blob of the index, at least for the paths."""
        wanted = list(paths)
        if not wanted:
            return {}
        asked = wanted if len(wanted) <= FEW else []
        listing = self.reader.run("--literal-pathspecs", "ls-files", "-s", "-z", "--", *asked)
        entries = (entry.partition("\t") for entry in listing.decode("utf-8", "surrogateescape").split("\0")[:-1])
        return {path: meta.split(" ")[1] for meta, _, path in entries}

    def on_disk(self, path: str) -> bytes | None:
        """The bytes of a regular file; None where there is none."""
        full = self.reader.root / path
        return full.read_bytes() if full.is_file() and not full.is_symlink() else None

    def _filtered(self, path: str) -> str | None:
        """The blob git would make of the file as it lies there (line ends, other filters); None where it is none."""
        full = self.reader.root / path
        if not full.is_file() or full.is_symlink():
            return None
        return self.reader.text("hash-object", "--", path, check=False) or None

    def _refuse_links(self, path: str) -> None:
        """Nothing is written through a link: it may lead anywhere."""
        for parent in (self.reader.root / path).parents:
            if parent == self.reader.root:
                return
            if parent.is_symlink():
                raise StellwerkError(
                    "a folder on the way is a symbolic link, and nothing is written through one",
                    where=path,
                    hint="replace the link by a folder, or correct the path",
                )


def write_atomically(path: Path, content: bytes, *, durably: bool = True) -> None:
    """Replace a file whole: a reader sees the old bytes or the new ones; `durably`: after a power failure as well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~_umask()
    fresh = beside(path)
    try:
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
            if durably:
                file.flush()
                os.fsync(file.fileno())
        fresh.chmod(mode)
        fresh.replace(path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise


def _listed(reader: GitReader, commit: str | None) -> dict[str, Entry]:
    """Every path of a commit."""
    listing = reader.run("ls-tree", "-r", "-z", "--full-tree", commit) if commit else b""
    found = {}
    for line in listing.decode("utf-8", "surrogateescape").split("\0")[:-1]:
        meta, _, path = line.partition("\t")
        mode, _, name = meta.split(" ")
        found[path] = Entry(mode, name)
    return found


def _plain(entry: Entry | None) -> bool:
    """Whether it is a file of bytes, or nothing."""
    return entry is None or entry.mode not in {SYMLINK, SUBMODULE, FOLDER}


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _remove_empty(folder: Path, root: Path) -> None:
    while folder != root and folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent


def _machine_written(path: str) -> bool:
    """Records nobody edits: a leftover of a killed run may be overwritten."""
    return path.startswith("registry/")
