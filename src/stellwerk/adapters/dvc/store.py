"""Content by hash in DVC's cache and remotes.

DVC keeps a local index of what each remote was last seen to hold and believes it (a folder counts as pushed although
somebody emptied the remote). Nothing here uses that index: presence is always asked of the remote.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from stellwerk.adapters.dvc.session import opened
from stellwerk.errors import StellwerkError
from stellwerk.model.ports import AddResult
from stellwerk.model.records import Pointer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stellwerk.adapters.dvc.session import Session

CHUNK = 1 << 20
EMPTY = "d41d8cd98f00b204e9800998ecf8427e"  # the MD5 of nothing


class DvcStore:
    """`DataStore` on the DVC repository at `root`. Every call opens DVC anew, so configuration edits count at once."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()

    def add(self, path: str) -> AddResult:
        """Track the file and put it into the cache; its pointer and the other files to commit come back.

        As `dvc add`, except that it writes no pointer (that is the commit's work), never takes the file away, not
        even to put a link in its place, and does not collect every stage of the repository first.
        """
        file = self.root / path
        if not file.exists():
            raise StellwerkError(f"there is no file {path}", where=path, hint="create it, or declare its `source:`")
        for parent in PurePosixPath(path).parents:
            if parent.name and (self.root / f"{parent}.dvc").exists():
                raise StellwerkError(
                    f"{path} lies in a folder that DVC tracks as a whole",
                    where=f"{parent}.dvc",
                    hint=f"remove that pointer first: `dvc remove {parent}.dvc`",
                )
        self._refuse_tracked(path)
        pointer, ignored = self.root / f"{path}.dvc", file.parent / ".gitignore"
        with opened(self.root, doing=f"track {path}") as session:
            from dvc.stage.serialize import to_single_stage_file
            from dvc.utils.serialize import dumps_yaml

            repo = session.repo
            with repo.lock, repo.scm_context(autostage=False, quiet=True):
                if pointer.exists():
                    stage = repo.stage.load_file(str(pointer))[0]
                else:
                    stage = repo.stage.create(
                        single_stage=True, validate=False, fname=str(pointer), wdir=str(file.parent), outs=[file.name]
                    )
                out = stage.outs[0]
                out.meta, out.hash_info = _cached(repo, file, linked=repo.cache.local.cache_types[0] == "hardlink")
                out.hash_name, out.files = "md5", None
                out.ignore()
                text = dumps_yaml(to_single_stage_file(stage))
            found = Pointer(path=path, md5=out.hash_info.value, size=out.meta.size)
        files = {f"{path}.dvc": text.encode()}
        if ignored.exists():
            files[ignored.relative_to(self.root).as_posix()] = ignored.read_bytes()
        return AddResult(pointer=found, files=files)

    def cache_folder(self, path: Path) -> str:
        """Put a folder into the cache without a pointer; returns its hash, which ends in `.dir`."""
        with opened(self.root, doing=f"cache {path}") as session:
            return str(_cached(session.repo, path)[1].value)

    def push(self, hashes: Iterable[str], *, remote: str | None) -> None:
        """Copy from the cache to the remote, then ask the remote for each of them (and each file of a folder)."""
        wanted = frozenset(hashes)
        if not wanted:
            return
        with opened(self.root, doing="push", remote=remote, asks_remote=True) as session:
            there, cache = session.repo.cloud.get_remote_odb(remote, "push"), session.repo.cache.local
            contents = {md5: contents_of(md5, cache) or contents_of(md5, there) for md5 in wanted}
            lost = sorted(md5 for md5, files in contents.items() if files is None)
            every = frozenset[str]().union(*(files or () for files in contents.values()))
            absent = every - _held(every, there)
            lost += sorted(absent - _held(absent, cache))
            if lost:
                raise StellwerkError(
                    f"cannot push {lost[0]}: it is neither in the cache nor in the remote",
                    where=session.place(remote),
                    hint="fetch it from the machine or remote that has it, then run this again",
                )
            failures = _transfer(cache, there, absent)
            still = _absent(contents, there)
            if still:
                raise session.refused(f"push {min(still)}", remote, failures)

    def missing(self, hashes: Iterable[str], *, remote: str | None) -> frozenset[str]:
        """The hashes that the remote itself does not hold; a folder counts only with all its files."""
        wanted = frozenset(hashes)
        if not wanted:
            return frozenset()
        with opened(self.root, doing="ask what is there", remote=remote, asks_remote=True) as session:
            there, cache = session.repo.cloud.get_remote_odb(remote, "status"), session.repo.cache.local
            held = _held(wanted, there)
            bring_lists(held, there, cache)
            contents = {md5: contents_of(md5, cache) or contents_of(md5, there) for md5 in held}
            return (wanted - held) | _absent(contents, there)

    def fetch(self, md5: str, destination: Path, *, remote: str | None) -> None:
        """Write the file or folder to `destination` (replaced atomically), from the cache or else the remote.

        The content is hashed while it is copied: what a broken cache holds is fetched again, what a broken remote
        holds is an error.
        """
        self.bring(md5, remote=remote)
        with opened(self.root, doing=f"read {md5} from the cache") as session:
            cache = session.repo.cache.local
            destination.parent.mkdir(parents=True, exist_ok=True)
            room = Path(tempfile.mkdtemp(prefix=f".{destination.name[:40]}.", dir=destination.parent))
            try:
                broken = _write(md5, room / "new", cache)
                if broken:
                    for bad in broken:
                        Path(cache.oid_to_path(bad)).unlink(missing_ok=True)
                    self.bring(md5, remote=remote)
                    broken = _write(md5, room / "new", cache)
                if broken:
                    raise StellwerkError(
                        f"the content of {broken[0]} is not what its name says",
                        where=session.place(remote),
                        hint="the remote holds a damaged object; push it again from a machine that has it",
                    )
                if destination.is_dir() and not destination.is_symlink():
                    destination.rename(room / "old")
                (room / "new").replace(destination)
            finally:
                shutil.rmtree(room, ignore_errors=True)

    def bring(self, md5: str, *, remote: str | None) -> None:
        """Make sure that the cache holds the file, or the folder with all its files. Asks the remote only if not."""
        with opened(self.root, doing=f"fetch {md5}", remote=remote, asks_remote=True) as session:
            bring_into_cache(session, md5, remote=remote)

    def local_paths(self) -> tuple[Path, ...]:
        """The cache and the folders of local remotes: what model code must not see."""
        with opened(self.root, doing="read DVC's configuration") as session:
            return session.local_paths()

    def remote_names(self) -> tuple[str, ...]:
        """The configured remotes, sorted."""
        with opened(self.root, doing="read DVC's configuration") as session:
            return tuple(sorted(session.repo.config["remote"]))

    def _refuse_tracked(self, path: str) -> None:
        import subprocess

        listed = subprocess.run(
            ["git", "--literal-pathspecs", "ls-files", "-z", "--", path],
            cwd=self.root,
            capture_output=True,
            check=False,
        )
        if listed.stdout:
            raise StellwerkError(
                f"git tracks {path}; DVC cannot version what git versions",
                where=path,
                hint=f"take it out of git, the file stays: `git rm -r --cached {path}`, then commit",
            )


