"""Sections of the report on a change that show evidence: source checks, releases, data, metric histories."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stellwerk.report.change_parts import OPEN_ROWS, Section, interval, measured_cells, row, strong, table
from stellwerk.report.plan_markdown import escape
from stellwerk.report.words import number, plural, version

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stellwerk.model.records import Measurement, Release
    from stellwerk.model.views import Condition
    from stellwerk.planning.change import Change, MetricHistory, SourceCheck
    from stellwerk.planning.data_change import DataChange, DataFacts
    from stellwerk.planning.release_change import Comparison, ReleaseChange

BAR = 24  # cells of the longest bar
EIGHTHS = " ▏▎▍▌▋▊▉"
SMOKE = (
    "Smoke metrics on stand-in data: they say that the code runs, not how good the model is."
    " No threshold is held against them, and they gate nothing."
)
UNITS = ("bytes", "kB", "MB", "GB", "TB")


def check_section(change: Change) -> Section | None:
    """What changed in the models' sources, and what their development checks said on permitted data."""
    if not change.checks and not change.sources:
        return None
    lines = [f"- {strong(name)}: {escape('; '.join(words))}" for name, words in change.sources]
    if change.checks:
        lines += ["", SMOKE]
        for check in change.checks:
            lines += ["", *_check(check)]
    failed = any(not check.passed for check in change.checks)
    return Section(
        title=f"Changed sources ({len(change.sources)})" if change.sources else "Development checks",
        lines=tuple(lines),
        folded=not failed and len(lines) > OPEN_ROWS,
        importance=60,
    )


def _check(check: SourceCheck) -> Iterator[str]:
    where = f" in {escape(check.environment)}" if check.environment else ""
    if check.problem:
        yield f"⚠️ {escape(check.file)}: {escape(check.problem)}."
        return
    result = "✅ passed" if check.passed else "❌ **failed**"
    if not check.checks:
        yield f"{strong(check.model or check.file)}{where}: nothing is checked there."
        return
    yield f"{strong(check.model or check.file)}{where}: {result}"
    yield ""
    yield table("Check", "", "Value", "Rows", "Interval", "Says")
    for item in check.checks:
        value, rows, bounds = measured_cells(item.measured)
        mark = "✅" if item.passed else "❌ **failed**"
        yield row(escape(item.name), mark, value, rows, bounds, escape(item.detail))


def release_sections(change: Change) -> list[Section]:
    """One section per release that the change touches."""
    return [_release(item) for item in change.releases]


def _release(item: ReleaseChange) -> Section:
    title = f"Release of {item.model} in {item.environment}: {_way(item.before, item.after)}"
    lines = list(_release_words(item.after)) if item.after else []
    if item.note:
        lines += [f"⚠️ {escape(item.note)}.", ""]
    if item.comparisons:
        lines += [*_comparison_lines(item), ""]
    if item.difference:
        lines += [_difference(item), ""]
    if item.approvals:
        lines += ["**Approvals**", "", *(_condition(condition) for condition in item.approvals), ""]
    if item.conditions:
        lines += ["**What the deployment asks once more after the merge**", ""]
        lines += [_condition(condition) for condition in item.conditions]
    return Section(title=title, lines=tuple(lines) or ("The release file is removed.",), importance=85)


def _way(before: Release | None, after: Release | None) -> str:
    old = "nothing" if before is None else _release_state(before)
    new = "removed" if after is None else _release_state(after)
    return f"{old} → {new}"


def _release_state(release: Release) -> str:
    return "withdrawn" if release.withdrawn else version(release.version)


def _release_words(release: Release) -> Iterator[str]:
    """Whatever else the release file says."""
    if release.rollback:
        told = release.rollback
        yield f"A rollback from {version(told.of)} by {escape(told.by)}: {escape(told.because)}"
        yield ""
    if release.hold:
        until = f" until {escape(release.hold.until)}" if release.hold.until else ""
        yield f"Held by {escape(release.hold.by)}{until}: {escape(release.hold.because)}"
        yield ""
    if release.withdrawn:
        yield f"Withdrawn by {escape(release.withdrawn.by)}: {escape(release.withdrawn.because)}"
        yield ""


def _comparison_lines(item: ReleaseChange) -> Iterator[str]:
    new = version(item.after.version) if item.after else ""
    old = f"Champion {version(item.champion)}" if item.champion is not None else "Version before"
    rows = f" on {plural(item.rows, 'row')}" if item.rows is not None else ""
    out = f", {item.excluded:,} left out because the champion was trained on them" if item.excluded else ""
    yield f"Measured in {escape(item.judged_in)}{rows}{out}:"
    yield ""
    yield table("Metric", "Rows where", old, f"Candidate {new}", "Difference", "Limit", "Verdict's words")
    groups: dict[tuple[str, str | None], list[Comparison]] = {}
    for comparison in item.comparisons:
        groups.setdefault((comparison.metric, comparison.slice), []).append(comparison)
    for (metric, label), group in groups.items():
        first = group[0]
        yield row(
            escape(metric),
            escape(label or "all"),
            _measured(first.champion) + ("" if first.same_rows or not first.champion else " ¹"),
            _measured(first.candidate),
            _gap(first),
            "<br>".join(f"{'✅' if one.passed else '❌'} {escape(one.limit)}" for one in group),
            "<br>".join(escape(one.detail) for one in group),
        )
    if any(comparison.champion and not comparison.same_rows for comparison in item.comparisons):
        yield ""
        yield "¹ from its own verdict, on held-out rows of its own: no difference can be taken."


