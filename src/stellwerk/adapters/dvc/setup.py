"""Make a git repository a DVC repository that Stellwerk can work with, without touching what people configured.

Two remotes are made where there are none: `storage` (DVC's default: the data) and `packages` (what was trained; see
docs/design.md). `storage` is a folder beside the repository, `<repository>.storage`, because a folder inside would be
deleted with the repository; its path is relative, so a clone next to the original finds it. `packages` is
`remote://storage/packages`: it moves, and takes its credentials, with `storage` until somebody gives it a URL of its
own.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from stellwerk.adapters.dvc.session import public_url, quiet
from stellwerk.adapters.git.checkout import write_atomically
from stellwerk.errors import StellwerkError

STORAGE = "storage"
PACKAGES = "packages"
LINKS = "hardlink, symlink, copy"
PRIVATE = "/config.local\n/tmp\n/cache\n"  # what DVC keeps out of git
FILES = (".dvc/config", ".dvc/.gitignore", ".dvcignore")


def init_dvc(root: Path, *, storage_url: str | None = None) -> tuple[str, ...]:
    """`dvc init` where needed, links instead of copies, and the remotes `storage` and `packages`; safe to repeat.

    `storage_url` (a URL, or a path relative to `root`) is where a new `storage` remote points. Returns the paths that
    were created or changed, relative to `root`, to be committed. Errors: no git repository at `root`; a configuration
    DVC cannot read; a `storage_url` although `storage` already points somewhere else.
    """
    before = {path: _content(root / path) for path in FILES}
    with quiet():
        if not (root / ".dvc" / "config").exists():
            _init(root)
        _finish(root)
        _configure(root, storage_url)
    return tuple(path for path in FILES if _content(root / path) not in {before[path], None})


def _init(root: Path) -> None:
    """What `dvc init` makes. Its own would also stage the files, and leave git's lock behind where it is killed."""
    if not (root / ".git").exists():
        raise StellwerkError(
            "cannot set up DVC: there is no git repository", where=str(root), hint="run `git init` first"
        )
    (root / ".dvc").mkdir(exist_ok=True)
    (root / ".dvc" / "config").touch()


def _finish(root: Path) -> None:
    """The rest of it, also where an init was killed: DVC's own writes `.dvc/.gitignore` last, line by line."""
    from dvc.ignore import init as make_dvcignore

    ignored = root / ".dvc" / ".gitignore"
    written = (_content(ignored) or b"").decode("utf-8", "replace")
    if written != PRIVATE and PRIVATE.startswith(written):
        make_dvcignore(str(root))
        write_atomically(ignored, PRIVATE.encode())


def _configure(root: Path, storage_url: str | None) -> None:
    from dvc.config import Config, ConfigError

    file = root / ".dvc" / "config"
    try:
        config = Config(str(root / ".dvc"))
        effective, own = config.load_config_to_level(), config.load_file(config.files["repo"])
    except ConfigError as error:
        raise StellwerkError(
            f"DVC cannot read its configuration: {error}", where=".dvc/config", hint="repair it"
        ) from error
    core, cache, remotes = effective.get("core", {}), effective.get("cache", {}), effective.get("remote", {})
    url = None if storage_url is None else _relative(storage_url, root)
    there = own["remote"].get(STORAGE, {}).get("url")
    if url is not None and there not in {None, url}:
        raise StellwerkError(
            f"the remote {STORAGE!r} points to {public_url(there)} already",
            where=".dvc/config",
            hint=f"change it yourself: `dvc remote modify {STORAGE} url {storage_url}`",
        )
    changes: list[tuple[str, str, str]] = []
    if "analytics" not in core:
        changes.append(("core", "analytics", "false"))
    if "type" not in cache:
        changes.append(("cache", "type", LINKS))
    if STORAGE not in remotes and (url or "remote" not in core):
        changes.append((_section(STORAGE), "url", url or f"../../{root.resolve().name}.storage"))
    default = core.get("remote", STORAGE)
    if "remote" not in core:
        changes.append(("core", "remote", STORAGE))
    if PACKAGES not in remotes:
        changes.append((_section(PACKAGES), "url", f"remote://{default}/packages"))
    text = file.read_text(encoding="utf-8")
    for section, key, value in changes:
        text = with_setting(text, section, key, value)
    if changes:
        write_atomically(file, text.encode())


def with_setting(text: str, section: str, key: str, value: str) -> str:
    """DVC's configuration with one more setting; every line that was there stays as it is."""
    quoted = f'"{value}"' if re.search(r"[#,']", value) and section.startswith("'remote") else value
    line = f"    {key} = {quoted}"
    lines = text.splitlines()
    heads = [at for at, old in enumerate(lines) if old.strip() == f"[{section}]"]
    if heads:
        lines.insert(heads[0] + 1, line)
    else:
        lines += [f"[{section}]", line]
    return "\n".join(lines) + "\n"


def _section(remote: str) -> str:
    return f"'remote \"{remote}\"'"


def _relative(url: str, root: Path) -> str:
    """A path as DVC's configuration wants it: relative to `.dvc`. URLs and absolute paths stay as they are."""
    if "://" in url or Path(url).expanduser().is_absolute():
        return url
    return Path(os.path.relpath(root / url, root / ".dvc")).as_posix()


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None