def _cached(repo: Any, path: Path, *, linked: bool = False) -> tuple[Any, Any]:
    """Put a file or folder into the cache; returns DVC's (meta, hash). `linked`: the cache may be a link to it."""
    from dvc_data.hashfile.build import build
    from dvc_data.hashfile.transfer import transfer

    cache = repo.cache.local
    staging, meta, found = build(cache, str(path), cache.fs, "md5", ignore=repo.dvcignore)
    name = str(found.hash_info.value)
    every = contents_of(name, staging) or {name}
    for md5 in every - _held(every, cache):
        Path(cache.oid_to_path(md5)).unlink(missing_ok=True)  # a killed copy, which DVC would take for the content
    outcome = transfer(staging, cache, {found.hash_info}, shallow=False, hardlink=linked)
    if outcome.failed:
        raise StellwerkError(
            f"cannot cache {path}", where=str(path), hint="check that .dvc/cache can be written and has space"
        )
    return meta, found.hash_info


def bring_into_cache(session: Session, md5: str, *, remote: str | None) -> None:
    """As `DvcStore.bring`, in a repository that is open already."""
    cache = session.repo.cache.local
    if _complete(md5, cache):
        return
    there = session.repo.cloud.get_remote_odb(remote, "fetch")
    failures = _transfer(there, cache, frozenset({md5}) - _held({md5}, cache), verify=True)
    files = contents_of(md5, cache)
    if files is not None:
        failures += _transfer(there, cache, files - _held(files, cache), verify=True)
    if not _complete(md5, cache):
        raise session.refused(f"fetch {md5}", remote, failures)


