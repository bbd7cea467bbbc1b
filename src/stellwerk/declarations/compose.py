"""All declarations of one tree: `mlops.yaml`, what it includes, and `environments/*.yaml`."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from stellwerk.declarations.checked import CheckedFile, cached_file, check_file, remember_file
from stellwerk.declarations.decode import decode_project
from stellwerk.declarations.include import included_files, nested_include
from stellwerk.declarations.merge import lay_over, merge_files
from stellwerk.declarations.merged_rules import merged_findings, missing_findings
from stellwerk.declarations.sources import Sources
from stellwerk.declarations.values import as_map
from stellwerk.model.findings import Finding, Place, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from stellwerk.model.declared import Json, Project
    from stellwerk.model.ports import Cache, Tree

MAIN = "mlops.yaml"


class Declarations(Struct, frozen=True, kw_only=True):
    """A project as declared, and where everything in it stands.

    `value` is what was written in all files, before defaults, with the environments under the key `environments`.
    `complete` is False when a mistake made the loader leave a part out: rules may run on it, nothing may be planned
    from it. `files` are the paths that were read.
    """

    project: Project
    value: Mapping[str, Json]
    complete: bool
    files: tuple[str, ...]
    sources: Sources

    def place(self, *keys: str | int) -> Place:
        """Where that key path stands: a scalar itself, the key of anything larger; else its nearest parent.

        `("models", "churn", "risk")`, `("environments", "production", "after")`. A key that a model only has from
        `defaults` is found there.
        """
        return self.sources.place(keys)

    def key_place(self, *keys: str | int) -> Place:
        """Where the key itself stands."""
        return self.sources.key_place(keys)

    def is_written(self, *keys: str | int) -> bool:
        """Whether a file sets this very key path (a model's defaults do not count)."""
        return self.sources.is_written(keys)


def load_declarations(tree: Tree, *, cache: Cache | None = None) -> tuple[Declarations | None, tuple[Finding, ...]]:
    """Read, merge, check and decode everything declared in the tree; every mistake of every file is a finding.

    None: a file could not be read at all or declares nothing, or there is no `mlops.yaml`.
    """
    blobs = tree.blobs()
    if MAIN not in blobs:
        return None, (_no_declarations(blobs),)
    stems = {path: PurePosixPath(path).stem for path in blobs if _is_environment(path, ".yaml")}
    read = _files(tree, {MAIN: "mlops", **dict.fromkeys(sorted(stems), "environment")}, cache)
    main = read.pop(MAIN)
    included, problems = included_files(main, blobs)
    parts = list(_files(tree, dict.fromkeys(included, "mlops"), cache).values())
    files = [main, *parts]
    environments = {stems[path]: file for path, file in read.items()}
    findings = [*problems, *(_unread(path) for path in sorted(blobs) if _is_environment(path, ".yml"))]
    findings += (finding for part in parts for finding in nested_include(part))
    findings += (finding for file in (*files, *environments.values()) for finding in file.findings)
    if any(file.value is None for file in (*files, *environments.values())):
        findings += (missing.finding for file in environments.values() for missing in file.missing)
        return None, _ordered(findings)
    return _compose(files, environments, findings)


def _compose(
    files: list[CheckedFile], environments: dict[str, CheckedFile], findings: list[Finding]
) -> tuple[Declarations, tuple[Finding, ...]]:
    written, twice = merge_files(files)
    defaults, models = as_map(written.get("defaults")), as_map(written.get("models"))
    resolved = written
    if defaults:
        resolved = {**written, "models": {name: lay_over(defaults, as_map(said)) for name, said in models.items()}}
    values: dict[str, Json] = {name: file.value for name, file in environments.items()}
    sources = Sources(files, environments)
    findings += twice
    findings += missing_findings(files, resolved)
    findings += (missing.finding for file in environments.values() for missing in file.missing)
    findings += merged_findings(resolved, values, sources)
    project = decode_project(resolved, values)
    if project.workflows is not None:  # who owns which file is rendered with them
        project = replace(project, included=sources.included())
    declarations = Declarations(
        project=project,
        value={**written, "environments": values},
        complete=not any(finding.severity is Severity.ERROR for finding in findings),
        files=tuple(file.path for file in (*files, *environments.values())),
        sources=sources,
    )
    return declarations, _ordered(findings)


def _files(tree: Tree, kinds: Mapping[str, str], cache: Cache | None) -> dict[str, CheckedFile]:
    """The files by path, in the given order; those the cache does not know are read in one go."""
    blobs = tree.blobs()
    known: dict[str, CheckedFile] = {}
    if cache is not None:
        for path, kind in kinds.items():
            file = cached_file(kind, path, blob=blobs[path], cache=cache)
            if file is not None:
                known[path] = file
    unknown = [path for path in kinds if path not in known]
    contents = tree.read(unknown) if unknown else {}
    for path in unknown:
        kind, data = kinds[path], contents.get(path, b"")
        if cache is None:
            known[path] = check_file(kind, path, data)
        else:
            known[path] = remember_file(kind, path, data, blob=blobs[path], cache=cache)
    return {path: known[path] for path in kinds}


def _is_environment(path: str, suffix: str) -> bool:
    return path.startswith("environments/") and path.endswith(suffix) and path.count("/") == 1


def _no_declarations(paths: Iterable[str]) -> Finding:
    hint = "rename mlops.yml to mlops.yaml" if "mlops.yml" in paths else "run `stellwerk init` to write one"
    place = Place(path=MAIN)
    return Finding(rule="SW113", severity=Severity.ERROR, place=place, message="there is no mlops.yaml", hint=hint)


def _unread(path: str) -> Finding:
    message = "this file is not read: environments end in .yaml"
    hint = f"rename it to {PurePosixPath(path).stem}.yaml"
    return Finding(rule="SW109", severity=Severity.WARNING, place=Place(path=path), message=message, hint=hint)


def _ordered(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(set(findings), key=lambda finding: (finding.place, finding.rule, finding.message)))
