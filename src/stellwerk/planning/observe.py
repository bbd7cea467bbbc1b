"""What is true now: declared code and pointers from one tree, records from the commit they count in. Reads only.

Everything taken from a blob is cached under the blob's id, so a plan reads what changed since the last one.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

from stellwerk.declarations.document import load_document
from stellwerk.declarations.plain import read_plain
from stellwerk.declarations.records import RecordError, construct, decode, encode
from stellwerk.declarations.schema import text_shape
from stellwerk.model.findings import Place
from stellwerk.model.ids import CHANGED
from stellwerk.model.observed import CodeFile, GeneratedFile, ModelFacts, Observed, Version
from stellwerk.model.records import (
    Approval,
    Deployment,
    Erasure,
    Incident,
    Pointer,
    Release,
    Removal,
    Verdict,
    VersionRecord,
)
from stellwerk.planning.code import CodeReader, code_files, match_inputs, metric_files
from stellwerk.render.seal import edited, ours
from stellwerk.render.stage import GENERATED

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from stellwerk.model.declared import Json, Model, Project
    from stellwerk.model.ports import Cache, Tree

T = TypeVar("T")
POINTERS = "pointers-1"
GENERATED_KIND = "generated-2"
GENERATED_TEXT = 64 * 1024  # characters kept of a generated file that somebody edited


@dataclass(slots=True)
class _Registry:
    """What was read so far, by model."""

    versions: dict[str, dict[int, VersionRecord]] = field(default_factory=dict)
    verdicts: dict[tuple[str, int], dict[str, Verdict]] = field(default_factory=dict)
    approvals: dict[tuple[str, int, str], list[Approval]] = field(default_factory=dict)
    deployments: dict[str, dict[str, Deployment]] = field(default_factory=dict)
    incidents: dict[str, list[Incident]] = field(default_factory=dict)
    erased: dict[str, Erasure] = field(default_factory=dict)
    removals: list[Removal] = field(default_factory=list)
    unreadable: list[tuple[str, str]] = field(default_factory=list)


@dataclass(slots=True)
class Known:
    """What was read of earlier states in this process; a run that commits step by step reads one state after another.

    `code` and `metric_code` belong to `files` (path -> id of everything but records and releases); `records` are by
    kind and id.
    """

    files: Mapping[str, str] = field(default_factory=dict)
    code: Mapping[str, tuple[CodeFile, ...]] = field(default_factory=dict)
    metric_code: Mapping[str, tuple[CodeFile, ...]] = field(default_factory=dict)
    records: dict[tuple[str, str], Any] = field(default_factory=dict)


def unrecorded(blobs: Mapping[str, str]) -> dict[str, str]:
    """The files that are neither records nor releases."""
    return {path: blob for path, blob in blobs.items() if not path.startswith("registry/") and not _is_release(path)}


def observe(
    project: Project,
    declared: Tree,
    recorded: Tree,
    *,
    cache: Cache,
    basis: str,
    branches: Mapping[tuple[str, str], Release] | None = None,
    threshold_authors: Mapping[str, tuple[str, ...]] | None = None,
    evidence: bool = True,
    known: Known | None = None,
) -> Observed:
    """The state a plan starts from. `declared` holds code, pointers and releases; `recorded` the registry.

    Without `evidence` the single checks of passed verdicts and the metrics and packages of versions are left out: a
    plan does not need them, and with a thousand models they are a tenth of its time.
    """
    registry, known = _Registry(), known or Known()
    reader = RecordReader(cache, registry, evidence=evidence, known=known.records)
    _read_registry(recorded, reader)
    releases, places = _read_releases(declared, reader)
    files = unrecorded(declared.blobs())
    if files != known.files:
        known.code, known.metric_code = _read_code(project, declared, cache)
        known.files = files
    return Observed(
        basis=basis,
        pointers=_read_pointers(project, declared, cache, registry),
        models=_facts(registry),
        releases=releases,
        release_places=places,
        branches=branches or {},
        code=known.code,
        metric_code=known.metric_code,
        generated=_read_generated(declared, cache),
        threshold_authors=threshold_authors or {},
        tracked=frozenset(item.name for item in project.datasets if item.path in recorded.blobs()),
        erased=registry.erased,
        removals=tuple(sorted(registry.removals, key=lambda item: item.name)),
        unreadable=tuple(sorted(registry.unreadable)),
    )


class RecordReader:
    """Records of one tree, in bulk and through the cache, which holds what was decoded before."""

    def __init__(
        self, cache: Cache, registry: _Registry, *, evidence: bool, known: dict[tuple[str, str], Any] | None = None
    ) -> None:
        self.cache = cache
        self.known = {} if known is None else known
        self.registry = registry
        self.evidence = evidence

    def read(self, tree: Tree, paths: Mapping[str, type[T]]) -> Iterator[tuple[str, T]]:
        """(path, record) of every path that can be read; the others are noted as unreadable."""
        blobs, missing = tree.blobs(), []
        for path, cls in paths.items():
            kind, blob = self._kind(cls), blobs[path]
            record = self.known.get((kind, blob))
            if record is None:
                stored = self.cache.get(kind, blob)
                if not isinstance(stored, dict):
                    missing.append(path)
                    continue
                record = self.known[kind, blob] = construct(cls, stored)
            yield path, record
        for path, content in tree.read(missing).items():
            cls = paths[path]
            try:
                record = self._brief(decode(cls, _value(path, content, cls), where=path))
            except RecordError as error:
                self.registry.unreadable.append((path, f"{error.where}: {error.message}"))
            else:
                self.cache.put(self._kind(cls), blobs[path], encode(record))
                if not blobs[path].startswith(CHANGED):
                    self.known[self._kind(cls), blobs[path]] = record
                yield path, record

    def _kind(self, cls: type) -> str:
        brief = "" if self.evidence or cls not in {Verdict, VersionRecord} else "-brief"
        return f"{cls.__name__.lower()}{brief}-1"

    def _brief(self, record: T) -> T:
        if not self.evidence and isinstance(record, VersionRecord):
            return replace(record, metrics={}, packages={})
        if not self.evidence and isinstance(record, Verdict) and record.passed:
            return replace(record, checks=())
        return record


def _value(path: str, content: bytes, cls: type) -> Json:
    """The YAML of a record. Releases are written by people: of them, text stays the text they typed."""
    if cls is not Release:
        value = read_plain(content)
        if value is not None:
            return value
    shape = text_shape("release") if cls is Release else None
    document, findings = load_document(path, content, shape=shape)
    if document is None or findings:
        raise RecordError(findings[0].message if findings else "it is empty", where=path)
    return document.value


def _read_registry(tree: Tree, reader: RecordReader) -> None:
    registry = reader.registry
    paths: dict[str, type[object]] = {}
    for path in tree.blobs():
        if path.startswith("registry/") and path.endswith(".yaml"):
            cls = _class_of(path.split("/"))
            if cls is None:
                registry.unreadable.append((path, "a file of this name does not belong in the registry"))
            else:
                paths[path] = cls
    for path, record in reader.read(tree, paths):
        misplaced = _misplaced(path.split("/"), record)
        if misplaced:
            registry.unreadable.append((path, misplaced))
        else:
            _take(registry, path.split("/"), record)


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


def _misplaced(parts: list[str], record: object) -> str:
    """How a record contradicts the path it lies at, in words: a copied approval is no approval. '' where it does not.

    The model's name is not compared: a renamed model keeps the records it was born with.
    """
    name, number = parts[-1].removesuffix(".yaml"), parts[2]
    match record:
        case VersionRecord():
            fits = record.number == int(number)
        case Verdict():
            fits = record.version == int(number) and record.environment == name
        case Approval():
            fits = record.version == int(number) and record.environment == parts[4] and record.by == name
        case Deployment():
            fits = record.environment == name
        case Incident():
            fits = record.number == int(name) if name.isdigit() else False
        case Erasure():
            fits = record.md5 == name
        case Removal():
            fits = record.name == name
        case _:
            fits = True
    return "" if fits else "it was written for another place: version, environment or name differ from its path"


def _take(registry: _Registry, parts: list[str], record: object) -> None:
    model, name = parts[1], parts[-1].removesuffix(".yaml")
    match record:
        case VersionRecord():
            registry.versions.setdefault(model, {})[int(parts[2])] = record
        case Verdict():
            registry.verdicts.setdefault((model, int(parts[2])), {})[name] = record
        case Approval():
            registry.approvals.setdefault((model, int(parts[2]), parts[4]), []).append(record)
        case Deployment():
            registry.deployments.setdefault(model, {})[name] = record
        case Incident():
            registry.incidents.setdefault(model, []).append(record)
        case Erasure():
            registry.erased[record.md5] = record
        case Removal():
            registry.removals.append(record)
        case _:
            raise TypeError(type(record))


def _facts(registry: _Registry) -> dict[str, ModelFacts]:
    approvals: dict[tuple[str, int], dict[str, tuple[Approval, ...]]] = {}
    for (model, number, environment), found in registry.approvals.items():
        approvals.setdefault((model, number), {})[environment] = tuple(sorted(found, key=lambda item: item.by))
    names = sorted(set(registry.versions) | set(registry.deployments) | set(registry.incidents))
    return {
        name: ModelFacts(
            versions={
                number: Version(
                    record=record,
                    verdicts=registry.verdicts.get((name, number), {}),
                    approvals=approvals.get((name, number), {}),
                )
                for number, record in sorted(registry.versions.get(name, {}).items())
            },
            deployments=registry.deployments.get(name, {}),
            incidents=tuple(sorted(registry.incidents.get(name, []), key=lambda item: item.number)),
        )
        for name in names
    }


def _is_release(path: str) -> bool:
    return path.startswith("environments/") and path.endswith(".yaml") and path.count("/") == 2  # noqa: PLR2004


def _read_releases(
    tree: Tree, reader: RecordReader
) -> tuple[dict[tuple[str, str], Release], dict[tuple[str, str], Place]]:
    names = {}
    for path in tree.blobs():
        if _is_release(path):
            _, environment, name = path.split("/")
            names[path] = (environment, name.removesuffix(".yaml"))
    releases, places = {}, {}
    for path, release in reader.read(tree, dict.fromkeys(sorted(names), Release)):
        releases[names[path]] = release
        places[names[path]] = Place(path=path)
    return releases, places


def _read_pointers(project: Project, tree: Tree, cache: Cache, registry: _Registry) -> dict[str, Pointer]:
    blobs = tree.blobs()
    names = {f"{item.path}.dvc": item.name for item in project.datasets if f"{item.path}.dvc" in blobs}
    pointers, missing = {}, []
    for path in sorted(names):
        stored = cache.get(POINTERS, blobs[path])
        if isinstance(stored, list):
            pointers[names[path]] = _pointer(path, str(stored[0]), stored[1])
        else:
            missing.append(path)
    for path, content in tree.read(missing).items():
        document, _ = load_document(path, content)
        out = _single_out(document.value if document else None)
        if out is None:
            registry.unreadable.append((path, "this is not a DVC pointer to one file with an md5"))
            continue
        pointers[names[path]] = _pointer(path, out[0], out[1])
        cache.put(POINTERS, blobs[path], [out[0], out[1]])
    return pointers


def _pointer(path: str, md5: str, size: Json) -> Pointer:
    return Pointer(path=path.removesuffix(".dvc"), md5=md5, size=size if isinstance(size, int) else None, place=path)


def _single_out(value: Json) -> tuple[str, int | None] | None:
    """The md5 and size of a pointer's only output."""
    outs = value.get("outs") if isinstance(value, dict) else None
    if not isinstance(outs, list) or len(outs) != 1 or not isinstance(outs[0], dict):
        return None
    md5, size = outs[0].get("md5"), outs[0].get("size")
    return (md5, size if isinstance(size, int) else None) if isinstance(md5, str) else None


