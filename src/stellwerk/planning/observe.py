"""What is true now: declared code and pointers from one tree, records from the commit they count in. Reads only.

Everything taken from a blob is cached under the blob's id, so a plan reads what changed since the last one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

from stellwerk.declarations.document import load_document
from stellwerk.model.findings import Place
from stellwerk.model.observed import CodeFile, Observed
from stellwerk.model.records import Pointer, Release
from stellwerk.planning.code import CodeReader, code_files, match_inputs, metric_files
from stellwerk.planning.generated import FORGE_FILES, read_generated
from stellwerk.planning.registry import read_registry
from stellwerk.planning.sheets import RecordReader, Sheet
from stellwerk.planning.sources import WithModules, convert_notebooks

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stellwerk.model.declared import Json, Model, Project
    from stellwerk.model.findings import Finding
    from stellwerk.model.ports import Cache, Tree

POINTERS = "pointers-1"
DVC = ".dvc/config"


class Known(Struct):
    """What was read of earlier states in this process; a run that commits step by step reads one state after another.

    `code` and `metric_code` belong to `files` (path -> id of everything but records and releases); `records` are by
    kind and id.
    """

    files: Mapping[str, str] = field(default_factory=dict)
    code: Mapping[str, tuple[CodeFile, ...]] = field(default_factory=dict)
    metric_code: Mapping[str, tuple[CodeFile, ...]] = field(default_factory=dict)
    modules: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    notebook_findings: Mapping[str, tuple[Finding, ...]] = field(default_factory=dict)
    records: dict[tuple[str, str], Sheet[Any]] = field(default_factory=dict)


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
    known = known or Known()
    reader = RecordReader(cache, evidence=evidence, known=known.records)
    files = unrecorded(declared.blobs())
    if files != known.files:
        converted = convert_notebooks(project, declared, cache)
        known.modules, known.notebook_findings = converted.modules, converted.findings
        known.code, known.metric_code = _read_code(project, WithModules(declared, known.modules), cache)
        known.files = files
    generated = read_generated(declared, cache, notebooks=bool(known.modules))
    pointers = _read_pointers(project, declared, cache, reader.unreadable)
    registry = read_registry(recorded, reader)  # last of the large ones: another process may be reading them ahead
    releases, places = _read_releases(declared, reader)
    return Observed(
        basis=basis,
        pointers=pointers,
        models=registry.facts(),
        releases=releases,
        release_places=places,
        branches=branches or {},
        code=known.code,
        metric_code=known.metric_code,
        modules=known.modules,
        notebook_findings=known.notebook_findings,
        dvc=DVC in declared.blobs(),
        generated={path: file for path, file in generated.items() if path not in FORGE_FILES},
        forge_files={path: generated[path] for path in FORGE_FILES if path in generated},
        threshold_authors=threshold_authors or {},
        tracked=frozenset(item.name for item in project.datasets if item.path in recorded.blobs()),
        erased=registry.erased,
        removals=tuple(sorted(registry.removals, key=lambda item: item.name)),
        unreadable=tuple(sorted(reader.unreadable)),
    )


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
    for path, sheet in reader.read(tree, dict.fromkeys(sorted(names), Release)):
        releases[names[path]] = sheet.record()
        places[names[path]] = Place(path=path)
    return releases, places


def _read_pointers(project: Project, tree: Tree, cache: Cache, unreadable: list[tuple[str, str]]) -> dict[str, Pointer]:
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
            unreadable.append((path, "this is not a DVC pointer to one file with an md5"))
            continue
        pointers[names[path]] = _pointer(path, out[0], out[1])
        cache.put(POINTERS, blobs[path], [out[0], out[1]])
    return pointers


def _pointer(path: str, md5: str, size: Json) -> Pointer:
    return Pointer(path=path.removesuffix(".dvc"), md5=md5, size=size if isinstance(size, int) else None)


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
        if model.module:
            first.add(model.module)
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
