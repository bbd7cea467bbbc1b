"""Writing git: commits without touching the index or the work tree, and refs by compare-and-swap.

A commit is made whole (blobs, tree, commit) before its ref moves, so a crash leaves the state before or after. When
the ref is checked out, the changed paths are then brought into the work tree; a note in the git directory lets the
next run finish that.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from stellwerk.adapters.git.read import SYMLINK, CommitTree, GitReader, read_blobs
from stellwerk.errors import StellwerkError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import git

    from stellwerk.model.ports import Actor

NOTE = "sync.json"
Changes = Mapping[str, bytes | None]


class GitWriter:
    """Makes commits on one ref of the repository `reader` reads."""

    def __init__(self, reader: GitReader, ref: str, actor: Actor) -> None:
        import git

        self.reader = reader
        self.ref = ref
        self.actor = actor
        self.repo: git.Repo = git.Repo(reader.root)
        self.notes = reader.git_dir / "stellwerk"

    @property
    def checked_out(self) -> bool:
        return self.reader.text("symbolic-ref", "--quiet", "HEAD", check=False) == self.ref

    def tip(self) -> str | None:
        return self.reader.commit_of(self.ref)

    def commit(self, changes: Changes, message: str) -> str:
        """Commit the changes (path -> content, None deletes) on the ref's tip and bring them into the work tree.

        Raises StellwerkError where a changed path has uncommitted changes, or where the ref moved meanwhile.
        """
        parent = self.tip()
        synced = self.checked_out
        if synced:
            self._refuse_dirty(changes, parent)
        commit = self.write_commit(parent, changes, message)
        if synced:
            self._note(commit, parent, changes)
        self.move(self.ref, commit, expected=parent, message=message.splitlines()[0])
        if synced:
            self._sync(commit, changes)
        return commit

    def write_commit(self, parent: str | None, changes: Changes, message: str, *more_parents: str) -> str:
        """A commit object on top of `parent`; no ref moves. Files that were executable stay so."""
        tree = CommitTree(self.reader, parent)
        executable = tree.executable()
        _refuse_replaced(changes, tree.blobs().keys() | tree.symlinks())
        with self._index(parent) as environ:
            lines = []
            for path, content in sorted(changes.items()):
                if content is None:
                    lines.append(f"0 {'0' * len(parent or '0' * 40)}\t{path}")
                else:
                    mode = "100755" if path in executable else "100644"
                    lines.append(f"{mode} {self._blob(content)}\t{path}")
            self._update_index(lines, environ)
            written = self.repo.git.write_tree(env=environ)
        return self.commit_tree(written, [parent] if parent else [], message, *more_parents)

    def commit_tree(self, tree: str, parents: list[str], message: str, *more_parents: str) -> str:
        """A commit object of a tree, by the declared actor, signed where git is configured to sign."""
        arguments = [tree]
        for parent in [*parents, *more_parents]:
            arguments += ["-p", parent]
        if self.reader.text("config", "--bool", "commit.gpgsign", check=False) == "true":
            arguments.append("-S")
        environ = {
            "GIT_AUTHOR_NAME": self.actor.name,
            "GIT_AUTHOR_EMAIL": self.actor.email,
            "GIT_COMMITTER_NAME": self.actor.name,
            "GIT_COMMITTER_EMAIL": self.actor.email,
        }
        with self._stdin(message.encode()) as file:
            return str(self.repo.git.commit_tree(*arguments, istream=file, env=environ))

    def move(self, ref: str, commit: str, *, expected: str | None, message: str) -> None:
        """Point the ref to the commit if it still points to `expected` (None: it must not exist)."""
        import git

        old = expected or "0" * len(commit)
        try:
            self.repo.git.update_ref("-m", f"stellwerk: {message}", ref, commit, old)
        except git.GitCommandError as error:
            raise StellwerkError(
                self._refused(ref, expected, error),
                where=str(self.reader.root),
                hint="run it again: it starts from what is there now",
            ) from error

    def _refused(self, ref: str, expected: str | None, error: Exception) -> str:
        if self.reader.commit_of(ref) != expected:
            return f"{ref} moved while this run was working"
        return f"{ref} cannot be set: {_last_line(error)}"

    def reset(self, commit: str, *, drop: str) -> None:
        """Take the ref from `drop` back or forward to `commit`, work tree included; local changes of other files stay.

        Raises StellwerkError where a local change stands in the way, or somebody committed meanwhile.
        """
        import git

        if (self.tip() or "") != drop:
            raise StellwerkError(
                f"{self.ref} moved while this run was working",
                where=str(self.reader.root),
                hint="run it again: it starts from what is there now",
            )
        if not self.checked_out:
            self.move(self.ref, commit, expected=drop, message="reset")
            return
        # Paths of our own commits lie in the index without their times, which `reset` takes for a local change.
        self.repo.git.update_index("-q", "--refresh", with_exceptions=False)
        try:
            self.repo.git.reset("--keep", commit)
        except git.GitCommandError as error:
            raise StellwerkError(
                "uncommitted changes stand in the way of the newer state",
                where=str(self.reader.root),
                hint="commit or stash them, then run again",
            ) from error

    def finish_sync(self) -> tuple[str, ...]:
        """Bring into the work tree what a killed run had committed but not written; returns the paths."""
        try:
            note = json.loads((self.notes / NOTE).read_bytes())
            commit, parent, paths = note["commit"], note["parent"], list(note["paths"])
        except (OSError, ValueError, KeyError, TypeError):
            return ()
        tip = self.tip()
        if note.get("ref") != self.ref or not self.checked_out or tip is None:
            return ()
        if not self.reader.commit_of(commit) or not self.reader.ancestor(commit, tip):
            (self.notes / NOTE).unlink(missing_ok=True)
            return ()
        before, after = CommitTree(self.reader, parent).read(paths), CommitTree(self.reader, tip).read(paths)
        stale = {path: after.get(path) for path in paths if self._on_disk(path) == before.get(path)}
        old, index = CommitTree(self.reader, parent).blobs(), self._staged()
        behind = {path: after.get(path) for path in paths if index.get(path) == old.get(path)}
        self._sync(tip, stale, index=behind)
        return tuple(sorted(stale))

    def _on_disk(self, path: str) -> bytes | None:
        full = self.reader.root / path
        return full.read_bytes() if full.is_file() and not full.is_symlink() else None

    def _refuse_dirty(self, changes: Changes, parent: str | None) -> None:
        tree, index = CommitTree(self.reader, parent), self._staged()
        committed, blobs = tree.read(changes), tree.blobs()
        for path, content in changes.items():
            self._refuse_links(path)
            if _machine_written(path):
                continue
            present = self._on_disk(path)
            clean = present in (committed.get(path), content) or self._filtered(path) == blobs.get(path)
            staged = index.get(path)
            if staged != blobs.get(path) and (staged is None or content is None or staged != self._blob(content)):
                clean = False
            if not clean:
                raise StellwerkError(
                    "this file has uncommitted changes and would be overwritten",
                    where=path,
                    hint=f"commit it, or restore it with: git restore {path}",
                )

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

    def _filtered(self, path: str) -> str | None:
        """The blob git would make of the file as it lies there (line ends, other filters); None where it is none."""
        full = self.reader.root / path
        if not full.is_file() or full.is_symlink():
            return None
        return self.reader.text("hash-object", "--", path, check=False) or None

    def _staged(self) -> dict[str, str]:
        """Path -> blob of the whole index."""
        listing = self.reader.run("ls-files", "-s", "-z").decode("utf-8", "surrogateescape")
        entries = (entry.partition("\t") for entry in listing.split("\0")[:-1])
        return {path: meta.split(" ")[1] for meta, _, path in entries}

    def _note(self, commit: str, parent: str | None, changes: Changes) -> None:
        self.notes.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"ref": self.ref, "commit": commit, "parent": parent, "paths": sorted(changes)})
        write_atomically(self.notes / NOTE, text.encode())

    def _sync(self, commit: str, changes: Changes, *, index: Changes | None = None) -> None:
        """Bring the changes into the work tree, and `index` (the same, unless told) into the index."""
        lines = []
        tree = CommitTree(self.reader, commit)
        blobs, executable = tree.blobs(), tree.executable()
        for path, content in sorted(changes.items()):
            full = self.reader.root / path
            if content is None:
                full.unlink(missing_ok=True)
                _remove_empty(full.parent, self.reader.root)
            elif self._on_disk(path) != content:
                write_atomically(full, content)
        for path, content in sorted((changes if index is None else index).items()):
            if content is None:
                lines.append(f"0 {'0' * len(commit)}\t{path}")
            else:
                lines.append(f"{'100755' if path in executable else '100644'} {blobs[path]}\t{path}")
        self._update_index(lines, {})
        (self.notes / NOTE).unlink(missing_ok=True)

    def _update_index(self, lines: list[str], environ: Mapping[str, str]) -> None:
        if lines:
            with self._stdin("\0".join(lines).encode("utf-8", "surrogateescape") + b"\0") as file:
                self.repo.git.update_index("-z", "--index-info", istream=file, env=dict(environ))

    def _blob(self, content: bytes) -> str:
        with self._stdin(content) as file:
            return str(self.repo.git.hash_object("-w", "--stdin", istream=file))

    @contextmanager
    def _stdin(self, content: bytes) -> Iterator[object]:
        with tempfile.TemporaryFile() as file:
            file.write(content)
            file.seek(0)
            yield file

    @contextmanager
    def _index(self, parent: str | None) -> Iterator[dict[str, str]]:
        """A private index that holds the parent's tree."""
        with tempfile.TemporaryDirectory(prefix="stellwerk-index-") as folder:
            environ = {"GIT_INDEX_FILE": os.path.join(folder, "index")}  # noqa: PTH118 a string for the environment
            if parent:
                self.repo.git.read_tree(parent, env=environ)
            else:
                self.repo.git.read_tree("--empty", env=environ)
            yield environ


