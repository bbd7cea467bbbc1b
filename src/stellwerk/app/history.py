"""Answers from history: what differs between two versions, and the decisions about a model."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from stellwerk.adapters.git.read import CommitTree, GitReader
from stellwerk.errors import UsageError
from stellwerk.model.views import Change, HistoryEntry, VersionDiff
from stellwerk.planning.gone import bytes_gone, package_gone

if TYPE_CHECKING:
    from stellwerk.model.declared import Json
    from stellwerk.model.records import VersionRecord
    from stellwerk.reconcile.world import State

FIELD, RECORD = "\x1f", "\x1e"
SKIPPED = frozenset({"code", "params", "data", "holdout", "requirements"})


def version_diff(state: State, reader: GitReader, left: str, right: str) -> VersionDiff:
    """Compare two versions of one model. Raises UsageError where they are not named `model@number`."""
    one, two = _named(state, left), _named(state, right)
    if one.model != two.model:
        raise UsageError("two versions of one model can be compared", where=f"{left} {right}")
    changes = [
        *_data_changes(one, two),
        *_gone_changes(state, one, two),
        *_map_changes("params", one.params, two.params),
        *_map_changes("code", _mapping(one.parts.get("code")), _mapping(two.parts.get("code"))),
        *_map_changes("holdout", _mapping(one.parts.get("holdout")), _mapping(two.parts.get("holdout"))),
        *(
            Change(part="other", name=key, old=one.parts.get(key), new=two.parts.get(key))
            for key in sorted(set(one.parts) | set(two.parts))
            if key not in SKIPPED and one.parts.get(key) != two.parts.get(key)
        ),
        *_map_changes("requirements", dict(one.packages), dict(two.packages)),
        *_map_changes(
            "metrics",
            {name: item.value for name, item in one.metrics.items()},
            {name: item.value for name, item in two.metrics.items()},
        ),
    ]
    return VersionDiff(model=one.model, left=one, right=two, changes=tuple(changes), code=_code_diff(reader, one, two))


def _named(state: State, text: str) -> VersionRecord:
    name, at, number = text.rpartition("@")
    if not at or not number.removeprefix("v").isdigit():
        raise UsageError("name a version as MODEL@NUMBER", where=text, hint="shoe-demand@2")
    return state.version(state.model(name), int(number.removeprefix("v"))).record


def _data_changes(one: VersionRecord, two: VersionRecord) -> list[Change]:
    pairs = {
        "snapshot": (one.data.md5, two.data.md5),
        "rows": (one.data.rows, two.data.rows),
        "first": (one.data.first, two.data.first),
        "last": (one.data.last, two.data.last),
        "columns": (list(one.data.columns), list(two.data.columns)),
    }
    return [Change(part="data", name=name, old=old, new=new) for name, (old, new) in pairs.items() if old != new]  # type: ignore[arg-type]


def _gone_changes(state: State, one: VersionRecord, two: VersionRecord) -> list[Change]:
    """Whose data or package are gone on purpose, and why."""
    found = []
    for record in (one, two):
        data = bytes_gone(state.observed, record.data.md5) if record.data.md5 in state.observed.erased else ""
        for part, name, words in (("data", "data", data), ("other", "package", package_gone(state.observed, record))):
            if words:
                found.append(Change(part=part, name=f"{name} of v{record.number}", old="kept", new=words))
    return found


def _mapping(value: Json) -> dict[str, Json]:
    return value if isinstance(value, dict) else {}


def _map_changes(part: str, old: object, new: object) -> list[Change]:
    left = dict(old) if isinstance(old, dict) else {}
    right = dict(new) if isinstance(new, dict) else {}
    return [
        Change(part=part, name=str(key), old=left.get(key), new=right.get(key))
        for key in sorted(set(left) | set(right))
        if left.get(key) != right.get(key)
    ]


def _code_diff(reader: GitReader, one: VersionRecord, two: VersionRecord) -> str:
    """A unified diff of the code both were trained from, read at the commits of their birth."""
    commits = [_birth(reader, record) for record in (one, two)]
    if None in commits:
        return ""
    paths = sorted({*_mapping(one.parts.get("code")), *_mapping(two.parts.get("code"))})
    before, after = (CommitTree(reader, commit).read(paths) for commit in commits)
    lines: list[str] = []
    for path in paths:
        old, new = (content.get(path, b"").decode("utf-8", "replace").splitlines() for content in (before, after))
        names = (f"{path}@v{one.number}", f"{path}@v{two.number}")
        lines += difflib.unified_diff(old, new, *names, lineterm="")
    return "\n".join(lines)


def _birth(reader: GitReader, record: VersionRecord) -> str | None:
    """The commit that brought the version's record, followed through renames."""
    path = f"registry/{record.model}/{record.number}/version.yaml"
    found = reader.text(
        "log", "--diff-filter=A", "--format=%H", "--", f":(glob)registry/*/{record.number}/version.yaml", check=False
    )
    for commit in found.splitlines():
        content = CommitTree(reader, commit).read([path])
        if content:
            return commit
    return None


def _names(state: State, model: str) -> list[str]:
    """The model's name, and every name it had before: declared, or found in records of that time."""
    names = {declared.previously for declared in state.project.models if declared.name == model and declared.previously}
    facts = state.observed.models.get(model)
    if facts is not None:
        names |= {version.record.model for version in facts.versions.values()}
        names |= {deployment.model for deployment in facts.deployments.values()}
    taken = {declared.name for declared in state.project.models}
    return [model, *sorted(names - taken - {model})]


def history(state: State, reader: GitReader, model: str, limit: int) -> tuple[HistoryEntry, ...]:
    """The commits that touch the model's records, releases, code or stage, newest first."""
    names = _names(state, model)
    if model not in {item.name for item in state.project.models} and model not in state.observed.models:
        state.model(model)
    if not state.observed.basis:
        return ()
    paths = [f"registry/{name}" for name in names]
    paths += [f":(glob)environments/*/{name}.yaml" for name in names]
    paths += [f"models/{name}" for name in names]
    paths += [file.path for file in state.observed.code.get(model, ())]
    for declared in state.project.models:
        if declared.name == model and declared.train and declared.train.data in state.observed.pointers:
            paths.append(state.observed.pointers[declared.train.data].place)
    for name in names:  # decisions to delete what its versions were made of, or their packages
        facts = state.observed.models.get(name)
        records = [version.record for version in facts.versions.values()] if facts else []
        named = {md5 for record in records for md5 in (record.data.md5, record.package.md5)}
        paths += [f"registry/.erased/{md5}.yaml" for md5 in sorted(named & state.observed.erased.keys())]
    shape = FIELD.join(("%H", "%cI", "%an", "%s", "%(trailers:key=Stellwerk-Action,valueonly,separator=%x20)", "%b"))
    output = reader.text("log", f"--max-count={limit}", f"--format={shape}{RECORD}", state.observed.basis, "--", *paths)
    entries = []
    for record in output.split(RECORD):
        fields = record.strip("\n").split(FIELD)
        if len(fields) == 6:  # noqa: PLR2004 the fields of `shape`
            commit, at, author, summary, action, body = fields
            entries.append(
                HistoryEntry(
                    commit=commit,
                    at=at,
                    author=author,
                    action=action.strip() or "edit",
                    summary=summary,
                    body=body.strip(),
                )
            )
    return tuple(entries)
