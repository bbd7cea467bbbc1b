"""A git work tree of its own for one training: only the files it needs, with the repository's DVC cache and remotes.

It lies below `.dvc/tmp` so that DVC can link files from the cache instead of copying them. Its name holds host and
process, so that what a killed process left is known and removed by the next one.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import socket
import subprocess
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stellwerk.adapters.dvc.session import git_folder, quiet
from stellwerk.adapters.git.lock import locked
from stellwerk.adapters.templates import TEMPLATES, held
from stellwerk.errors import StellwerkError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

ROOMS = ".dvc/tmp/stellwerk"
PATIENCE = 120.0  # seconds
MEMORY = Path("/dev/shm")  # noqa: S108 - folders there have names of ours, and rights of ours alone
ENOUGH = 64 << 20  # bytes
NOT_INHERITED = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_OBJECT_DIRECTORY")


class WorkTree:
    """An empty checkout of `commit` at `root`; `room` is a folder around it for what belongs to this training.

    `notes` is where DVC is to keep what it has seen of it.
    """

    def __init__(self, *, root: Path, room: Path, commit: str) -> None:
        self.root = root
        self.room = room
        self.commit = commit
        self.notes = _notes(room)

    def check_out(self, paths: Iterable[str]) -> None:
        """Bring files and folders of the commit into the work tree. Folders that it does not have are passed over."""
        listed = _git(self.root, "ls-tree", "-r", "-z", "--name-only", "--full-tree", "HEAD", "--", *paths)
        if listed:  # its index holds these alone: one of the whole repository grows with it
            named = ("--pathspec-from-file=-", "--pathspec-file-nul")
            _git(self.root, "checkout", "--quiet", "--force", "HEAD", *named, stdin=listed)

    def require(self, paths: Iterable[str]) -> None:
        """As `check_out`, for files; a file that the commit does not have is an error."""
        wanted = tuple(paths)
        lacking = [path for path in wanted if not os.path.lexists(self.root / path)]
        if lacking:
            self.check_out(lacking)
        for path in wanted:
            if not os.path.lexists(self.root / path):
                raise StellwerkError(
                    f"{path} is not in commit {self.commit[:12]}", where=path, hint="commit it, then run this again"
                )


@contextmanager
def work_tree(root: Path, commit: str, paths: Iterable[str] = ()) -> Iterator[WorkTree]:
    """A work tree of the repository at `root` with these files and folders, gone when the block ends."""
    room = _new_room(root)
    tree = WorkTree(root=room / "tree", room=room, commit=commit)
    try:
        with _alone(root):
            _git(root, "worktree", "add", "--quiet", "--detach", "--no-checkout", str(tree.root), commit)
        tree.check_out([".dvc", ".dvcignore", ".gitignore", *paths])
        _share_dvc(root, tree)
        yield tree
    finally:
        _remove(root, room)


@contextmanager
def run_templates(root: Path, environ: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Keep templates (`adapters.templates`) for a run in the repository; the variables by which they are found.

    None of its own has a run within a run, as `environ` tells: it uses the outer one's.
    """
    if environ.get(TEMPLATES) or not (root / ".dvc").is_dir():
        yield {}
        return
    room = _new_room(root)
    try:
        with held(room) as variables:
            yield variables
    finally:
        shutil.rmtree(room, ignore_errors=True)


def _new_room(root: Path) -> Path:
    rooms = root / ROOMS
    rooms.mkdir(parents=True, exist_ok=True)
    _remove_stale(root, rooms)
    room = rooms.resolve() / f"{_host()}-{os.getpid()}-{os.urandom(4).hex()}"
    room.mkdir()
    return room


def _share_dvc(root: Path, tree: WorkTree) -> None:
    """Give the work tree the repository's own configuration, its paths absolute: cache, remotes, credentials."""
    from dvc.config import Config, ConfigError, merge

    try:
        with quiet():
            theirs = Config(str(root / ".dvc"))
            settings: dict[str, Any] = theirs.load_one("repo")
            merge(settings, theirs.load_one("local"))
            settings["cache"].setdefault("dir", str(root.resolve() / ".dvc" / "cache"))
            settings["core"] |= {"autostage": "false", "analytics": "false", "site_cache_dir": str(tree.notes)}
            (tree.root / ".dvc").mkdir(exist_ok=True)
            with Config(str(tree.root / ".dvc"), validate=False).edit("local", validate=False) as mine:
                merge(mine, _plain(settings))
    except ConfigError as error:
        raise StellwerkError(
            f"DVC cannot read its configuration: {error}", where=".dvc/config", hint="repair it"
        ) from error


def _notes(room: Path) -> Path:
    """Where DVC notes what files it has hashed, in two databases of this training's own.

    In memory, where there is room: to make a database on a disk waits for the disk several times.
    """
    with contextlib.suppress(OSError):
        place = os.statvfs(MEMORY)
        if os.access(MEMORY, os.W_OK | os.X_OK) and place.f_bavail * place.f_frsize > ENOUGH:
            return _in_memory(room)
    return room / "site"


def _in_memory(room: Path) -> Path:
    return MEMORY / f"stellwerk-{room.name}"


def _plain(value: Any) -> Any:
    """DVC marks relative paths by a type of text that it writes back as relative; here they are to stay absolute."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    return str(value) if isinstance(value, str) else value


def _remove_stale(root: Path, rooms: Path) -> None:
    for room in rooms.iterdir():
        if _stale(room.name):
            _remove(root, room)
    for notes in MEMORY.glob(f"stellwerk-{_host()}-*"):  # of a repository that may be gone
        if _stale(notes.name.removeprefix("stellwerk-")):
            shutil.rmtree(notes, ignore_errors=True)


def _stale(name: str) -> bool:
    """Whether a process of this machine that has ended made a room of that name."""
    host, _, rest = name.partition("-")
    pid = rest.partition("-")[0]
    return host == _host() and pid.isdigit() and not _alive(int(pid))


def _remove(root: Path, room: Path) -> None:
    if (room / "tree").exists():
        with _alone(root):
            _git(root, "worktree", "remove", "--force", "--force", str(room / "tree"), check=False)
    shutil.rmtree(room, ignore_errors=True)
    shutil.rmtree(_in_memory(room), ignore_errors=True)


def _alone(root: Path) -> AbstractContextManager[None]:
    """Git stumbles over a work tree that another process adds or removes at the moment."""
    folder = git_folder(root) or root / _git(root, "rev-parse", "--git-common-dir").strip()
    return locked(folder / "stellwerk" / "worktrees.lock", patience=PATIENCE, doing="another training begins or ends")


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _host() -> str:
    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]


def _git(where: Path, *args: str, stdin: str | None = None, check: bool = True) -> str:
    """Run git without hooks (DVC's own would check out data) and with paths taken literally."""
    environment = {name: value for name, value in os.environ.items() if name not in NOT_INHERITED}
    done = subprocess.run(
        ["git", "--literal-pathspecs", "-c", f"core.hooksPath={os.devnull}", *args],
        cwd=where,
        input=stdin,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        errors="surrogateescape",
        check=False,
    )
    if check and done.returncode:
        words = done.stderr.strip().splitlines()
        raise StellwerkError(
            f"git {args[0]} failed: {words[-1] if words else f'exit code {done.returncode}'}", where=str(where)
        )
    return done.stdout
