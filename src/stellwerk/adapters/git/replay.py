"""Making a run's commits again on top of another: the same changes, messages and authors; never a merge of texts."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from msgspec import Struct

from stellwerk.adapters.git.objects import Entry, NewObjects, TreeEditor
from stellwerk.adapters.git.read import GitReader, read_blobs

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from stellwerk.adapters.git.write import GitWriter

PLAN = re.compile(rb"^Stellwerk-Plan: ", re.MULTILINE)
IDENTITY = re.compile(
    rb"^(?P<role>author|committer) (?P<name>.*?) ?<(?P<email>.*)> (?P<time>\d+ [+-]\d+)$", re.MULTILINE
)


class OwnCommit(Struct, frozen=True, kw_only=True):
    """A commit that the remote lacks: its raw object, and every path it changed (None: removed)."""

    id: str
    raw: bytes
    changes: Mapping[str, Entry | None]

    @property
    def parent(self) -> str:
        """Its first parent; '' where it has none."""
        for line in self.raw.partition(b"\n\n")[0].splitlines():
            if line.startswith(b"parent "):
                return line.removeprefix(b"parent ").decode()
        return ""

    @property
    def planned(self) -> bool:
        """Whether a reconcile made it, and not a person."""
        return bool(PLAN.search(self.raw.partition(b"\n\n")[2]))

    @property
    def summary(self) -> str:
        return self.raw.partition(b"\n\n")[2].partition(b"\n")[0].decode("utf-8", "replace")


def commits_since(
    reader: GitReader, tip: str, *known: str, read: dict[str, OwnCommit] | None = None
) -> tuple[OwnCommit, ...]:
    """The commits on the first-parent way to `tip` that `known` do not contain, oldest first; merges are left out.

    `read`: those that were read before, by id; it takes in the others.
    """
    without = [f"^{commit}" for commit in known]
    ids = reader.text("rev-list", "--reverse", "--first-parent", "--no-merges", tip, *without).split()
    read = {} if read is None else read
    read |= _read(reader, [item for item in ids if item not in read])
    return tuple(read[item] for item in ids)


def _read(reader: GitReader, ids: list[str]) -> dict[str, OwnCommit]:
    """By id."""
    if not ids:
        return {}
    listing = reader.run(
        *("diff-tree", "--stdin", "-r", "-z", "--no-renames", "--root"),
        stdin="".join(f"{item}\n" for item in ids).encode(),
    )
    changes: dict[str, dict[str, Entry | None]] = {item: {} for item in ids}
    tokens = iter(listing.decode("utf-8", "surrogateescape").split("\0")[:-1])
    current = ""
    for token in tokens:
        if token.startswith(":"):
            _, mode, _, blob, status = token.split(" ")
            changes[current][next(tokens)] = None if status == "D" else Entry(mode, blob)
        else:
            current = token.strip()
    raw = read_blobs(reader, ids)
    return {item: OwnCommit(id=item, raw=raw[item], changes=changes[item]) for item in ids}


def replay(writer: GitWriter, commits: Iterable[OwnCommit], base: str) -> dict[str, str]:
    """Make the commits again, the first on `base`; returns old id -> new id. No ref moves."""
    again, made = list(commits), {}
    objects = NewObjects(writer.reader, base)
    editor = TreeEditor(objects, base)
    editor.entries(path for commit in again for path in commit.changes)
    now = _now(writer.reader)
    parent = base
    for commit in again:
        tree = editor.change(commit.changes)
        if writer.signs:
            objects.store()
            parent = _signed(writer, commit, tree, parent)
        else:
            parent = objects.add("commit", _raw(commit, tree, parent, now))
        made[commit.id] = parent
    objects.store()
    return made


def _now(reader: GitReader) -> bytes:
    """The time that git would give to a commit, as it writes it."""
    if "GIT_COMMITTER_DATE" in reader.environ:
        return reader.text("var", "GIT_COMMITTER_IDENT").rpartition("> ")[2].encode()
    return f"{int(time.time())} {time.strftime('%z')}".encode()


def _raw(commit: OwnCommit, tree: str, parent: str, now: bytes) -> bytes:
    """The commit object with another tree, parent and time of committing, and without its old signature."""
    head, _, text = commit.raw.partition(b"\n\n")
    kept = [b"tree " + tree.encode(), b"parent " + parent.encode()]
    for line in head.splitlines():
        if line.startswith((b"author ", b"encoding ")):
            kept.append(line)
        elif line.startswith(b"committer "):
            kept.append(line.rpartition(b"> ")[0] + b"> " + now)
    return b"\n".join(kept) + b"\n\n" + text


def _signed(writer: GitWriter, commit: OwnCommit, tree: str, parent: str) -> str:
    head, _, text = commit.raw.partition(b"\n\n")
    environ = dict(writer.reader.environ)
    for found in IDENTITY.finditer(head):
        role = found["role"].decode().upper()
        for key in ("name", "email"):
            environ[f"GIT_{role}_{key.upper()}"] = found[key].decode("utf-8", "surrogateescape")
        if role == "AUTHOR":
            environ["GIT_AUTHOR_DATE"] = found["time"].decode()
    made = GitReader(writer.reader.root, environ).run("commit-tree", tree, "-p", parent, "-S", stdin=text)
    return made.decode().strip()