def merge_branch(writer: GitWriter, source: str, message: str) -> str:
    """Merge the commit `source` into the writer's ref without a work tree; returns the tip.

    Creates the ref at `source` where it does not exist. Raises StellwerkError that names the conflicting files.
    """
    tip = writer.tip()
    if tip is None:
        writer.move(writer.ref, source, expected=None, message="create")
        return source
    if writer.reader.ancestor(source, tip):
        return tip
    if writer.reader.ancestor(tip, source):
        writer.move(writer.ref, source, expected=tip, message="fast-forward")
        return source
    status, output, words = writer.repo.git.merge_tree(
        "--write-tree",
        "--name-only",
        "--no-messages",
        "-z",
        tip,
        source,
        with_extended_output=True,
        with_exceptions=False,
    )
    tree, *files = str(output).split("\0")
    if status:
        named = ", ".join([file for file in files if file][:5])
        raise StellwerkError(
            f"{writer.ref} and the branch both changed {named}" if named else f"git cannot merge: {words}",
            where=writer.ref,
            hint="merge the branch into that ref by hand once, then run again",
        )
    commit = writer.commit_tree(tree, [tip, source], message)
    writer.move(writer.ref, commit, expected=tip, message="merge")
    return commit


def write_atomically(path: Path, content: bytes) -> None:
    """Replace a file whole: a reader sees the old bytes or the new ones."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:100]}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        mode = path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~_umask()
        Path(name).chmod(mode)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _refuse_replaced(changes: Changes, present: AbstractSet[str]) -> None:
    """Git would drop a file to make room for a folder, or a folder for a file; nothing here means that."""
    kept = {path for path in present if changes.get(path, b"") is not None}
    folders = {parent for path in kept for parent in _parents(path)}
    for path in sorted(path for path, content in changes.items() if content is not None):
        for parent in [item for item in _parents(path) if item in kept] or [path] * (path in folders):
            raise StellwerkError(
                "a file or a link stands where a folder is needed, or the other way round",
                where=parent,
                hint="move it away, commit that and run it again",
            )


def _parents(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:depth]) for depth in range(1, len(parts))]


def _last_line(error: Exception) -> str:
    lines = str(getattr(error, "stderr", "") or error).strip(" '\n").splitlines()
    return lines[-1].strip() if lines else "git said nothing"


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


def tree_files(reader: GitReader, revision: str, paths: Iterable[str]) -> Mapping[str, bytes]:
    """The content of the paths at a revision."""
    return CommitTree(reader, reader.resolve(revision)).read(paths)


__all__ = ["SYMLINK", "Changes", "GitWriter", "merge_branch", "read_blobs", "tree_files", "write_atomically"]
