"""Lays declarations over each other: included files side by side, defaults under every model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stellwerk.declarations.write import shown
from stellwerk.model.findings import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from stellwerk.declarations.checked import CheckedFile
    from stellwerk.declarations.places import KeyPath
    from stellwerk.model.declared import Json

_FILE_KEYS = frozenset({"version", "include"})  # say something about the file, not about the project


def merge_files(files: Sequence[CheckedFile]) -> tuple[dict[str, Json], tuple[Finding, ...]]:
    """One mapping of all files. No key path may be set twice; the first file's value stays."""
    merged: dict[str, Json] = {}
    findings: list[Finding] = []
    owners: dict[KeyPath, CheckedFile] = {}
    for number, file in enumerate(files):
        said = file.value or {}
        if number:
            said = {key: value for key, value in said.items() if key not in _FILE_KEYS}
        merged = _merged(merged, said, (), _Merging(file=file, setters=owners, findings=findings))
    return merged, tuple(findings)


class _Merging:
    """The file that is being laid beside the others, and which file set what."""

    __slots__ = ("file", "findings", "setters")

    def __init__(self, *, file: CheckedFile, setters: dict[KeyPath, CheckedFile], findings: list[Finding]) -> None:
        self.file = file
        self.setters = setters
        self.findings = findings

    def twice(self, keys: KeyPath) -> None:
        """Report that this file sets what another has set."""
        path = ".".join(shown(str(key)) for key in keys)
        first = next(self.setters[keys[:n]] for n in range(len(keys), 0, -1) if keys[:n] in self.setters)
        self.findings.append(
            Finding(
                rule="SW108",
                severity=Severity.ERROR,
                place=self.file.places.of_key(keys),
                message=f"{path} is set twice; first at {first.places.of_key(keys)}",
                hint="keep one of the two",
            )
        )


def _merged(below: dict[str, Json], above: Mapping[str, Json], keys: KeyPath, merging: _Merging) -> dict[str, Json]:
    if not below and not keys:
        for key in above:
            merging.setters[(key,)] = merging.file
        return dict(above)
    result = dict(below)
    for key, value in above.items():
        path = (*keys, key)
        standing = result.get(key)
        if standing is None:
            result[key] = value
            merging.setters[path] = merging.file
        elif isinstance(standing, dict) and isinstance(value, dict):
            result[key] = _merged(standing, value, path, merging)
        elif value is not None:
            merging.twice(path)
    return result


def lay_over(defaults: Mapping[str, Json], value: Mapping[str, Json]) -> dict[str, Json]:
    """`value` over `defaults`: maps merge, lists and scalars replace, null removes."""
    result = dict(defaults)
    for key, said in value.items():
        standing = result.get(key)
        if said is None:
            result.pop(key, None)
        elif isinstance(said, dict) and isinstance(standing, dict):
            result[key] = lay_over(standing, said)
        else:
            result[key] = said
    return result