def bring_lists(hashes: Iterable[str], there: Any, cache: Any) -> None:
    """Copy the lists of these folders that the cache lacks into it, many at a time; those that fail are left out."""
    folders = frozenset(md5 for md5 in hashes if md5.endswith(".dir"))
    _transfer(there, cache, folders - _held(folders, cache), verify=True)


def _transfer(source: Any, target: Any, hashes: frozenset[str], *, verify: bool = False) -> list[BaseException]:
    """Copy objects, a folder's list only after all files arrived. Returns what went wrong."""
    failures: list[BaseException] = []
    files = sorted(md5 for md5 in hashes if not md5.endswith(".dir"))
    folders = sorted(hashes.difference(files))
    for group in (files, folders):
        if group and not failures:
            target.add(
                [source.oid_to_path(md5) for md5 in group],
                source.fs,
                group,
                check_exists=False,
                verify=verify,
                on_error=lambda _, error: failures.append(error),
                batch_size=target.fs.jobs if source.fs.protocol == "local" else source.fs.jobs,
            )
    return failures


def _held(hashes: Iterable[str], place: Any) -> frozenset[str]:
    """Those that the place has. An empty file of another name is not the object: DVC leaves one when it is killed."""
    wanted = list(hashes)
    there = frozenset(place.oids_exist(wanted)) if wanted else frozenset[str]()
    if place.fs.protocol != "local":
        return there
    return frozenset(md5 for md5 in there if md5 == EMPTY or Path(place.oid_to_path(md5)).stat().st_size)


def contents_of(md5: str, place: Any) -> frozenset[str] | None:
    """The object itself and, of a folder, every file in it; None where the folder's list is not there."""
    if not md5.endswith(".dir"):
        return frozenset({md5})
    listed = _listing(md5, place)
    return None if listed is None else frozenset({md5, *(oid for _, oid in listed)})


def _listing(md5: str, place: Any) -> list[tuple[PurePosixPath, str]] | None:
    """The files of a folder: (path within it, hash)."""
    from dvc_data.hashfile.hash_info import HashInfo
    from dvc_data.hashfile.tree import Tree
    from dvc_objects.errors import ObjectFormatError

    try:
        return [(PurePosixPath(*key), str(oid.value)) for key, _, oid in Tree.load(place, HashInfo("md5", md5))]
    except (FileNotFoundError, ObjectFormatError):
        return None


def _absent(contents: dict[str, frozenset[str] | None], place: Any) -> frozenset[str]:
    """The hashes of which the place lacks the object or any file."""
    every = frozenset[str]().union(*(files for files in contents.values() if files is not None))
    held = _held(every, place)
    return frozenset(md5 for md5, files in contents.items() if files is None or not files <= held)


def _complete(md5: str, place: Any) -> bool:
    files = contents_of(md5, place)
    return files is not None and files <= _held(files, place)


def _write(md5: str, target: Path, cache: Any) -> list[str]:
    """Copy a file or folder out of the cache; returns the objects whose content does not have their hash."""
    if target.exists():
        shutil.rmtree(target) if target.is_dir() else target.unlink()
    if not md5.endswith(".dir"):
        return [] if _copy(Path(cache.oid_to_path(md5)), target) == md5 else [md5]
    target.mkdir()
    raw = Path(cache.oid_to_path(md5)).read_bytes()
    if f"{hashlib.md5(raw, usedforsecurity=False).hexdigest()}.dir" != md5:
        return [md5]
    broken = []
    for path, oid in _listing(md5, cache) or ():
        if path.is_absolute() or ".." in path.parts:
            return [md5]
        file = target / path
        file.parent.mkdir(parents=True, exist_ok=True)
        if _copy(Path(cache.oid_to_path(oid)), file) != oid:
            broken.append(oid)
    return broken


def _copy(source: Path, target: Path) -> str:
    """Copy and hash. DVC forgets who may be executed; a file that begins with `#!` may."""
    digest = hashlib.md5(usedforsecurity=False)
    with source.open("rb") as read, target.open("xb") as write:
        script = read.peek(2)[:2] == b"#!"
        while chunk := read.read(CHUNK):
            digest.update(chunk)
            write.write(chunk)
        write.flush()
        os.fsync(write.fileno())
    if script:
        target.chmod(target.stat().st_mode | 0o111)
    return digest.hexdigest()
