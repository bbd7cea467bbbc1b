"""The stand-ins for actions/cache and for uploading and downloading artifacts, in folders beside the runs.

Caches are found from the ref that wrote them, from pull requests into it, and everywhere if the default branch wrote
them; a key is never overwritten. Artifacts belong to one run.
"""

from __future__ import annotations

import fnmatch
import hashlib
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .actions import ActionCall


def cache(call: ActionCall) -> None:
    """Restore now; save at the end of a successful job unless the very key was there."""
    if not restore_cache(call):
        call.after("actions/cache", save_cache, when="success")


def restore_cache(call: ActionCall) -> bool:
    """Whether the very key was found; a restore key may have been."""
    from .actions import ActionError

    key = _key(call)
    found = _find(call, [key, *call.lines("restore-keys")])
    exact = found is not None and found.name == _name(key)
    call.output("cache-primary-key", key)
    call.output("cache-hit", "true" if exact else "false" if found else "")
    if found is None:
        if call.flag("fail-on-cache-miss"):
            raise ActionError(f"Failed to restore cache entry. Input key: {key}")
        call.say(f"Cache not found for input keys: {key}")
        return False
    matched = (found / "key").read_text(encoding="utf-8")
    call.output("cache-matched-key", matched)
    if not call.flag("lookup-only"):
        for index, path in enumerate(_paths(call)):
            if (found / str(index)).exists():
                _copy(found / str(index), path)
        call.say(f"Cache restored from key: {matched}")
    return exact


def save_cache(call: ActionCall) -> None:
    """Keep the paths under the key; nothing where it is taken already."""
    key = _key(call)
    target = _scope(call, call.job.given.event.ref) / _name(key)
    paths = [(index, path) for index, path in enumerate(_paths(call)) if path.exists()]
    if target.exists() or not paths:
        call.warn(f"Failed to save: {'the key is taken' if paths else 'no path exists'}: {key}")
        return
    partial = target.with_name(f".{target.name}-{os.getpid()}-{id(call)}")
    partial.mkdir(parents=True)
    for index, path in paths:
        _copy(path, partial / str(index))
    (partial / "key").write_text(key, encoding="utf-8")
    try:
        partial.rename(target)
    except OSError:  # another job was faster
        shutil.rmtree(partial)
    call.say(f"Cache saved with key: {key}")


def upload_artifact(call: ActionCall) -> None:
    """Keep files under a name that is free in this run."""
    from .actions import ActionError

    name = call.inputs["name"]
    files = _files(call)
    if not files:
        words = f"No files were found with the provided path: {call.inputs['path']}. No artifacts will be uploaded."
        match call.inputs["if-no-files-found"]:
            case "error":
                raise ActionError(words)
            case "ignore":
                call.say(words)
            case _:
                call.warn(words)
        return
    target = _artifacts(call) / name
    if target.exists():
        if not call.flag("overwrite"):
            raise ActionError(
                "Failed to CreateArtifact: Received non-retryable error: (409) Conflict: an artifact with this name "
                f"already exists on the workflow run: {name}"
            )
        shutil.rmtree(target)
    parts = call.inputs["path"].splitlines()
    single = len(files) == 1 and len(parts) == 1 and not _is_pattern(parts[0])
    root = files[0].parent if single else Path(os.path.commonpath([_search_root(call, part) for part in _wanted(call)]))
    for file in files:
        copy = target / file.relative_to(root)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copy)  # an artifact keeps no rights
    call.output("artifact-id", str(int(hashlib.sha256(name.encode()).hexdigest()[:8], 16)))


