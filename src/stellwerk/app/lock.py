"""`stellwerk lock`: the pinned packages from which CI jobs install Stellwerk, written to the work tree."""

from __future__ import annotations

import configparser
from typing import TYPE_CHECKING

from msgspec import Struct

from stellwerk import __version__
from stellwerk.errors import StellwerkError
from stellwerk.planning.rules.paths import symlink_of
from stellwerk.render.requirements import lock_text, read_lock, wanted

if TYPE_CHECKING:
    from pathlib import Path

    from stellwerk.app.workspace import Workspace
    from stellwerk.model.declared import Project, Workflows

CONFIG = ".dvc/config"


class Locked(Struct, frozen=True, kw_only=True):
    """The file, the requirements that were asked for, how many packages it pins, and whether it is new bytes."""

    path: str
    asked: tuple[str, ...]
    packages: int
    changed: bool


def lock_packages(workspace: Workspace, *, wheels: Path | None, version: str | None) -> Locked:
    """Ask pip, write the file as a whole. `wheels` is a folder of wheels to look in, besides the index.

    Raises StellwerkError where the declarations are wrong, where nothing is to be locked, or with pip's words.
    """
    from stellwerk.adapters.git.checkout import write_atomically
    from stellwerk.adapters.pip import Origin, resolve

    project, workflows = _declared(workspace)
    install = workflows.install
    offline = install.method == "wheels"
    folder = wheels if wheels is not None else workspace.root / install.wheels if offline else None
    if folder is not None and not folder.is_dir():
        raise StellwerkError(
            "there is no folder of wheels here", where=str(folder), hint="fill it with: pip wheel --wheel-dir DIR"
        )
    urls = _urls(project, workspace.root)
    formats = {model.format for model in project.models if model.format is not None and model.requirements is None}
    asked = wanted(version or __version__, provider=workflows.provider, urls=urls, built=not offline, formats=formats)
    pins = resolve(
        asked,
        python=workflows.python,
        origin=Origin(index=install.index, folder=folder, only_folder=offline),
        environ=workspace.environ,
    )
    text = lock_text(pins, asked, python=workflows.python)
    file = workspace.root / install.requirements
    changed = _content(file) != text
    if changed:
        write_atomically(file, text.encode())
    return Locked(path=install.requirements, asked=asked, packages=len(pins), changed=changed)


def check_lock(workspace: Workspace, *, version: str | None) -> tuple[str, tuple[str, ...]]:
    """The file, and what is wrong with it; nothing where a job can install this very version from it."""
    _, workflows = _declared(workspace)
    path, wish = workflows.install.requirements, version or __version__
    text = _content(workspace.root / path)
    if text is None:
        return path, ("it is not there",)
    lock = read_lock(text)
    problems = [f"line {line}: '{requirement}' has no hash" for line, requirement in lock.loose]
    if lock.version != wish:
        problems.append(
            "it does not pin stellwerk" if lock.version is None else f"it pins stellwerk {lock.version}, not {wish}"
        )
    return path, tuple(problems)


def _declared(workspace: Workspace) -> tuple[Project, Workflows]:
    loaded = workspace.brief.work_tree()
    workspace.loader.refuse_mistakes(loaded)
    project = loaded.state.project
    workflows = project.workflows
    if workflows is None:
        raise StellwerkError(
            "no workflows are declared, so nothing installs Stellwerk from a file",
            where="mlops.yaml",
            hint="add `workflows: {}`, then run it again",
        )
    if workflows.install.method == "checkout":
        raise StellwerkError(
            "workflows install Stellwerk from this checkout, with constraints.txt; there is nothing to lock",
            where="mlops.yaml: workflows.install.from",
            hint="elsewhere than in Stellwerk's own repository: from: release, or from: wheels",
        )
    link = symlink_of(workflows.install.requirements, loaded.state.tree)
    if link is not None:
        raise StellwerkError(
            "a symbolic link is on the way, and nothing is written through one", where=link, hint="replace it"
        )
    return project, workflows


def _urls(project: Project, root: Path) -> tuple[str, ...]:
    """Where the project's bytes lie: DVC's remotes, and the sources that DVC fetches."""
    config = configparser.RawConfigParser(strict=False, interpolation=None)
    try:
        config.read_string(_content(root / CONFIG) or "")
    except configparser.Error as error:
        raise StellwerkError(
            f"DVC's configuration cannot be read: {error.message}", where=CONFIG, hint="repair it"
        ) from error
    remotes = (config.get(section, "url", fallback="") for section in config.sections())
    sources = (dataset.source.url or "" for dataset in project.datasets if dataset.source is not None)
    return tuple(sorted({*remotes, *sources} - {""}))


def _content(file: Path) -> str | None:
    try:
        return file.read_bytes().decode("utf-8", "replace")
    except (FileNotFoundError, NotADirectoryError):
        return None
