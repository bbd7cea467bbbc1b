"""What lies in the work tree and in the commit below it, in a few short git processes: ids and no content.

A plan compares these ids with those of the last plan before it reads anything. Records are listed by model: a folder's
tree id stands for everything in it, so a registry of a hundred thousand files is a thousand lines.
"""

from __future__ import annotations

import os
import re
import select
import subprocess
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from stellwerk.adapters.git.read import SUBMODULE, Head, WorkTree, changed_entry

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from stellwerk.adapters.git.read import GitReader

REGISTRY = "registry"
ENTRY = re.compile(r"([0-7]+) [a-z]+ ([0-9a-f]+)\t([^\0]+)\0")  # of `git ls-tree -z`


class Survey(Struct, frozen=True, kw_only=True):
    """Modes and ids, without content.

    `files`: by path, of everything outside `registry/` as it lies in the work tree; `committed`: in the commit.
    `records`: by name below `registry/`, in the commit. `refs`: the given refs and where they point, as text.
    """

    head: Head
    files: Mapping[str, str]
    committed: Mapping[str, str]
    records: Mapping[str, str]
    refs: str


def survey(
    reader: GitReader, *prefixes: str, meanwhile: Callable[[Survey, Callable[[], bool]], object] | None = None
) -> Survey | None:
    """None where a plain look is not enough: nothing committed, a merge under way, records changed by hand.

    `prefixes` are the refs to list. `meanwhile` is called while git is at work, with what is committed
    and with what says whether git still is.
    """
    beside = [entry for entry in sorted(os.listdir(reader.root)) if entry not in {".git", REGISTRY}]  # noqa: PTH208
    # Folders are searched for untracked files; of the registry, which has the most, only what is committed counts.
    untracked = ["ls-files", "--others", "--exclude-standard", "-z", "--", *beside]
    tracked = ["status", "--porcelain=v2", "--branch", "-z", "--untracked-files=no", "--ignore-submodules=all"]
    with _started(reader, *tracked, "--no-renames") as status, _started(reader, *untracked) as others:
        commit = reader.commit_of("HEAD")
        if commit is None:
            return None
        committed, records = _listed(reader, commit)
        known = Survey(
            head=Head(branch=None, commit=commit),
            files=committed,
            committed=committed,
            records=records,
            refs=reader.text("for-each-ref", "--format=%(refname) %(objectname)", *prefixes),
        )
        if meanwhile is not None:
            meanwhile(known, lambda: _is_silent(status))
        changed, added = (process.communicate()[0].decode("utf-8", "surrogateescape") for process in (status, others))
    if status.returncode or others.returncode:
        return None
    return _with_changes(reader, known, changed, added.split("\0")[:-1] if beside else [])


def _started(reader: GitReader, *arguments: str) -> subprocess.Popen[bytes]:
    """A git command at work; paths are taken literally."""
    environ = {**reader.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
    return subprocess.Popen(
        ["git", "--literal-pathspecs", "-c", "core.quotepath=off", *arguments],
        cwd=reader.root,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )


def _is_silent(process: subprocess.Popen[bytes]) -> bool:
    """Whether it has neither said anything nor ended."""
    return process.stdout is not None and not select.select([process.stdout], [], [], 0)[0]


def _listed(reader: GitReader, commit: str) -> tuple[dict[str, str], dict[str, str]]:
    """The files outside `registry/`, and what lies directly below it."""
    top = _entries(reader, commit)
    names = [name for name in top if name != REGISTRY]
    files = _entries(reader, "-r", commit, *names) if names else {}
    records = _entries(reader, commit, f"{REGISTRY}/") if REGISTRY in top else {}
    return files, {path.removeprefix(f"{REGISTRY}/"): entry for path, entry in records.items()}


def _entries(reader: GitReader, *arguments: str) -> dict[str, str]:
    """Path -> mode and id. Without `--format`, which has names with a quote or a tab in quotes whatever `-z` says."""
    listing = reader.run("ls-tree", "--full-tree", "-z", *arguments).decode("utf-8", "surrogateescape")
    return {path: f"{mode} {blob}" for mode, blob, path in ENTRY.findall(listing) if mode != SUBMODULE}


def _with_changes(reader: GitReader, known: Survey, status: str, added: Sequence[str]) -> Survey | None:
    """The survey with the branch and the changed files of a `git status`, and the added ones."""
    branch, paths = "", list(added)
    for line in status.split("\0")[:-1]:
        kind = line[0]
        if kind == "#":
            name, _, value = line.removeprefix("# ").partition(" ")
            if name == "branch.oid" and value != known.head.commit:
                return None
            branch = value if name == "branch.head" else branch
        elif kind == "1":  # 1 XY sub mH mI mW hH hI path
            paths.append(line.split(" ", 8)[8])
        else:
            return None
    if any(path.startswith(f"{REGISTRY}/") for path in paths):
        return None
    files = dict(known.files)
    for path in paths:
        files.pop(path, None)
        mode, blob = changed_entry(reader.root, path)
        if mode:
            files[path] = f"{mode} {blob}"
    head = Head(branch=None if branch == "(detached)" else branch, commit=known.head.commit)
    return replace(known, head=head, files=files)


def recorded_files(reader: GitReader, seen: Survey, records: Collection[str] | None = None) -> dict[str, str]:
    """The files below `registry/`, by path, of these models (None: all), in the commit."""
    wanted = [f"{REGISTRY}/{name}" for name in records or () if name in seen.records]
    if records is None and seen.records:
        wanted = [f"{REGISTRY}/"]
    return _entries(reader, "-r", str(seen.head.commit), *wanted) if wanted else {}


def whole_of(reader: GitReader, seen: Survey, committed: WorkTree | None = None) -> tuple[WorkTree, WorkTree]:
    """What lies here and what is committed, all of it; the latter is `committed`, where that is known already."""
    if committed is None:
        committed = WorkTree(reader, listed={**seen.committed, **recorded_files(reader, seen)})
    if seen.files == seen.committed:
        return committed, committed
    records = {path: entry for path, entry in committed.listed.items() if path.startswith(f"{REGISTRY}/")}
    return WorkTree(reader, listed={**seen.files, **records}), committed


def part_of(
    reader: GitReader, seen: Survey, *, hidden: Collection[str], records: Collection[str]
) -> tuple[WorkTree, WorkTree]:
    """What lies here and what is committed, without the hidden files, with the records of these models.

    Both are read from the files that lie here: of records and of unchanged files they are what is committed.
    """
    listed = recorded_files(reader, seen, records)
    shown = {path: entry for path, entry in seen.files.items() if path not in hidden}
    committed = {path: entry for path, entry in seen.committed.items() if path not in hidden}
    return WorkTree(reader, listed={**shown, **listed}), WorkTree(reader, listed={**committed, **listed})
