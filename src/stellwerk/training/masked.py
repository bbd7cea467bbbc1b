"""What the model's process must not see: every place that may hold the held-out rows, or the keys to one."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from stellwerk.training.jobs import Surroundings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_SETTING = re.compile(r"^\s*(?:url|dir)\s*=\s*(.+?)\s*$", re.MULTILINE)
_SKIPPED = {".git", ".dvc", ".venv", "venv", "node_modules", "__pycache__", "registry"}
_SECRETS = (".aws", ".azure", ".config/gcloud", ".config/dvc", ".ssh", ".netrc", ".git-credentials")


def masked_paths(root: Path, data_path: str | None = None, *, parent: Mapping[str, str]) -> tuple[Path, ...]:
    """The dataset and every other file DVC tracks, DVC's folder, cache and local remotes, git's folder, credentials.

    `root` may be a linked git work tree: the same places of the main one count as well. `parent` is the environment
    of this process; STELLWERK_MASKED in it names further paths, separated as in PATH.
    """
    home = Path(parent.get("HOME") or Path.home())
    found: list[Path] = [home / name for name in _SECRETS]
    found += [Path(name) for name in parent.get("STELLWERK_MASKED", "").split(os.pathsep) if name]
    for tree in _work_trees(root):
        found += [tree / ".dvc", tree / ".git", *_tracked(tree), *_dataset(tree, data_path)]
        for config in (tree / ".dvc/config", tree / ".dvc/config.local"):
            found += _local_places(config)
    for git in _git_folders(root):
        found.append(git)
        for place in _local_places(git / "config", relative_to=root):
            # The whole of a bare remote; of somebody's work tree only what may hold data: its programs may be in use.
            if (place / ".git").exists():
                found += [place / ".git", place / ".dvc", *_dataset(place, data_path)]
            else:
                found.append(place)
    for name in ("DVC_GLOBAL_CONFIG_DIR", "DVC_SYSTEM_CONFIG_DIR"):
        if folder := parent.get(name):
            found += [*_local_places(Path(folder) / "config"), Path(folder)]
    found += _local_places(home / ".config/dvc/config")
    return tuple(sorted(set(found)))


def surroundings(
    root: Path, *, masked: tuple[Path, ...], environ: Mapping[str, str], timeout: float, namespace: bool = True
) -> Surroundings:
    """Where a package of the repository at `root` runs: `masked` and everything of `masked_paths` hidden."""
    hidden = (*masked, *masked_paths(root, parent=environ))
    return Surroundings(parent=environ, timeout=timeout, masked=hidden, namespace=namespace)


def _git_folders(root: Path) -> tuple[Path, ...]:
    """The git folder of a work tree, and the one it shares with others."""
    pointer = root / ".git"
    if not pointer.is_file():
        return (pointer,) if pointer.is_dir() else ()
    text = pointer.read_text(encoding="utf-8").removeprefix("gitdir:").strip()
    own = (root / text).resolve()
    shared = own / "commondir"
    return (own, (own / shared.read_text(encoding="utf-8").strip()).resolve()) if shared.is_file() else (own,)


def _dataset(tree: Path, data_path: str | None) -> tuple[Path, ...]:
    """The dataset there, tracked or not."""
    return () if data_path is None else (tree / data_path,)


def _work_trees(root: Path) -> tuple[Path, ...]:
    """This work tree, and the main one that owns the shared git folder."""
    others = [git.parent for git in _git_folders(root) if git.name == ".git" and git.parent != root]
    return (root, *others)


def _local_places(config: Path, *, relative_to: Path | None = None) -> Iterator[Path]:
    """Local folders that a DVC or git configuration names as remote or cache; DVC's are relative to the file."""
    try:
        text = config.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
    for value in _SETTING.findall(text):
        place = value.strip("\"'").removeprefix("file://")
        if place and "://" not in place:
            yield ((relative_to or config.parent) / Path(place).expanduser()).resolve()


def _tracked(tree: Path) -> Iterator[Path]:
    """What a `.dvc` pointer stands for."""
    for parent, folders, names in os.walk(tree):
        folders[:] = [name for name in folders if name not in _SKIPPED]
        yield from (Path(parent, name.removesuffix(".dvc")) for name in names if name.endswith(".dvc"))
