"""What is true now: declared code and pointers from one tree, records from the commit they count in. Reads only.

Everything taken from a blob is cached under the blob's id, so a plan reads what changed since the last one.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from stellwerk.declarations.document import load_document
from stellwerk.declarations.records import RecordError, decode
from stellwerk.declarations.schema import text_shape
from stellwerk.model.findings import Place
from stellwerk.model.observed import CodeFile, GeneratedFile, ModelFacts, Observed, Version
from stellwerk.model.records import Approval, Deployment, Incident, Pointer, Release, Verdict, VersionRecord
from stellwerk.planning.code import CodeReader, code_files, match_inputs, metric_files
from stellwerk.render.stage import GENERATED, edited, ours

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stellwerk.model.declared import Json, Model, Project
    from stellwerk.model.ports import Cache, Tree

T = TypeVar("T")
RECORDS = "records-1"
RELEASES = "releases-1"
GENERATED_KIND = "generated-1"


@dataclass(slots=True)
class _Registry:
    """What was read so far, by model."""

    versions: dict[str, dict[int, VersionRecord]] = field(default_factory=dict)
    verdicts: dict[tuple[str, int], dict[str, Verdict]] = field(default_factory=dict)
    approvals: dict[tuple[str, int, str], list[Approval]] = field(default_factory=dict)
    deployments: dict[str, dict[str, Deployment]] = field(default_factory=dict)
    incidents: dict[str, list[Incident]] = field(default_factory=dict)
    unreadable: list[tuple[str, str]] = field(default_factory=list)


def observe(
    project: Project,
    declared: Tree,
    recorded: Tree,
    *,
    cache: Cache,
    basis: str,
    branches: Mapping[tuple[str, str], Release] | None = None,
    threshold_authors: Mapping[str, tuple[str, ...]] | None = None,
) -> Observed:
    """The state a plan starts from. `declared` holds code, pointers and releases; `recorded` the registry."""
    reader = RecordReader(cache)
    registry = _read_registry(recorded, reader)
    releases, places = _read_releases(declared, reader, registry)
    code, metric_code = _read_code(project, declared, cache)
    return Observed(
        basis=basis,
        pointers=_read_pointers(project, declared, reader, registry),
        models=_facts(registry),
        releases=releases,
        release_places=places,
        branches=branches or {},
        code=code,
        metric_code=metric_code,
        generated=_read_generated(project, declared, cache),
        threshold_authors=threshold_authors or {},
        unreadable=tuple(sorted(registry.unreadable)),
    )


class RecordReader:
    """YAML files of one tree as plain data, in bulk and through the cache."""

    def __init__(self, cache: Cache) -> None:
        self.cache = cache

    def read(self, tree: Tree, paths: list[str], *, kind: str = RECORDS) -> dict[str, Json | RecordError]:
        """Path -> value. Releases are written by people: of them, text stays the text they typed."""
        shape = text_shape("release") if kind == RELEASES else None
        blobs, missing = tree.blobs(), []
        found: dict[str, Json | RecordError] = {}
        for path in paths:
            value = self.cache.get(kind, blobs[path])
            if value is None:
                missing.append(path)
            else:
                found[path] = value
        for path, content in tree.read(missing).items():
            document, findings = load_document(path, content, shape=shape)
            if document is None or findings:
                problem = findings[0].message if findings else "it is empty"
                found[path] = RecordError(problem, where=path)
            else:
                self.cache.put(kind, blobs[path], document.value)
                found[path] = document.value
        return found


def _read_registry(tree: Tree, reader: RecordReader) -> _Registry:
    registry = _Registry()
    paths = [path for path in tree.blobs() if path.startswith("registry/") and path.endswith(".yaml")]
    for path, value in reader.read(tree, paths).items():
        try:
            if isinstance(value, RecordError):
                raise value
            _take(registry, path, value)
        except RecordError as error:
            registry.unreadable.append((path, f"{error.where}: {error.message}"))
    return registry


def _take(registry: _Registry, path: str, value: Json) -> None:
    match path.split("/"):
        case [_, model, number, "version.yaml"] if number.isdigit():
            registry.versions.setdefault(model, {})[int(number)] = decode(VersionRecord, value, where=path)
        case [_, model, number, "verdicts", name] if number.isdigit():
            verdict = decode(Verdict, value, where=path)
            registry.verdicts.setdefault((model, int(number)), {})[name.removesuffix(".yaml")] = verdict
        case [_, model, number, "approvals", environment, _] if number.isdigit():
            approval = decode(Approval, value, where=path)
            registry.approvals.setdefault((model, int(number), environment), []).append(approval)
        case [_, model, "deployments", name]:
            deployment = decode(Deployment, value, where=path)
            registry.deployments.setdefault(model, {})[name.removesuffix(".yaml")] = deployment
        case [_, model, "incidents", _]:
            registry.incidents.setdefault(model, []).append(decode(Incident, value, where=path))
        case _:
            raise RecordError("a file of this name does not belong in the registry", where=path)


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


def _read_releases(
    tree: Tree, reader: RecordReader, registry: _Registry
) -> tuple[dict[tuple[str, str], Release], dict[tuple[str, str], Place]]:
    paths = {}
    for path in tree.blobs():
        if path.startswith("environments/") and path.endswith(".yaml") and path.count("/") == 2:  # noqa: PLR2004
            _, environment, name = path.split("/")
            paths[path] = (environment, name.removesuffix(".yaml"))
    releases, places = {}, {}
    for path, value in reader.read(tree, sorted(paths), kind=RELEASES).items():
        try:
            if isinstance(value, RecordError):
                raise value
            releases[paths[path]] = decode(Release, value, where=path)
            places[paths[path]] = Place(path=path)
        except RecordError as error:
            registry.unreadable.append((path, f"{error.where}: {error.message}"))
    return releases, places


def _read_pointers(project: Project, tree: Tree, reader: RecordReader, registry: _Registry) -> dict[str, Pointer]:
    blobs = tree.blobs()
    paths = {f"{item.path}.dvc": item for item in project.datasets if f"{item.path}.dvc" in blobs}
    pointers = {}
    for path, value in reader.read(tree, sorted(paths)).items():
        pointer = _pointer(path, value)
        if pointer is None:
            registry.unreadable.append((path, "this is not a DVC pointer with one md5"))
        else:
            pointers[paths[path].name] = pointer
    return pointers


def _pointer(path: str, value: Json | RecordError) -> Pointer | None:
    outs = value.get("outs") if isinstance(value, dict) else None
    if not isinstance(outs, list) or len(outs) != 1 or not isinstance(outs[0], dict):
        return None
    md5, size = outs[0].get("md5"), outs[0].get("size")
    if not isinstance(md5, str):
        return None
    return Pointer(path=path.removesuffix(".dvc"), md5=md5, size=size if isinstance(size, int) else None, place=path)


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


def _read_generated(project: Project, tree: Tree, cache: Cache) -> dict[str, GeneratedFile]:
    blobs, found, missing = tree.blobs(), {}, []
    for model in project.models:
        for name in GENERATED:
            path = f"models/{model.name}/{name}"
            if path not in blobs:
                continue
            stored = cache.get(GENERATED_KIND, blobs[path])
            if isinstance(stored, list):
                found[path] = GeneratedFile(sha256=str(stored[0]), state=str(stored[1]))
            else:
                missing.append(path)
    for path, content in tree.read(missing).items():
        text = content.decode("utf-8", "replace").replace("\r\n", "\n")
        state = ("edited" if edited(text) else "ours") if ours(text) else "foreign"
        found[path] = GeneratedFile(sha256=hashlib.sha256(text.encode()).hexdigest(), state=state)
        cache.put(GENERATED_KIND, blobs[path], [found[path].sha256, state])
    return found