def _measured(measured: Measurement | None) -> str:
    if measured is None:
        return "–"
    if measured.value is None:
        return escape(measured.problem or "not computable")
    bounds = interval(measured)
    return f"{number(measured.value)}{f' <sub>{bounds}</sub>' if bounds else ''}"


def _gap(comparison: Comparison) -> str:
    old, new = comparison.champion, comparison.candidate
    if not comparison.same_rows or old is None or new is None or old.value is None or new.value is None:
        return ""
    return f"{new.value - old.value:+.4g}"


def _difference(item: ReleaseChange) -> str:
    """What the verdict recorded of both versions' answers to the same rows."""
    told, parts = item.difference, []
    changed, mean, p95 = (_figure(told.get(key)) for key in ("changed", "mean_absolute", "p95"))
    if changed is not None:
        parts.append(f"{changed * 100:.3g} % of the predictions differ")
    if mean is not None:
        parts.append(f"by {number(mean)} on average")
    if p95 is not None:
        parts.append(f"95 % of them by at most {number(p95)}")
    if not parts:
        return f"Predictions are not compared: {escape(str(told.get('problem') or 'nothing was recorded'))}."
    rows = told.get("rows")
    on = f" (on {rows:,} rows)" if isinstance(rows, int) else ""
    return f"Prediction by prediction{on}: {', '.join(parts)}."


def _figure(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _condition(condition: Condition) -> str:
    unblock = f" → {escape(condition.unblock)}" if condition.unblock and not condition.met else ""
    return f"- {'✅' if condition.met else '❌'} {escape(condition.text)}{unblock}"


def data_section(change: Change) -> Section | None:
    """The datasets whose pointer moved, as far as pointers and records tell."""
    if not change.data:
        return None
    lines = [line for item in change.data for line in (*_data(item), "")]
    return Section(
        title=f"Data changed ({len(change.data)})",
        lines=tuple(lines[:-1]),
        folded=len(lines) > 2 * OPEN_ROWS,
        importance=50,
    )


def _data(item: DataChange) -> Iterator[str]:
    trained = f", which {escape(', '.join(item.models))} is trained on" if item.models else ""
    yield f"{strong(item.dataset)}{trained}"
    yield ""
    yield table("", "Before", "After")
    facts = (item.before, item.after)
    yield row("snapshot", *(_cell(fact, fact.md5[:8] if fact else "") for fact in facts))
    yield row(
        "size", *(_cell(fact, _bytes(fact.size) if fact and fact.size is not None else "not known") for fact in facts)
    )
    if not any(fact and fact.version for fact in facts):
        return
    unknown = "no version was trained on it yet"
    yield row("rows", *(_cell(fact, f"{fact.rows:,}" if fact and fact.rows is not None else unknown) for fact in facts))
    yield row("columns", *(_cell(fact, str(len(fact.columns)) if fact and fact.columns else unknown) for fact in facts))
    if any(fact and fact.first for fact in facts):
        yield row(
            "time", *(_cell(fact, f"{fact.first} to {fact.last}" if fact and fact.first else unknown) for fact in facts)
        )
    yield row("recorded by", *(_cell(fact, fact.version if fact and fact.version else "–") for fact in facts))
    yield from _columns(item.before, item.after)


def _cell(fact: DataFacts | None, text: str) -> str:
    return "–" if fact is None else escape(text)


def _columns(before: DataFacts | None, after: DataFacts | None) -> Iterator[str]:
    """Columns that came and went, and the shares of missing values that both sides recorded."""
    if before is None or after is None or not before.columns or not after.columns:
        return
    came = [name for name in after.columns if name not in before.columns]
    went = [name for name in before.columns if name not in after.columns]
    yield row("columns gone", escape(", ".join(went)) or "none", "")
    yield row("columns new", "", escape(", ".join(came)) or "none")
    for name in sorted(before.missing.keys() & after.missing.keys()):
        old, new = before.missing[name], after.missing[name]
        if old or new or (old is None) != (new is None):
            yield row(f"missing {escape(name)}", _share(old), _share(new))


def _share(share: float | None) -> str:
    return "too few to show" if share is None else f"{share:.0%}"


def _bytes(size: int) -> str:
    amount, unit = float(size), 0
    while amount >= 1000 and unit < len(UNITS) - 1:  # noqa: PLR2004  decimal units
        amount, unit = amount / 1000, unit + 1
    return f"{amount:.3g} {UNITS[unit]}" if unit else f"{size:,} bytes"


def history_section(change: Change) -> Section | None:
    """A metric of each touched model over its versions, as bars."""
    if not change.histories:
        return None
    lines = [line for item in change.histories for line in (*_history(item), "")]
    return Section(title="Metrics over versions", lines=tuple(lines[:-1]), folded=True, importance=20)


def _history(item: MetricHistory) -> Iterator[str]:
    yield f"{strong(item.model)}, {escape(item.metric)} on its held-out rows when it was trained"
    yield ""
    yield table("Version", escape(item.metric), "", "Released in")
    values = [point.value for _, point, _ in item.points if point.value is not None]
    low, high = min(0.0, *values, 0.0), max(0.0, *values, 0.0)
    for born, measured, released in item.points:
        shown = "" if measured.value is None else bar((measured.value - low) / (high - low or 1.0))
        yield row(version(born), _measured(measured), shown, escape(", ".join(released)))


def bar(share: float) -> str:
    """A bar for a share, 0..1, in eighths of a cell."""
    eighths = round(max(0.0, min(1.0, share)) * BAR * 8)
    return "█" * (eighths // 8) + EIGHTHS[eighths % 8].strip()
