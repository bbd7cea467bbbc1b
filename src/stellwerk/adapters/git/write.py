"""Writing git: commits without touching the index or the work tree, and refs by compare-and-swap.

A commit is made whole (blobs, tree, commit) before its ref moves, so a crash leaves the state before or after. When
the ref is checked out, `checkout` then brings the changed paths into the work tree.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from stellwerk.adapters.git.checkout import Changes, Checkout
from stellwerk.adapters.git.lock import locked
from stellwerk.adapters.git.objects import Entry, NewObjects, TreeEditor
from stellwerk.adapters.git.read import EXECUTABLE, GitError, GitReader
from stellwerk.errors import PushLostError, StellwerkError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager

    import git

    from stellwerk.model.ports import Actor

PATIENCE = 60.0  # seconds to wait for another process of this clone that writes
AGAIN = "run it again: it starts from what is there now"


class GitWriter:
    """Makes commits on one ref of the repository `reader` reads.

    `seen` is the tip that was observed last: a commit is only made on top of it. None: on whatever is there.
    `made` are this writer's own commits, oldest first.
    """

    def __init__(self, reader: GitReader, ref: str, actor: Actor) -> None:
        self.reader = reader
        self.ref = ref
        self.actor = actor
        self.checkout = Checkout(reader, ref)
        self.notes = self.checkout.notes
        self.seen: str | None = None
        self.made: list[str] = []

    @cached_property
    def repo(self) -> git.Repo:
        """The same repository for GitPython, which speaks to remotes."""
        import git

        repo = git.Repo(self.reader.root, expand_vars=False)
        repo.git._working_dir = str(self.reader.root)  # noqa: SLF001 it replaces $NAME in a folder's name
        return repo

    @property
    def checked_out(self) -> bool:
        return self.checkout.current

    def tip(self) -> str | None:
        return self.reader.commit_of(self.ref)

    def _standing(self) -> tuple[str | None, bool]:
        """The tip, and whether it is checked out."""
        found = self.reader.text("for-each-ref", "--format=%(objectname) %(HEAD)", self.ref).split()
        if found:
            return found[0], "*" in found
        return self.tip(), self.checked_out

    def alone(self) -> AbstractContextManager[None]:
        """Keep other processes from writing to this clone meanwhile. Raises StellwerkError where one takes too long."""
        return locked(self.notes / "write.lock", patience=PATIENCE, doing="somebody else is committing")

    def commit(self, changes: Changes, message: str) -> str:
        """Commit the changes (path -> content, None deletes) on the ref's tip and bring them into the work tree.

        Raises StellwerkError where a changed path has uncommitted changes, PushLostError where the ref moved meanwhile.
        """
        with self.alone():
            parent, synced = self._standing()
            if self.seen is not None and parent != self.seen:
                raise PushLostError(f"{self.ref} moved while this run was working", where=self.where, hint=AGAIN)
            objects = NewObjects(self.reader, parent)
            editor = TreeEditor(objects, parent)
            if synced:
                self.checkout.get_ready(parent)
                self.checkout.refuse_dirty(changes, editor.entries(changes), objects)
            entries = _entries(changes, editor)
            commit = self._commit(editor, entries, parent, message)
            if synced:
                self.checkout.note(commit, parent, changes)
            self.move(self.ref, commit, expected=parent, message=message.splitlines()[0])
            self.made.append(commit)
            if self.seen is not None:
                self.seen = commit
            if synced:
                self.checkout.follow(commit, changes, entries)
        return commit

    @property
    def where(self) -> str:
        return str(self.reader.root)

    def write_commit(self, parent: str | None, changes: Changes, message: str) -> str:
        """A commit object on top of `parent`; no ref moves. Files that were executable stay so."""
        editor = TreeEditor(NewObjects(self.reader, parent), parent)
        return self._commit(editor, _entries(changes, editor), parent, message)

    def _commit(self, editor: TreeEditor, entries: Mapping[str, Entry | None], parent: str | None, message: str) -> str:
        tree = editor.change(entries)
        editor.objects.store()
        return self.commit_tree(tree, [parent] if parent else [], message)

    def commit_tree(self, tree: str, parents: list[str], message: str) -> str:
        """A commit object of a tree, by the declared actor, signed where git is configured to sign."""
        arguments = [item for parent in parents for item in ("-p", parent)]
        signed = ["-S"] if self.signs else []
        environ = {
            "GIT_AUTHOR_NAME": self.actor.name,
            "GIT_AUTHOR_EMAIL": self.actor.email,
            "GIT_COMMITTER_NAME": self.actor.name,
            "GIT_COMMITTER_EMAIL": self.actor.email,
        }
        reader = GitReader(self.reader.root, {**self.reader.environ, **environ})
        made = reader.run("commit-tree", tree, *arguments, *signed, stdin=message.encode())
        return made.decode().strip()

    @cached_property
    def signs(self) -> bool:
        """Whether git is configured to sign commits."""
        return self.reader.text("config", "--type=bool", "commit.gpgsign", check=False) == "true"

    def move(self, ref: str, commit: str, *, expected: str | None, message: str) -> None:
        """Point the ref to the commit if it still points to `expected` (None: it must not exist)."""
        old = expected or "0" * len(commit)
        try:
            self.reader.run("update-ref", "-m", f"stellwerk: {message}", ref, commit, old)
        except GitError as error:
            if error.hint:
                raise
            raise StellwerkError(self._refused(ref, expected, error), where=self.where, hint=AGAIN) from error

    def _refused(self, ref: str, expected: str | None, error: GitError) -> str:
        if self.reader.commit_of(ref) != expected:
            return f"{ref} moved while this run was working"
        return f"{ref} cannot be set: {error.message}"

    def reset(self, commit: str, *, drop: str) -> None:
        """Take the ref from `drop` back or forward to `commit`, work tree included; local changes of other files stay.

        Raises StellwerkError where a local change stands in the way, or somebody committed meanwhile.
        """
        with self.alone():
            if (self.tip() or "") != drop:
                raise StellwerkError(f"{self.ref} moved while this run was working", where=self.where, hint=AGAIN)
            old, synced = drop or NewObjects(self.reader).id_of("tree", b""), self.checked_out
            if synced:
                self.checkout.get_ready(drop or None)
                self.checkout.switch(old, commit, really=False)
                changed = self.reader.run("diff-tree", "-r", "-z", "--name-only", "--no-renames", old, commit)
                paths = changed.decode("utf-8", "surrogateescape").split("\0")[:-1]
                self.checkout.note(commit, drop or None, paths)
            self.move(self.ref, commit, expected=drop or None, message="reset")
            if synced:
                self.checkout.switch(old, commit, really=True)
            if self.seen is not None:
                self.seen = commit

    def finish_sync(self) -> tuple[str, ...]:
        """Bring into the work tree what a killed run had committed but not written; returns the paths."""
        if not self.checkout.noted:
            return ()
        with self.alone():
            return self.checkout.finish(self.tip())


def _entries(changes: Changes, editor: TreeEditor) -> dict[str, Entry | None]:
    """The changes as entries of trees; the contents wait to be stored."""
    present = editor.entries(changes)
    executable = {path for path, entry in present.items() if entry.mode == EXECUTABLE}
    return {
        path: None
        if content is None
        else Entry(EXECUTABLE if path in executable else "100644", editor.objects.add("blob", content))
        for path, content in changes.items()
    }


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
