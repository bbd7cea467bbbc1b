"""Deploy into a folder: `<path>/<model>/versions/<digest>/`, and the link `current` to the one that serves.

Whoever serves reads `current` once and keeps the folder it led to. Older versions stay for a rollback. Withdrawn,
`current` is gone and `withdrawn.json` names the fallback.
"""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING

from stellwerk.adapters.folders import digest_folder
from stellwerk.adapters.leftovers import beside, sweep
from stellwerk.errors import StellwerkError

if TYPE_CHECKING:
    from pathlib import Path

    from stellwerk.model.ports import DeployRequest

KEPT = 5


class LocalTarget:
    """`DeployPort` for folders; a relative `path` lies below `root`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def deploy(self, request: DeployRequest) -> str:
        """Unpack, check the digest, switch `current`; without a version, withdraw. An error leaves the old one."""
        place = self._place(request)
        try:
            place.mkdir(parents=True, exist_ok=True)
            if request.version is None:
                return self._withdraw(place, request)
            return self._switch(place, request)
        except OSError as error:
            raise StellwerkError(
                f"cannot deploy {request.model}: {error.strerror or error}",
                where=str(error.filename or place),
                hint="check the folder of `deploy: {target: local, path: ...}`, its rights and its space",
            ) from error

    def running(self, request: DeployRequest) -> str | None:
        """The digest of the files that `current` leads to, computed now; None where there is no `current`."""
        current = self._place(request) / "current"
        return digest_folder(current.resolve()).sha256 if current.is_dir() else None

    def _place(self, request: DeployRequest) -> Path:
        if request.target.path is None:
            raise StellwerkError(
                f"the target of {request.environment} has no path",
                where=f"environments/{request.environment}.yaml",
                hint="deploy: {target: local, path: FOLDER}",
            )
        return self.root / request.target.path / request.model

    def _switch(self, place: Path, request: DeployRequest) -> str:
        if request.package is None or request.sha256 is None:
            raise StellwerkError(f"there is no package of {request.model} to deploy", where=request.environment)
        name = f"versions/{request.sha256[:16]}"
        unpacked, before = place / name, self.running(request)
        for left in (unpacked, place / "current", place / "withdrawn.json"):
            sweep(left)
        if not unpacked.is_dir() or digest_folder(unpacked).sha256 != request.sha256:
            _unpack(request.package, unpacked, request.sha256)
        os.utime(unpacked)
        _link(place / "current", name)
        (place / "withdrawn.json").unlink(missing_ok=True)
        seen = self.running(request)
        if seen != request.sha256:
            raise StellwerkError(f"{place / 'current'} does not lead to the package", where=str(place))
        _forget_old(place / "versions", keep=unpacked)
        return f"{'already ran' if before == seen else 'runs'} {seen[:16]} at {request.target.path}/{request.model}"

    def _withdraw(self, place: Path, request: DeployRequest) -> str:
        said = {"model": request.model, "environment": request.environment, "fallback": request.fallback}
        fresh = beside(place / "withdrawn.json")
        sweep(place / "current")
        fresh.write_text(json.dumps(said, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
        fresh.replace(place / "withdrawn.json")
        (place / "current").unlink(missing_ok=True)
        return f"withdrawn; fallback: {request.fallback or 'none declared'}"


def _unpack(package: Path, target: Path, sha256: str) -> None:
    """Copy beside, prove the copy, then rename: a half-written version never has its name."""
    fresh, damaged = beside(target), beside(target)
    try:
        shutil.copytree(package, fresh, symlinks=True)
        found = digest_folder(fresh).sha256
        if found != sha256:
            raise StellwerkError(
                f"the package is not the recorded one: expected {sha256}, found {found}",
                where=str(package),
                hint="do not deploy it; fetch it again, and ask who changed it",
            )
        if target.exists():
            target.rename(damaged)
        fresh.rename(target)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.rmtree(damaged, ignore_errors=True)


def _link(link: Path, to: str) -> None:
    fresh = beside(link)
    fresh.symlink_to(to)
    try:
        fresh.replace(link)
    finally:
        fresh.unlink(missing_ok=True)


def _forget_old(versions: Path, *, keep: Path) -> None:
    """Each is renamed before it is removed: half of a version never has its name."""
    whole = [path for path in versions.iterdir() if path.is_dir() and not path.name.startswith(".")]
    for path in sorted(whole, key=lambda path: path.stat().st_mtime_ns)[:-KEPT]:
        if path != keep:
            gone = beside(path)
            path.rename(gone)
            shutil.rmtree(gone, ignore_errors=True)
