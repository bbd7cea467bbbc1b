"""Sections of the report on a change: the plan, findings, thresholds, and what is not met."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec import Struct

from stellwerk.planning.threshold_change import threshold_words
from stellwerk.report.plan_markdown import escape
from stellwerk.report.plan_text import by_subject, step_words
from stellwerk.report.terminal import clean
from stellwerk.report.words import action_words, number, plural, version, wait_subject

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stellwerk.model.records import Measurement
    from stellwerk.model.views import Explanation
    from stellwerk.planning.change import Change
    from stellwerk.planning.threshold_change import Reading, ThresholdChange

LINKED = re.compile(r"(@|#|\$|:(?=//)|www(?=\.)|\bgh(?=-))", re.IGNORECASE)
NUMBERED = re.compile(r"^(\d+)([.)])")
LONGEST_TITLE = 300
OPEN_ROWS = 12  # a longer section is folded
MARKS = {"error": "❌ error", "warning": "⚠️ warning", "note": "note"}
ARROWS = {"new": "new", "removed": "⚠️ removed", "tighter": "tighter", "looser": "⚠️ looser"}


class Section(Struct, frozen=True, kw_only=True):
    """A part of the report. `lines` may be cut from the end, sections of little `importance` first.

    `title` is plain text, `lead` and `lines` are Markdown. A table's head counts as lead.
    """

    title: str
    lines: tuple[str, ...]
    lead: str = ""
    folded: bool = False
    importance: int = 0

    def text(self, kept: int) -> str:
        """The section with that many of its lines; '' where none is left."""
        if kept == 0:
            return ""
        body = "\n".join(self.lines[:kept])
        inner = f"{self.lead}\n{body}\n" if self.lead else f"{body}\n"
        if self.folded:
            return f"\n<details><summary><b>{html_text(self.title)}</b></summary>\n\n{inner}\n</details>\n"
        return f"\n#### {escape(self.title)}\n\n{inner}"


def html_text(text: str) -> str:
    """The text inside an HTML element that starts a line: Markdown is not read there, mentions and addresses are."""
    words = clean(text)[:LONGEST_TITLE].replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return LINKED.sub(r"\1<!-- -->", words)


def strong(text: str) -> str:
    """The text, escaped and bold."""
    words = escape(text.strip())
    return f"**{words}**" if words else "–"


def bullet(text: str) -> str:
    """A list item; a text that starts as a numbered list does stays text."""
    words = NUMBERED.sub(r"\1\\\2", text.lstrip())
    return f"- {words}"


def table(*titles: str) -> str:
    """The head of a table, above which a paragraph may stand."""
    return f"| {' | '.join(titles)} |\n|{'---|' * len(titles)}"


def row(*cells: str) -> str:
    """A row of a table; the cells are Markdown already."""
    return f"| {' | '.join(cells)} |"


def measured_cells(measured: Measurement | None) -> tuple[str, str, str]:
    """Value, rows and interval."""
    if measured is None:
        return "", "", ""
    value = escape(measured.problem or "not computable") if measured.value is None else number(measured.value)
    return value, f"{measured.n:,}", interval(measured)


def interval(measured: Measurement) -> str:
    """`0.13 to 0.15 (95 %)`; '' where there is none."""
    if measured.low is None or measured.high is None:
        return ""
    return f"{number(measured.low)} to {number(measured.high)} ({measured.confidence * 100:g} %)"


def plan_section(change: Change) -> Section | None:
    """What is done, what is no longer done, and what waits, because of this change."""
    lines = list(_step_lines(change))
    lead = table("", "", "What", "Why") if change.added else ""
    if change.dropped:
        lines += ["", "**No longer planned**", ""]
        lines += [
            bullet(f"{escape(action_words(step.action).subject)}: {escape(step_words(step))}")
            for step in change.dropped
        ]
    if change.waits:
        lines += ["", "**Will wait**", ""]
        for wait in change.waits:
            about = f"{strong(wait_subject(wait))}: " if wait_subject(wait) else ""
            unblock = f" → {escape(wait.unblock)}" if wait.unblock else ""
            lines.append(bullet(f"{about}{escape(wait.reason)}{unblock}"))
    if change.met:
        lines += ["", "**Waits no longer**", ""]
        lines += [bullet(f"{escape(wait_subject(wait) or 'project')}: {escape(wait.reason)}") for wait in change.met]
    if change.base_problem:
        lines += [
            "",
            f"At the base nothing could be planned ({escape(change.base_problem)}), so all of it counts as new.",
        ]
    if not lines:
        return None
    title = (
        f"What will happen ({plural(len(change.added), 'step')})" if change.added else "What will change in the plan"
    )
    return Section(
        title=title,
        lead=lead,
        lines=tuple(lines if lines[0] else lines[1:]),
        folded=len(lines) > OPEN_ROWS,
        importance=70,
    )


def _step_lines(change: Change) -> Iterator[str]:
    for name, steps in by_subject(change.added):
        shown, said = strong(name), ""
        for step in steps:
            mark = f"{action_words(step.action).symbol}{'?' if step.condition else ''}"
            yield row(shown, f"`{mark}`", escape(step_words(step)), "″" if step.reason == said else escape(step.reason))
            shown, said = "", step.reason


def findings_section(change: Change) -> Section | None:
    """The findings that this change brings."""
    if not change.findings:
        return None
    lines = [
        row(
            MARKS[item.severity],
            escape(item.rule),
            escape(f"{item.place.path}:{item.place.line}"),
            escape(item.message) + (f"<br>→ {escape(item.hint)}" if item.hint else ""),
        )
        for item in sorted(change.findings, key=lambda item: list(MARKS).index(item.severity))
    ]
    return Section(
        title=f"New findings ({len(lines)})",
        lead=table("", "Rule", "Where", "What"),
        lines=tuple(lines),
        folded=not any(item.severity == "error" for item in change.findings) and len(lines) > OPEN_ROWS,
        importance=80,
    )


def threshold_section(change: Change) -> Section | None:
    """The thresholds that were touched, by whom, and what recorded metrics of running versions say to them."""
    if not change.thresholds:
        return None
    lines = [_threshold(item) for item in change.thresholds]
    readings = [(item, reading) for item in change.thresholds for reading in item.readings]
    if readings:
        lines += [
            "",
            "What is recorded of the versions that run, held against the new limits:",
            "",
            table("Model", "Runs in", "Limit", "Rows where", "Recorded", "n", "Interval", "").replace("\n", "\n"),
        ]
        lines += [_reading(item, reading) for item, reading in readings]
    else:
        lines += ["", "No version that runs is judged by them: nothing recorded is held against the new limits."]
    return Section(
        title=f"Thresholds touched ({len(change.thresholds)})",
        lead=table("Model", "Metric", "Judged in", "Before", "After", "", "Touched by", "Who should look"),
        lines=tuple(lines),
        importance=90,
    )


def _threshold(item: ThresholdChange) -> str:
    both = item.before is not None and item.after is not None
    return row(
        escape(item.model),
        escape(item.metric),
        escape(", ".join(item.environments)) or "nowhere",
        escape(threshold_words(item.before, item.after if both else None)) or "–",
        escape(threshold_words(item.after, item.before if both else None)) or "–",
        ARROWS.get(item.direction, f"⚠️ {escape(item.direction)}"),
        escape(", ".join(author.partition(" <")[0] for author in item.authors)) or "–",
        escape(item.owner or "nobody is declared"),
    )


def _reading(item: ThresholdChange, reading: Reading) -> str:
    return row(
        f"{escape(item.model)} {version(reading.version)}",
        escape(", ".join(reading.environments)),
        escape(reading.limit),
        escape(reading.slice or "all"),
        *measured_cells(reading.measured),
        f"{_result(reading)}{_source(reading)}",
    )


def _result(reading: Reading) -> str:
    if reading.passed is None:
        return f"– {escape(reading.note)}"
    if reading.passed:
        return "✅ passes"
    mark = "⚠️ fails, as before" if reading.already else "❌ **fails**"
    return f"{mark}: {escape(reading.note)}" if reading.note else mark


def _source(reading: Reading) -> str:
    return f" <sub>({escape(reading.source)})</sub>" if reading.source else ""


def blocked_section(change: Change) -> Section | None:
    """For each touched model and environment with releases, what is not met."""
    if not change.blocked:
        return None
    lines = [line for item in change.blocked for line in _explained(item)]
    return Section(
        title="What stands between the touched models and a promotion", lines=tuple(lines), folded=True, importance=40
    )


def _explained(item: Explanation) -> Iterator[str]:
    candidate = "a version that is not trained yet" if item.version is None else version(item.version)
    yield f"- {strong(item.model)} → {escape(item.environment)}, {candidate}:"
    for condition in item.conditions:
        if not condition.met:
            yield f"  - ❌ {escape(condition.text)}{f' → {escape(condition.unblock)}' if condition.unblock else ''}"