def download_artifact(call: ActionCall) -> None:
    """One artifact into the path; several into a folder each, or all into the path."""
    from .actions import ActionError

    store, name = _artifacts(call), call.inputs["name"]
    target = call.job.folders.workspace / Path(call.inputs["path"]).expanduser()
    call.output("download-path", str(target))
    if name:
        if not (store / name).exists():
            raise ActionError(f"Unable to download artifact(s): Artifact not found for name: {name}")
        _copy(store / name, target)
        return
    names = sorted(path.name for path in store.iterdir()) if store.exists() else []
    for found in fnmatch.filter(names, call.inputs["pattern"] or "*"):
        _copy(store / found, target if call.flag("merge-multiple") else target / found)
    target.mkdir(parents=True, exist_ok=True)


def _artifacts(call: ActionCall) -> Path:
    return call.job.given.stores / "artifacts" / str(call.job.github["run_number"])


def _wanted(call: ActionCall) -> list[str]:
    return [line for line in call.lines("path") if not line.startswith("!")]


def _files(call: ActionCall) -> list[Path]:
    """The files that the patterns name; hidden ones only where asked for."""
    found: dict[Path, None] = {}
    for line in call.lines("path"):
        for path in _matches(call, line.removeprefix("!")):
            files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
            for file in files:
                hidden = any(
                    part.startswith(".") for part in file.relative_to(_search_root(call, line.lstrip("!"))).parts
                )
                if line.startswith("!"):
                    found.pop(file, None)
                elif not hidden or call.flag("include-hidden-files"):
                    found[file] = None
    return list(found)


def _matches(call: ActionCall, pattern: str) -> list[Path]:
    root = _search_root(call, pattern)
    path = _expanded(call, pattern)
    if not _is_pattern(pattern):
        return [path] if path.exists() else []
    return sorted(root.glob(str(path.relative_to(root))))


def _search_root(call: ActionCall, pattern: str) -> Path:
    """The folder before the first wildcard, as the artifact's root is found."""
    path = _expanded(call, pattern)
    parts = path.parts
    if not _is_pattern(pattern):
        return path.parent if path.is_file() else path
    first = next(index for index, part in enumerate(parts) if _is_pattern(part))
    return Path(*parts[:first])


def _is_pattern(text: str) -> bool:
    return any(sign in text for sign in "*?[")


def _expanded(call: ActionCall, pattern: str) -> Path:
    if pattern.startswith("~"):
        return call.job.folders.home / pattern.removeprefix("~").lstrip("/")
    return call.job.folders.workspace / pattern


def _key(call: ActionCall) -> str:
    from .actions import ActionError

    key = call.inputs["key"]
    if not key or len(key) > 512 or "," in key:
        raise ActionError(f"Key Validation Error: {key!r} is empty, too long or contains a comma")
    return key


def _paths(call: ActionCall) -> list[Path]:
    from .actions import ActionError

    if patterns := [line for line in call.lines("path") if _is_pattern(line) or line.startswith("!")]:
        raise ActionError(f"patterns in a cache's path are not simulated: {patterns}")
    return [_expanded(call, line) for line in call.lines("path")]


def _find(call: ActionCall, keys: list[str]) -> Path | None:
    """The newest cache of the first scope and key that fits: the key itself, else as a beginning."""
    event, settings = call.job.given.event, call.job.given.repository.settings
    refs = [
        event.ref,
        *([f"refs/heads/{event.base_ref}"] if event.base_ref else []),
        f"refs/heads/{settings.default_branch}",
    ]
    for ref in dict.fromkeys(refs):
        scope = _scope(call, ref)
        entries = [path for path in scope.glob("[!.]*") if path.is_dir()] if scope.exists() else []
        written = {path: (path / "key").read_text(encoding="utf-8") for path in entries}
        for key in keys:
            exact = [path for path in entries if written[path] == key]
            if fits := exact or [path for path in entries if written[path].startswith(key)]:
                return max(fits, key=lambda path: path.stat().st_mtime_ns)
    return None


def _scope(call: ActionCall, ref: str) -> Path:
    """Where the caches of a ref are; other paths are another version of a cache."""
    version = hashlib.sha256(call.inputs["path"].encode()).hexdigest()[:12]
    return call.job.given.stores / "caches" / ref.replace("/", "-") / version


def _name(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)
