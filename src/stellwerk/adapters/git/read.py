"""Reading a repository in bulk: trees, heads, changed files. Takes no lock and writes nothing.

Uses the git command directly: three short processes read a thousand models, and importing GitPython would cost
more than all of them.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from stellwerk.errors import StellwerkError
from stellwerk.model.ids import CHANGED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

SYMLINK = "120000"
SUBMODULE = "160000"
EXECUTABLE = "100755"
NOTEBOOK = ".ipynb"
STRIPPING = ("stellwerk-notebook", "nbstripout")  # filters of git's that keep no outputs
CHUNK = 1 << 16  # bytes read at once; most files are smaller
LOCKED = re.compile(r"Unable to create '(?P<file>[^']+\.lock)': File exists")


class GitError(StellwerkError):
    """A git command failed; the message is git's own last words."""


class Head(Struct, frozen=True, kw_only=True):
    """What is checked out. `branch` None: detached. `commit` None: unborn."""

    branch: str | None
    commit: str | None


class GitReader(Struct, frozen=True, dict=True):
    """Runs git read commands in `root` with the environment given at the edge."""

    root: Path
    environ: Mapping[str, str]

    def __repr__(self) -> str:
        """Without the environment, which may hold secrets."""
        return f"GitReader({str(self.root)!r})"

    def run(self, *args: str, stdin: bytes | None = None, check: bool = True) -> bytes:
        """The command's standard output. Raises GitError unless `check` is off (then b'' on failure)."""
        environ = {**self.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
        try:
            done = subprocess.run(
                ["git", "-c", "core.quotepath=off", *args],
                cwd=self.root,
                env=environ,
                input=stdin,
                stdin=None if stdin is not None else subprocess.DEVNULL,
                capture_output=True,
                check=False,
            )
        except FileNotFoundError as error:
            raise StellwerkError("git is not installed", hint="install git 2.38 or newer") from error
        if done.returncode == 0:
            return done.stdout
        if not check:
            return b""
        raise _failure(f"git {' '.join(args[:2])}", done.stderr.decode("utf-8", "replace"))

    def text(self, *args: str, check: bool = True) -> str:
        return self.run(*args, check=check).decode("utf-8", "replace").strip()

    @cached_property
    def git_dir(self) -> Path:
        """The git directory shared by all work trees of the repository."""
        return (self.root / self.text("rev-parse", "--git-common-dir")).resolve()

    @cached_property
    def converts_line_ends(self) -> bool:
        """Whether git is told to write other line ends into the work tree than it keeps."""
        return self.text("config", "core.autocrlf", check=False) not in {"", "false"}

    def head(self) -> Head:
        commit = self.text("rev-parse", "--verify", "--quiet", "HEAD^{commit}", check=False)
        branch = self.text("symbolic-ref", "--quiet", "HEAD", check=False)
        return Head(branch=branch.removeprefix("refs/heads/") or None, commit=commit or None)

    def resolve(self, revision: str) -> str:
        """The commit of a revision. Raises StellwerkError that says whether a shallow clone is to blame."""
        commit = self.text(
            "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}", check=False
        )
        if commit:
            return commit
        hint = "use a branch, a tag or a commit of this repository"
        if self.shallow:
            hint = "this clone is shallow: git fetch --unshallow, then try again"
        raise StellwerkError(f"there is no commit {revision!r} here", where=str(self.root), hint=hint)

    @property
    def shallow(self) -> bool:
        return self.text("rev-parse", "--is-shallow-repository") == "true"

    def commit_of(self, ref: str) -> str | None:
        """The commit a full ref name points to, None where there is none."""
        return (
            self.text("rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}", check=False) or None
        )

    def ancestor(self, older: str, newer: str) -> bool:
        done = subprocess.run(
            ["git", "merge-base", "--is-ancestor", older, newer],
            cwd=self.root,
            env=dict(self.environ),
            capture_output=True,
            check=False,
        )
        return done.returncode == 0

    def apart(self, one: str, other: str) -> tuple[int, int]:
        """How many commits each of two has that the other lacks."""
        left, right = self.text("rev-list", "--left-right", "--count", f"{one}...{other}").split()
        return int(left), int(right)

    def branches(self, *prefixes: str) -> Mapping[str, str]:
        """Full ref name -> commit of every ref below the prefixes; each may hold `*` and `**`."""
        lines = self.text("for-each-ref", "--format=%(refname) %(objectname)", *prefixes).splitlines()
        return {name: commit for name, _, commit in (line.rpartition(" ") for line in lines)}


def open_reader(directory: Path, environ: Mapping[str, str]) -> GitReader:
    """The repository `directory` is in. Raises StellwerkError for no repository, a bare one, or no work tree."""
    if not directory.is_dir():
        raise StellwerkError("there is no such folder", where=str(directory))
    probe = GitReader(directory, environ)
    asked = ("--is-bare-repository", "--show-toplevel", "--git-common-dir")
    top, _, shared = probe.text("rev-parse", *asked, check=False).partition("\n")[2].rpartition("\n")
    if not top and probe.text("rev-parse", "--is-bare-repository", check=False) == "true":
        raise StellwerkError(
            "this is a bare repository", where=str(directory), hint="clone it and run stellwerk in the clone"
        )
    if not top:
        raise StellwerkError(
            "this is not a git repository",
            where=str(directory.absolute()),
            hint="stellwerk init (it makes one), or -C DIR",
        )
    reader = GitReader(Path(top), environ)
    vars(reader)["git_dir"] = (directory / shared).resolve()  # so that it need not be asked for again
    return reader


class CommitTree:
    """The files of a commit. An unborn branch (`commit` None) has none.

    `only`: of these files and folders alone, as if there were no others.
    """

    def __init__(self, reader: GitReader, commit: str | None, *, only: Sequence[str] | None = None) -> None:
        self.reader = reader
        self.commit = commit if only is None or only else None
        self._only = ("--", *only) if only else ()
        self._blobs: dict[str, str] | None = None
        self._links: frozenset[str] = frozenset()
        self._executable: frozenset[str] = frozenset()

    def blobs(self) -> Mapping[str, str]:
        if self._blobs is None:
            self._blobs, links, executable = {}, set(), set()
            listed = ("ls-tree", "-r", "-z", "--full-tree", str(self.commit), *self._only)
            listing = self.reader.run(*listed) if self.commit else b""
            for entry in listing.decode("utf-8", "surrogateescape").split("\0")[:-1]:
                meta, _, path = entry.partition("\t")
                mode, _, blob = meta.split(" ")
                if mode == SYMLINK:
                    links.add(path)
                elif mode != SUBMODULE:
                    self._blobs[path] = blob
                    if mode == EXECUTABLE:
                        executable.add(path)
            self._links, self._executable = frozenset(links), frozenset(executable)
        return self._blobs

    def executable(self) -> frozenset[str]:
        self.blobs()
        return self._executable

    def symlinks(self) -> frozenset[str]:
        self.blobs()
        return self._links

    def read(self, paths: Iterable[str]) -> Mapping[str, bytes]:
        blobs = self.blobs()
        wanted = [path for path in paths if path in blobs]
        contents = read_blobs(self.reader, {blobs[path] for path in wanted})
        return {path: contents[blobs[path]] for path in wanted}


class WorkTree:
    """The files as they lie in the work tree: tracked ones and those not ignored.

    `listed`: these files (path -> mode and id, without submodules), known already.
    """

    def __init__(self, reader: GitReader, *, listed: Mapping[str, str] | None = None) -> None:
        self.reader = reader
        self._blobs: dict[str, str] | None = None
        self._links: frozenset[str] = frozenset()
        self.dirty: frozenset[str] = frozenset()
        self.listed = listed or {}
        if listed is not None:
            self._blobs, self._links, _ = by_mode(listed)

    def blobs(self) -> Mapping[str, str]:
        if self._blobs is not None:
            return self._blobs
        self._blobs, links = {}, set()
        listing = self.reader.run("ls-files", "-s", "-z").decode("utf-8", "surrogateescape")
        for entry in listing.split("\0")[:-1]:
            meta, _, path = entry.partition("\t")
            mode, blob, _stage = meta.split(" ")
            if mode == SYMLINK:
                links.add(path)
            elif mode != SUBMODULE:
                self._blobs[path] = blob
        self.dirty = changed_paths(self.reader)
        for path in self.dirty:
            self._blobs.pop(path, None)
            links.discard(path)
            mode, blob = changed_entry(self.reader.root, path)
            if mode == SYMLINK:
                links.add(path)
            elif mode:
                self._blobs[path] = blob
        self._links = frozenset(links)
        return self._blobs

    def symlinks(self) -> frozenset[str]:
        self.blobs()
        return self._links

    def read(self, paths: Iterable[str]) -> Mapping[str, bytes]:
        """The content as git has it: of unchanged files the blob where a filter (line ends, LFS) may differ."""
        blobs = self.blobs()
        wanted = [path for path in paths if path in blobs]
        found, stored = {}, []
        filtered = bool(wanted) and self._filtered
        root = f"{self.reader.root}{os.sep}"
        for path in wanted:
            changed = blobs[path].startswith(CHANGED)
            if filtered and not changed:
                stored.append(path)
                continue
            try:
                found[path] = _content(f"{root}{path}")
            except OSError:
                if not changed:
                    stored.append(path)  # a sparse checkout leaves files out
        if filtered:
            found |= self._without_outputs({path: found[path] for path in found if path.endswith(NOTEBOOK)})
        contents = read_blobs(self.reader, {blobs[path] for path in stored})
        return {**found, **{path: contents[blobs[path]] for path in stored}}

    def _without_outputs(self, notebooks: Mapping[str, bytes]) -> Mapping[str, bytes]:
        """Notebooks as git will keep them: without outputs where they have a filter that is set up in this clone."""
        if not notebooks:
            return {}
        from stellwerk.notebooks.clean import stripped

        listed = self.reader.run("check-attr", "-z", "filter", "--", *notebooks).decode("utf-8", "surrogateescape")
        fields = listed.split("\0")[:-1]
        known = {name for name in STRIPPING if self.reader.text("config", f"filter.{name}.clean", check=False)}
        clean = {}
        for path, name in zip(fields[::3], fields[2::3], strict=True):
            if name in known:
                with suppress(StellwerkError):  # no notebook: whoever reads it says so
                    clean[path] = stripped(notebooks[path])
        return clean

    @cached_property
    def _filtered(self) -> bool:
        """Whether the work tree's bytes may differ from git's."""
        attributes = any(path.rpartition("/")[2] == ".gitattributes" for path in self.blobs())
        return attributes or self.reader.converts_line_ends


def _content(file: str) -> bytes:
    """The bytes of a file; without a file object around them, which takes longer than reading."""
    descriptor = os.open(file, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    try:
        parts = [os.read(descriptor, CHUNK)]
        while len(parts[-1]) == CHUNK:
            parts.append(os.read(descriptor, CHUNK))
        return b"".join(parts)
    finally:
        os.close(descriptor)


def changed_entry(root: Path, path: str) -> tuple[str, str]:
    """The mode and an id of a changed file; ('', '') where there is none or it lies behind a link."""
    full = root / path
    if full.is_symlink():
        return SYMLINK, f"{CHANGED}{path}"
    if full.is_file() and full.parent.resolve() == root.resolve() / os.path.dirname(path):  # noqa: PTH120
        stat = full.stat()
        return "100644", f"{CHANGED}{stat.st_size}:{stat.st_mtime_ns}:{stat.st_ino}:{path}"
    return "", ""


def by_mode(listed: Mapping[str, str]) -> tuple[dict[str, str], frozenset[str], frozenset[str]]:
    """Files by id, the symbolic links, and the executable files of a listing of modes and ids."""
    blobs, links, executable = {}, set(), set()
    for path, entry in listed.items():
        mode, _, blob = entry.partition(" ")
        if mode == SYMLINK:
            links.add(path)
            continue
        blobs[path] = blob
        if mode == EXECUTABLE:
            executable.add(path)
    return blobs, frozenset(links), frozenset(executable)


def read_blobs(reader: GitReader, blobs: Iterable[str]) -> Mapping[str, bytes]:
    """Blob id -> content, in one process. Raises GitError where an object is missing."""
    wanted = sorted(blobs)
    if not wanted:
        return {}
    output = reader.run("cat-file", "--batch", stdin="".join(f"{blob}\n" for blob in wanted).encode())
    found, position = {}, 0
    for blob in wanted:
        end = output.index(b"\n", position)
        header = output[position:end].split(b" ")
        if len(header) != 3:  # noqa: PLR2004 "<id> <type> <size>", else "<id> missing"
            raise GitError(
                f"the object {blob} is missing",
                where=str(reader.root),
                hint="git fetch, or git fsck to see what is broken",
            )
        size = int(header[2])
        found[blob] = output[end + 1 : end + 1 + size]
        position = end + 1 + size + 1
    return found


def changed_paths(reader: GitReader) -> frozenset[str]:
    """Paths whose work-tree content differs from the index or HEAD, untracked ones included."""
    entries = (
        reader.run("status", "--porcelain", "-z", "--untracked-files=all", "--ignore-submodules=all", "--no-renames")
        .decode("utf-8", "surrogateescape")
        .split("\0")[:-1]
    )
    return frozenset(entry[3:] for entry in entries)


def locked_by_git(file: str) -> GitError:
    """What to say of a lock file of git's, which says nothing of who made it."""
    message = "git's lock is there: another git command is at work in this repository, or one was killed"
    return GitError(message, where=file, hint=f"if none is running: rm {shlex.quote(file)}")


def _failure(command: str, said: str) -> GitError:
    if lock := LOCKED.search(said):
        return locked_by_git(lock["file"])
    lines = [line for line in said.splitlines() if line.strip()]
    return GitError(lines[-1].strip() if lines else "git failed and said nothing", where=command)
