"""Open a DVC repository in process: quiet, and with every failure turned into words a person can act on."""

from __future__ import annotations

import logging
import re
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from stellwerk.errors import StellwerkError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

LOGGERS = ("dvc", "dvc_data", "dvc_objects")
BARS = ("dvc.progress", "dvc_data.callbacks")
INSTALL = {"s3": "s3", "gs": "gs", "azure": "azure", "ssh": "ssh"}


class Session:
    """An open DVC repository."""

    def __init__(self, repo: Any) -> None:
        self.repo = repo

    def refused(self, doing: str, remote: str | None, failures: Sequence[BaseException]) -> StellwerkError:
        """The error for objects that are not where they were to be copied to, whatever the copying said."""
        if failures and not isinstance(failures[0], FileNotFoundError):
            return _in_words(failures[0], self, doing=doing, remote=remote, asks_remote=True, urls=())
        if (folder := self.local_folder(remote)) is not None and not folder.is_dir():
            return StellwerkError(
                f"cannot {doing}: that folder is not on this machine",
                where=self.place(remote),
                hint="put it where every clone reaches it, then: `dvc remote modify storage url PATH-OR-URL`",
            )
        return StellwerkError(
            f"cannot {doing}: the content is not there, or damaged",
            where=self.place(remote),
            hint="push it again from a machine that has it",
        )

    def place(self, remote: str | None) -> str:
        """The remote's name and address without credentials, for messages."""
        name = remote or self.repo.config["core"].get("remote")
        if not name:
            return "DVC's default remote (none is set)"
        settings = self.repo.config["remote"].get(name.lower())
        return f"remote {name!r} ({public_url(str(settings['url']))})" if settings else f"remote {name!r}"

    def local_paths(self) -> tuple[Path, ...]:
        """The cache and the folders of local remotes."""
        folders = {self.local_folder(name) for name in self.repo.config["remote"]}
        return tuple(sorted({Path(self.repo.cache.local_cache_dir), *(folder for folder in folders if folder)}))

    def local_folder(self, remote: str | None) -> Path | None:
        """The folder of that remote, or of the default one; None where it is elsewhere or not known."""
        from dvc.fs import get_fs_config

        config = self.repo.config
        name = remote or config["core"].get("remote")
        if not name or name.lower() not in config["remote"]:
            return None
        url = str(get_fs_config(config, name=name.lower()).get("url", "")).removeprefix("file://")
        return Path(url) if url and "://" not in url else None


