"""`stellwerk package`: a version of the registry as a folder that can be deployed."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from stellwerk.errors import StellwerkError, UsageError
from stellwerk.reconcile.presence import fetch
from stellwerk.reconcile.world import PACKAGES
from stellwerk.training.deployable import write_deployable

if TYPE_CHECKING:
    from stellwerk.app.workspace import Workspace
    from stellwerk.model.observed import Version
    from stellwerk.reconcile.world import State


class Packaged(Struct, frozen=True, kw_only=True):
    """What was written: `already`, where the very same folder was there."""

    model: str
    version: int
    sha256: str
    files: int
    already: bool


def package_version(workspace: Workspace, name: str, out: Path) -> Packaged:
    """Fetch the package of `MODEL@VERSION`, prove it by its digest, and write the folder `out`.

    UsageError where no version is named; StellwerkError where it is not there, where no image is declared, or `out`
    holds something else.
    """
    loaded = workspace.loader.work_tree()
    workspace.loader.refuse_mistakes(loaded)
    state = loaded.state
    version = _named(state, name)
    image = state.project.packages.image
    if image is None:
        raise StellwerkError(
            "no base image is declared, and a tag alone may be another image tomorrow",
            where="mlops.yaml: packages.image",
            hint="packages: {image: python:3.11-slim@sha256:...}; `docker buildx imagetools inspect` shows the digest",
        )
    session = workspace.session(loaded, push=False, commits=False)
    with tempfile.TemporaryDirectory(prefix="stellwerk-package-") as room:
        package = Path(room) / "package"
        fetch(session.world, state, version.record.package.md5, package, remote=PACKAGES)
        lock = _lock(workspace, state, version.record.python)
        written = write_deployable(package, version.record, image=image, out=out, lock=lock)
    return Packaged(
        model=version.record.model,
        version=version.record.number,
        sha256=version.record.package.sha256,
        files=written.files,
        already=written.already,
    )


def _lock(workspace: Workspace, state: State, python: str) -> str:
    """What CI installs, where that is for the version's own Python: its wheels have the hashes that are known of it."""
    workflows = state.project.workflows
    file = None if workflows is None else workspace.root / workflows.install.requirements
    if workflows is None or file is None or not file.is_file() or not f"{python}.".startswith(f"{workflows.python}."):
        return ""
    return file.read_text(encoding="utf-8")


def _named(state: State, text: str) -> Version:
    name, at, number = text.rpartition("@")
    if not at or not number.removeprefix("v").isdigit():
        raise UsageError("name a version as MODEL@NUMBER", where=text, hint="shoe-demand@2")
    return state.version(state.model(name), int(number.removeprefix("v")))