def _read_code(
    project: Project, tree: Tree, cache: Cache
) -> tuple[dict[str, tuple[CodeFile, ...]], dict[str, tuple[CodeFile, ...]]]:
    reader, blobs = CodeReader(tree, cache), tree.blobs()
    first: set[str] = set()
    for model in project.models:
        if model.source:
            first.add(model.source)
        if model.requirements:
            first.add(model.requirements)
        for pattern in model.inputs:
            first.update(match_inputs(pattern, blobs))
    reader.load(sorted(first))
    code = {model.name: code_files(model, reader) for model in project.models if model.train}
    custom = {model.name: metric_files(model, reader) for model in project.models if _has_custom(model)}
    return code, custom


def _has_custom(model: Model) -> bool:
    return any(":" in threshold.metric for threshold in model.thresholds)


def _read_generated(tree: Tree, cache: Cache) -> dict[str, GeneratedFile]:
    """The files where rendered ones belong, those of models that are no longer declared included."""
    blobs, found, missing = tree.blobs(), {}, []
    names = tuple(f"/{name}" for name in GENERATED)
    for path in sorted(blobs):
        if not (path.startswith("models/") and path.endswith(names) and path.count("/") == 2):  # noqa: PLR2004
            continue
        stored = cache.get(GENERATED_KIND, blobs[path])
        if isinstance(stored, list):
            found[path] = GeneratedFile(sha256=str(stored[0]), state=str(stored[1]), text=str(stored[2]))
        else:
            missing.append(path)
    for path, content in tree.read(missing).items():
        text = content.decode("utf-8", "replace").replace("\r\n", "\n")
        state = ("edited" if edited(text) else "ours") if ours(text) else "foreign"
        digest, kept = hashlib.sha256(text.encode()).hexdigest(), "" if state == "ours" else text[:GENERATED_TEXT]
        found[path] = GeneratedFile(sha256=digest, state=state, text=kept)
        cache.put(GENERATED_KIND, blobs[path], [digest, state, kept])
    return found
