"""The report on a change: two states of the repository, read from git, and what lies between them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from msgspec.structs import replace

from stellwerk.adapters.git.read import CommitTree
from stellwerk.app.state import Loader
from stellwerk.app.touched import threshold_touches
from stellwerk.declarations.records import RecordError, decode
from stellwerk.errors import StellwerkError
from stellwerk.model.findings import DeclarationsError, Severity
from stellwerk.model.records import CheckResult
from stellwerk.planning.change import Change, Side, SourceCheck, compare, unplanned
from stellwerk.planning.data_change import DataChange, DataFacts, trained_on

if TYPE_CHECKING:
    from pathlib import Path

    from stellwerk.app.state import Loaded
    from stellwerk.app.workspace import Workspace
    from stellwerk.declarations.compose import Declarations
    from stellwerk.model.observed import Observed
    from stellwerk.model.ports import Tree

NAMED = 5
MOST_FILES, MOST_BYTES = 300, 1_000_000  # of check results: they come from jobs that ran a pull request's code


def make_report(workspace: Workspace, *, base: str, checks: Path | None) -> Change:
    """Compare the work tree with the merge base of `base`. Raises StellwerkError where there is none at hand."""
    reader = workspace.reader
    commit, head = merge_base(workspace, base), reader.head().commit or ""
    told = () if checks is None else read_checks(checks)
    loader = Loader(reader=reader, cache=workspace.cache, clock=workspace.clock)
    earlier, note = _base(loader, commit)
    before = None if earlier is None else _side(workspace, loader, earlier, None)
    try:
        loaded = loader.work_tree()
    except DeclarationsError as error:
        return unplanned(before, error.findings, base=commit, head=head, checks=told)
    after = _side(workspace, loader, loaded, earlier.declarations if earlier else None)
    change = compare(before, after, base=commit, head=head, checks=told)
    notes = [note] if note else []
    notes += _unchecked(change, after) if checks is not None else []
    observed, min_group = loaded.state.observed, after.project.limits.min_group
    records = CommitTree(reader, observed.basis or None)
    data = tuple(_with_facts(item, observed, records, min_group) for item in change.data)
    thresholds = change.thresholds
    if thresholds:
        touches = threshold_touches(workspace, loaded.declarations, earlier.declarations if earlier else None, commit)
        thresholds = tuple(
            replace(item, authors=touches.authors.get((item.model, item.metric), ())) for item in thresholds
        )
        notes += [touches.note] if touches.note else []
    workspace.cache.flush()
    return replace(change, data=data, thresholds=thresholds, notes=tuple(notes))


def _unchecked(change: Change, after: Side) -> list[str]:
    """The changed models whose source is judged somewhere, but of which no results were handed over."""
    route, told = after.gates.route, {check.model for check in change.checks if not check.problem}
    models = {model.name: model for model in after.project.models}
    missing = [
        name
        for name, _ in change.sources
        if name not in told and any(route.policy(models[name], item).source for item in route.of(models[name]))
    ]
    more = f" and {len(missing) - NAMED} more" if len(missing) > NAMED else ""
    return (
        [f"no results of a development check were handed over for {', '.join(missing[:NAMED])}{more}"]
        if missing
        else []
    )


def merge_base(workspace: Workspace, base: str) -> str:
    """The commit from which the work tree and `base` went apart. Raises StellwerkError that says what to fetch."""
    reader = workspace.reader
    other = reader.resolve(base)
    if reader.head().commit is None:
        raise StellwerkError("there is no commit yet to report on", where=str(workspace.root), hint="commit first")
    found = reader.text("merge-base", other, "HEAD", check=False)
    if found:
        return found
    if reader.shallow:
        raise StellwerkError(
            f"this clone is shallow and ends before the commit where {base!r} and HEAD went apart",
            where=str(workspace.root),
            hint="git fetch --unshallow, or deepen it: git fetch --deepen=100 (in CI: fetch-depth: 0)",
        )
    raise StellwerkError(
        f"{base!r} and HEAD have no commit in common",
        where=str(workspace.root),
        hint="compare with the branch that the change will be merged into",
    )


def _base(loader: Loader, commit: str) -> tuple[Loaded | None, str]:
    """The state at the base; None and why where nothing of it can be read, which is also how a project begins."""
    try:
        return loader.compared(commit), ""
    except DeclarationsError as error:
        if any(finding.rule == "SW113" for finding in error.findings):
            return None, ""
        return None, "the declarations at the base cannot be read, so everything counts as new"


def _side(workspace: Workspace, loader: Loader, loaded: Loaded, base: Declarations | None) -> Side:
    from stellwerk.planning.plan import Scope

    state = loaded.state
    findings = loader.judged(loaded, base)
    side = Side(project=state.project, observed=state.observed, gates=state.gates, findings=findings)
    if any(finding.severity is Severity.ERROR for finding in findings):
        return replace(side, problem="the declarations have mistakes")
    try:
        return replace(side, plan=workspace.plan_of(state, Scope()))
    except StellwerkError as error:
        return replace(side, problem=error.message)


def _with_facts(change: DataChange, observed: Observed, tree: Tree, min_group: int) -> DataChange:
    """What versions trained on either snapshot recorded of it."""
    before, after = (
        None if facts is None else _facts(facts, observed, tree, min_group) for facts in (change.before, change.after)
    )
    return replace(change, before=before, after=after)


def _facts(facts: DataFacts, observed: Observed, tree: Tree, min_group: int) -> DataFacts:
    record = trained_on(observed, facts.md5)
    if record is None:
        return facts
    path = f"registry/{record.model}/{record.number}/profile.json"
    return replace(
        facts,
        size=facts.size if facts.size is not None else record.data.size,
        rows=record.data.rows if record.data.rows >= min_group else None,
        columns=record.data.columns,
        first=record.data.first,
        last=record.data.last,
        version=f"{record.model} v{record.number}",
        missing=_missing(tree.read([path]).get(path, b""), min_group),
    )


def _missing(text: bytes, min_group: int) -> dict[str, float | None]:
    """Column -> share of missing values in whole percents; None where those who miss it, or have it, are too few."""
    try:
        profile = json.loads(text or b"{}")
        rows, columns = int(profile.get("rows", 0)), dict(profile.get("columns", {}))
        found: dict[str, float | None] = {}
        for name, column in columns.items():
            missing = column["missing"]
            hidden = missing is None or 0 < missing < min_group or 0 < rows - missing < min_group
            found[str(name)] = None if hidden or rows < min_group else round(missing / rows, 2)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}
    return found


def read_checks(folder: Path) -> tuple[SourceCheck, ...]:
    """Every `*.json` below the folder, by path; none where no job has left any.

    A file that holds no check results is named, never believed.
    """
    files = sorted(path for path in folder.rglob("*.json") if path.is_file() and not path.is_symlink())
    found = [_read_check(path, path.relative_to(folder).as_posix()) for path in files[:MOST_FILES]]
    if len(files) > MOST_FILES:
        found.append(SourceCheck(file="…", problem=f"{len(files) - MOST_FILES} more files were not read"))
    return tuple(found)


def _read_check(path: Path, name: str) -> SourceCheck:
    try:
        if path.stat().st_size > MOST_BYTES:
            return SourceCheck(file=name, problem="the file is too large for check results")
        content = json.loads(path.read_bytes().decode("utf-8"))
        if not isinstance(content, dict) or content.get("version") != 1 or not isinstance(content.get("checks"), list):
            return SourceCheck(file=name, problem="these are no check results")
        model, environment = content.get("model"), content.get("environment")
        return SourceCheck(
            file=name,
            model=model if isinstance(model, str) else None,
            environment=environment if isinstance(environment, str) else None,
            checks=tuple(decode(CheckResult, item, where=name) for item in content["checks"]),
        )
    except RecordError as error:
        return SourceCheck(file=name, problem=f"these are no check results: {error.message}")
    except (OSError, ValueError, RecursionError):
        return SourceCheck(file=name, problem="the file cannot be read as JSON")
