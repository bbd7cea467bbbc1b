"""The facts below `registry/`: which record lies where, and what each model's records say together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

from stellwerk.model.observed import ModelFacts, Version, Versions
from stellwerk.model.records import (
    Approval,
    Deployment,
    Erasure,
    Incident,
    Removal,
    Verdict,
    VersionRecord,
)

if TYPE_CHECKING:
    from stellwerk.model.ports import Tree
    from stellwerk.planning.sheets import RecordReader, Sheet


class Registry(Struct):
    """What was read, by model. `versions` and `verdicts` are made when they are asked for."""

    versions: dict[str, dict[int, Sheet[VersionRecord]]] = field(default_factory=dict)
    verdicts: dict[tuple[str, int], dict[str, Sheet[Verdict]]] = field(default_factory=dict)
    approvals: dict[tuple[str, int], dict[str, list[Approval]]] = field(default_factory=dict)
    deployments: dict[str, dict[str, Deployment]] = field(default_factory=dict)
    incidents: dict[str, list[Incident]] = field(default_factory=dict)
    erased: dict[str, Erasure] = field(default_factory=dict)
    removals: list[Removal] = field(default_factory=list)

    def facts(self) -> dict[str, ModelFacts]:
        """By model."""
        names = sorted(self.versions.keys() | self.deployments.keys() | self.incidents.keys())
        return {
            name: ModelFacts(
                versions=self._versions(name),
                deployments=self.deployments.get(name, {}),
                incidents=tuple(sorted(self.incidents.get(name, []), key=lambda item: item.number)),
            )
            for name in names
        }

    def _versions(self, model: str) -> Versions:
        sheets = self.versions.get(model, {})

        def make(number: int) -> Version:
            approvals = self.approvals.get((model, number), {})
            return Version(
                record=sheets[number].record(),
                verdicts={name: sheet.record() for name, sheet in self.verdicts.get((model, number), {}).items()},
                approvals={name: tuple(sorted(found, key=lambda item: item.by)) for name, found in approvals.items()},
            )

        return Versions({number: sheets[number].head[1] for number in sorted(sheets)}, make)


def read_registry(tree: Tree, reader: RecordReader) -> Registry:
    """Every record below `registry/`; what cannot be read or does not belong there the reader notes as unreadable."""
    registry = Registry()
    paths, split = record_paths(tree, reader)
    for path, sheet in reader.read(tree, paths):
        misplaced = _misplaced(split[path], paths[path], sheet.head)
        if misplaced:
            reader.unreadable.append((path, misplaced))
        else:
            _take(registry, split[path], paths[path], sheet)
    return registry


def record_paths(tree: Tree, reader: RecordReader) -> tuple[dict[str, type[object]], dict[str, list[str]]]:
    """The class of the record at each path, and the path in parts."""
    paths: dict[str, type[object]] = {}
    split: dict[str, list[str]] = {}
    for path in tree.blobs():
        if path.startswith("registry/") and path.endswith(".yaml"):
            parts = path.split("/")
            cls = _class_of(parts)
            if cls is None:
                reader.unreadable.append((path, "a file of this name does not belong in the registry"))
            else:
                paths[path], split[path] = cls, parts
    return paths, split


def _class_of(parts: list[str]) -> type[object] | None:  # noqa: PLR0911 one per kind
    """What kind of record lies at a path below `registry/`."""
    match parts:
        case [_, _, number, "version.yaml"] if number.isdigit():
            return VersionRecord
        case [_, _, number, "verdicts", _] if number.isdigit():
            return Verdict
        case [_, _, number, "approvals", _, _] if number.isdigit():
            return Approval
        case [_, _, "deployments", _]:
            return Deployment
        case [_, _, "incidents", _]:
            return Incident
        case [_, ".erased", _]:
            return Erasure
        case [_, ".removed", _]:
            return Removal
        case _:
            return None


def _misplaced(parts: list[str], cls: type[object], head: tuple[Any, ...]) -> str:
    """How a record contradicts the path it lies at, in words: a copied approval is no approval. '' where it does not.

    The model's name is not compared: a renamed model keeps the records it was born with.
    """
    name, number = parts[-1].removesuffix(".yaml"), parts[2]
    if cls is VersionRecord:
        fits = head[0] == int(number)
    elif cls is Verdict:
        fits = head == (int(number), name)
    elif cls is Approval:
        fits = head == (int(number), parts[4], name)
    elif cls is Incident:
        fits = head[0] == int(name) if name.isdigit() else False
    else:
        fits = head[0] == name
    return "" if fits else "it was written for another place: version, environment or name differ from its path"


def _take(registry: Registry, parts: list[str], cls: type[object], sheet: Sheet[Any]) -> None:
    model, name = parts[1], parts[-1].removesuffix(".yaml")
    if cls is VersionRecord:
        registry.versions.setdefault(model, {})[int(parts[2])] = sheet
    elif cls is Verdict:
        registry.verdicts.setdefault((model, int(parts[2])), {})[name] = sheet
    elif cls is Approval:
        approvals = registry.approvals.setdefault((model, int(parts[2])), {})
        approvals.setdefault(parts[4], []).append(sheet.record())
    elif cls is Deployment:
        registry.deployments.setdefault(model, {})[name] = sheet.record()
    elif cls is Incident:
        registry.incidents.setdefault(model, []).append(sheet.record())
    elif cls is Erasure:
        registry.erased[sheet.head[0]] = sheet.record()
    elif cls is Removal:
        registry.removals.append(sheet.record())
    else:
        raise TypeError(cls)
