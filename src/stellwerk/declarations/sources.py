"""Finds the file, and the place in it, of a key path of the merged declarations."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from stellwerk.declarations.checked import CheckedFile
    from stellwerk.declarations.places import KeyPath
    from stellwerk.model.findings import Place


class Sources:
    """`mlops.yaml` first, then what it includes; environments by name, under the key `environments`."""

    __slots__ = ("_entries", "_environments", "_files")

    def __init__(self, files: Sequence[CheckedFile], environments: Mapping[str, CheckedFile]) -> None:
        self._files = files
        self._environments = environments
        self._entries: dict[KeyPath, list[CheckedFile]] | None = None

    def place(self, keys: KeyPath) -> Place:
        """A scalar itself, the key of anything larger; else the nearest parent."""
        file, path = self._find(keys)
        return file.places.of(path)

    def key_place(self, keys: KeyPath) -> Place:
        """The key itself; else the nearest parent."""
        file, path = self._find(keys)
        return file.places.of_key(path)

    def is_written(self, keys: KeyPath) -> bool:
        """Whether a file sets this very path."""
        return self._written(keys) is not None

    def own_files(self) -> dict[str, str]:
        """Model -> the included file that declares it and nothing else."""
        found: dict[str, str] = {}
        for file in self._files[1:]:
            models = (file.value or {}).get("models")
            if isinstance(models, dict) and len(models) == 1 and set(file.value or {}) <= {"version", "models"}:
                (name,) = models
                if len(self._by_entry().get(("models", name), ())) == 1:
                    found[name] = file.path
        return found

    def included(self) -> dict[str, tuple[tuple[str, str, bool], ...]]:
        """Included file -> (key, entry, whether it sets nothing of it but thresholds) of what it declares, sorted."""
        found: dict[str, tuple[tuple[str, str, bool], ...]] = {}
        for file in self._files[1:]:
            parts: list[tuple[str, str, bool]] = []
            for key, value in (file.value or {}).items():
                if key == "version":
                    continue
                entries = value if isinstance(value, dict) and key in ("models", "datasets", "teams") else {"": None}
                parts += [
                    (key, str(entry), isinstance(said, dict) and set(said) == {"thresholds"})
                    for entry, said in entries.items()
                ]
            found[file.path] = tuple(sorted(parts))
        return found

    def _find(self, keys: KeyPath) -> tuple[CheckedFile, KeyPath]:
        written = self._written(keys)
        if written is None and keys[:1] == ("models",) and len(keys) > 2:  # noqa: PLR2004 - models, name, key
            written = self._written(("defaults", *keys[2:]))
        if written is not None:
            return written
        return self._find(keys[:-1]) if keys else (self._files[0], ())

    def _written(self, keys: KeyPath) -> tuple[CheckedFile, KeyPath] | None:
        if keys[:1] == ("environments",) and len(keys) > 1:
            environment = self._environments.get(str(keys[1]))
            below = keys[2:]
            return (environment, below) if environment is not None and environment.places.has(below) else None
        for file in self._by_entry().get(keys[:2], ()):
            if file.places.has(keys):
                return file, keys
        return None

    def _by_entry(self) -> dict[KeyPath, list[CheckedFile]]:
        """Which files say something about a key, and about an entry below it."""
        if self._entries is None:
            self._entries = {(): list(self._files[:1])}
            for file in self._files:
                for key, value in (file.value or {}).items():
                    self._entries.setdefault((key,), []).append(file)
                    for entry in value if isinstance(value, dict) else ():
                        self._entries.setdefault((key, entry), []).append(file)
        return self._entries