@contextmanager
def quiet() -> Iterator[None]:
    """Keep DVC's log and progress bars from the terminal, for the length of the block."""
    import dvc  # noqa: F401 - it sets up its loggers on import

    loggers = [logging.getLogger(name) for name in (*LOGGERS, *BARS)]
    before = [(logger, logger.level, logger.propagate, logger.handlers) for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
        logger.propagate = False
        logger.handlers = [logging.NullHandler()]
    try:
        yield
    finally:
        for logger, level, propagate, handlers in before:
            logger.setLevel(level)
            logger.propagate = propagate
            logger.handlers = handlers


def other_git(root: Path) -> Any:
    """DVC's view of a repository that hashes with SHA-256, which pygit2 cannot open; None for all others."""
    import subprocess

    from scmrepo.git import Git

    if not _may_hash_otherwise(root):
        return None
    asked = ["git", "rev-parse", "--show-object-format"]
    done = subprocess.run(asked, cwd=root, capture_output=True, text=True, check=False)
    if done.stdout.strip() in {"", "sha1"}:
        return None
    return Git(str(root), backends=["dulwich", "gitpython"])


def git_folder(root: Path) -> Path | None:
    """The git folder that the work tree at `root` shares with others; None where only git itself can tell."""
    git = root / ".git"
    try:
        if not git.is_file():
            return git if (git / "objects").is_dir() else None
        own = (root / git.read_text(encoding="utf-8").removeprefix("gitdir:").strip()).resolve()
        return (own / (own / "commondir").read_text(encoding="utf-8").strip()).resolve()
    except (OSError, ValueError):
        return None


def _may_hash_otherwise(root: Path) -> bool:
    """False where the repository's own configuration says nothing of it: that saves a process."""
    git = git_folder(root)
    try:
        return git is None or b"objectformat" in (git / "config").read_bytes().lower()
    except OSError:
        return True


@contextmanager
def opened(
    root: Path, *, doing: str, remote: str | None = None, asks_remote: bool = False, urls: tuple[str, ...] = ()
) -> Iterator[Session]:
    """The DVC repository at `root`. Whatever fails inside becomes a StellwerkError that says what was being done.

    Messages show the addresses of remotes, and `urls`, without credentials.
    """
    from dvc.exceptions import NotDvcRepoError
    from dvc.repo import Repo

    if not (root / ".dvc").is_dir():
        raise StellwerkError("this is not a DVC repository", where=str(root), hint="run `stellwerk init`")
    with quiet():
        session: Session | None = None
        try:
            with Repo(str(root), scm=other_git(root)) as repo:
                session = Session(repo)
                yield session
        except StellwerkError:
            raise
        except NotDvcRepoError as error:
            raise StellwerkError(
                "this is not a DVC repository", where=str(root), hint="run `stellwerk init`"
            ) from error
        except Exception as error:
            raise _in_words(error, session, doing=doing, remote=remote, asks_remote=asks_remote, urls=urls) from error


def _in_words(
    error: BaseException,
    session: Session | None,
    *,
    doing: str,
    remote: str | None,
    asks_remote: bool,
    urls: tuple[str, ...],
) -> StellwerkError:
    from dvc.config import NoRemoteError, RemoteNotFoundError
    from dvc.lock import LockError

    where = session.place(remote) if session and asks_remote else ""
    urls += _urls(session.repo.config) if session else ()
    reason = without_credentials(describe(error), urls)
    match error:
        case NoRemoteError():
            return StellwerkError(
                f"cannot {doing}: no DVC remote is set",
                hint="add one: `dvc remote add -d storage URL`, or `stellwerk init`",
            )
        case RemoteNotFoundError():
            known = ", ".join(sorted(session.repo.config["remote"])) if session else ""
            return StellwerkError(
                f"cannot {doing}: DVC has no remote named {remote!r}",
                where=".dvc/config",
                hint=f"add it: `dvc remote add {remote} URL`; there is: {known or 'none'}",
            )
        case LockError():
            return StellwerkError(
                f"cannot {doing}: another process works with this DVC repository",
                where=".dvc/tmp/lock",
                hint="wait for it to end, then run this again",
            )
        case _:
            pass
    if type(error).__name__ == "RemoteMissingDepsError":
        scheme = re.search(r"\b(s3|gs|azure|ssh)\b", reason)
        extra = f"`pip install 'stellwerk[{INSTALL[scheme[1]]}]'`" if scheme else "install DVC's plugin for it"
        return StellwerkError(f"cannot {doing}: DVC has no support for this kind of remote", where=where, hint=extra)
    return StellwerkError(f"cannot {doing}: {reason}", where=where, hint=_hint(error, asks_remote=asks_remote))


def _hint(error: BaseException, *, asks_remote: bool) -> str:
    if isinstance(error, PermissionError) or re.search(
        r"forbidden|denied|credential|unauthori", str(error), re.IGNORECASE
    ):
        return "check the rights and credentials of this process"
    if asks_remote:
        return "check that the remote exists and can be reached: `dvc remote list`"
    return ""


def describe(error: BaseException) -> str:
    """An exception, and what caused it, in one line."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    text = " ".join(str(error).split()) or type(error).__name__
    cause = error.__cause__
    return f"{text}: {describe(cause)}" if cause and str(cause) and str(cause) not in text else text


def public_url(url: str) -> str:
    """A remote's address without user, password and query."""
    if "://" not in url:
        return url
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def without_credentials(text: str, urls: tuple[str, ...]) -> str:
    """The text with each remote's address, and each user information, made public."""
    for url in urls:
        text = text.replace(url, public_url(url))
    return re.sub(r"(\w+://)[^/\s@]+@", r"\1", text)


def _urls(config: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(str(settings["url"]) for settings in config["remote"].values() if "url" in settings)
