"""The report on a pull request as Markdown: what merging does or what blocks it, then the evidence, most telling first.

Everything that anybody typed is escaped: it formats, links and notifies nothing.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from msgspec import Struct

from stellwerk.model.actions import Check, Deploy, Promote, Render, Retire, Snapshot, Train
from stellwerk.report.change_evidence import check_section, data_section, history_section, release_sections
from stellwerk.report.change_parts import blocked_section, findings_section, plan_section, strong, threshold_section
from stellwerk.report.plan_markdown import escape
from stellwerk.report.words import MINUTE, duration, plural, short, version

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stellwerk.model.actions import Step
    from stellwerk.planning.change import Change
    from stellwerk.planning.threshold_change import ThresholdChange
    from stellwerk.report.change_parts import Section

MARKER = "<!-- stellwerk:report -->"
LIMIT = 64_000  # characters; GitHub refuses more than 65,536, and a forge puts a line of its own above
NAMED = 3  # of many things, as many are named


def pull_request_markdown(change: Change) -> str:
    """The whole report in at most 64,000 characters: what matters least is cut, and named."""
    head = f"{MARKER}\n{verdict(change)}\n"
    foot = (
        f"\n<sub>compared with {escape(short(change.base))}; `stellwerk report --base REV` shows it in a clone</sub>\n"
    )
    sections = [
        plan_section(change),
        findings_section(change),
        threshold_section(change),
        check_section(change),
        *release_sections(change),
        data_section(change),
        blocked_section(change),
        history_section(change),
    ]
    notes = "".join(f"\n> Note: {escape(note)}.\n" for note in change.notes)
    body, left_out = _fitted(
        [item for item in sections if item is not None], LIMIT - len(head) - len(foot) - len(notes)
    )
    return f"{head}{body}{notes}{left_out}{foot}"


def verdict(change: Change) -> str:
    """One line: what merging does, or what blocks it."""
    blockers = list(_blockers(change))
    if blockers:
        return f"❌ **Blocked:** {'; '.join(blockers)}."
    warned = " ".join(_warnings(change))
    return f"⚠️ {_doing(change)} {warned}" if warned else f"✅ {_doing(change)}"


def _warnings(change: Change) -> Iterator[str]:
    """What is not as it should be, and blocks nothing by itself."""
    failed = sorted({check.model or check.file for check in change.checks if not check.passed})
    if failed:
        yield f"The check of {_listed(failed)} did not pass."
    for item in change.releases[:NAMED]:
        unmet = sum(1 for condition in (*item.approvals, *item.conditions) if not condition.met)
        if unmet:
            left = f"{plural(unmet, 'condition')} {'is' if unmet == 1 else 'are'} unmet"
            yield f"{escape(item.model)} is not deployed to {escape(item.environment)} while {left}."


def _blockers(change: Change) -> Iterator[str]:
    if change.errors:
        old = change.errors - sum(1 for item in change.findings if item.severity == "error")
        before = f" ({old} of them not by this change)" if 0 < old < change.errors else ""
        before = " (which this change did not bring)" if old == change.errors else before
        yield f"the declarations have {plural(change.errors, 'mistake')}{before}, so nothing can be planned"
    elif change.problem:
        yield escape(change.problem)
    for item in change.failing[:NAMED]:
        yield _failing(item)
    if len(change.failing) > NAMED:
        yield f"and {plural(len(change.failing) - NAMED, 'more threshold')} that running versions fail"


def _failing(item: ThresholdChange) -> str:
    reading = item.failing[0]
    runs = " and ".join(escape(name) for name in reading.environments)
    told = escape(reading.note)
    if not told and reading.measured is not None and reading.measured.value is not None:
        told = f"{reading.measured.value:.4g} was recorded on {reading.measured.n:,} rows"
    where = f" where {escape(reading.slice)}" if reading.slice else ""
    what = "new" if item.before is None else "tightened"
    return (
        f"{escape(item.model)} {version(reading.version)}, released in {runs}, fails the {what} threshold "
        f"{strong(reading.limit)}{where}: {told}"
    )


def _doing(change: Change) -> str:
    parts = list(_deeds(change))
    known = [step.seconds for step in change.added if step.seconds is not None]
    minutes = f"about {duration(sum(known))}" if sum(known) >= MINUTE else "less than a minute"
    estimate = f", {minutes} by recorded durations" if known else ""
    waits = f" {plural(len(change.waits), 'thing')} will wait for people or time." if change.waits else ""
    if not parts:
        gone = f" {plural(len(change.dropped), 'planned step')} will not happen." if change.dropped else ""
        return f"**Merging this starts nothing.**{gone}{waits}"
    words = ", ".join(parts[:-1]) + f" and {parts[-1]}" if len(parts) > 1 else parts[0]
    return f"**Merging this {words}**{estimate}.{waits}"


def _deeds(change: Change) -> Iterator[str]:
    """What is done, each kind of action once: `trains 2 models in regression`."""
    steps = change.added
    snapshots = sum(1 for step in steps if isinstance(step.action, Snapshot))
    if snapshots:
        yield f"takes {plural(snapshots, 'snapshot')}"
    trained = Counter(change.places.get(step.action.model, "") for step in steps if isinstance(step.action, Train))
    for place, count in sorted(trained.items()):
        yield f"trains {plural(count, 'model')}{f' in {escape(place)}' if place else ''}"
    yield from _checks(steps, trained=bool(trained))
    yield from _releases(change)
    promoted = {(step.action.environment, step.action.model) for step in steps if isinstance(step.action, Promote)}
    promoted |= {(item.environment, item.model) for item in change.releases}
    yield from _counted(steps, Promote, "promotes", "to")
    deployed = tuple(
        step
        for step in steps
        if isinstance(step.action, Deploy) and (step.action.environment, step.action.model) not in promoted
    )
    yield from _counted(deployed, Deploy, "deploys", "to")
    retired = sum(1 for step in steps if isinstance(step.action, Retire))
    if retired:
        yield f"retires {plural(retired, 'release')}"
    rendered = sum(1 for step in steps if isinstance(step.action, Render))
    if rendered:
        yield f"has {plural(rendered, 'generated file')} written"


def _releases(change: Change) -> Iterator[str]:
    """What release files of the change say; many are only counted."""
    if len(change.releases) > NAMED:
        yield f"changes {plural(len(change.releases), 'release')}"
        return
    for item in change.releases:
        where = escape(item.environment)
        if item.after is None:
            yield f"removes the release of {escape(item.model)} from {where}"
        elif item.after.withdrawn:
            yield f"withdraws {escape(item.model)} from {where}"
        elif item.after.rollback:
            yield f"rolls {escape(item.model)} back to {version(item.after.version)} in {where}"
        else:
            yield f"releases {escape(item.model)} {version(item.after.version)} to {where}"


def _checks(steps: tuple[Step, ...], *, trained: bool) -> Iterator[str]:
    counts = Counter(step.action.environment for step in steps if isinstance(step.action, Check))
    if trained:
        return  # each training is checked on its way: no news
    for environment, count in counts.items():
        yield f"checks {plural(count, 'model')} in {escape(environment)}"


def _counted(steps: tuple[Step, ...], kind: type[Promote | Deploy], verb: str, preposition: str) -> Iterator[str]:
    """By environment, what is certain apart from what must pass first."""
    counts = Counter((step.action.environment, bool(step.condition)) for step in steps if isinstance(step.action, kind))
    for (environment, conditional), count in counts.items():
        condition = f" (if {'it passes' if count == 1 else 'they pass'})" if conditional else ""
        yield f"{verb} {plural(count, 'model')} {preposition} {escape(environment)}{condition}"


def _listed(names: list[str]) -> str:
    shown = ", ".join(escape(name) for name in names[:NAMED])
    return shown + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")


class _Part(Struct):
    """A section and how many of its lines are kept."""

    section: Section
    kept: int

    @property
    def text(self) -> str:
        return self.section.text(self.kept)


def _fitted(sections: list[Section], room: int) -> tuple[str, str]:
    """The sections in order, and what was left out of them: lines of the least important ones first, from the end."""
    parts = [_Part(section, len(section.lines)) for section in sections]
    room -= 400  # for the words that say what was left out
    total = sum(len(part.text) for part in parts)
    for part in sorted(parts, key=lambda item: item.section.importance):
        if total <= room:
            break
        whole = len(part.text)
        wanted = whole - (total - room)
        low, high = 0, part.kept  # the most lines that fit
        while low < high:
            middle = (low + high + 1) // 2
            if len(part.section.text(middle)) <= wanted:
                low = middle
            else:
                high = middle - 1
        part.kept = low
        total += len(part.text) - whole
    cut = [
        f"{escape(part.section.title)}: {plural(len(part.section.lines) - part.kept, 'line')}"
        for part in parts
        if part.kept < len(part.section.lines)
    ]
    left_out = f"\n… left out, because a comment holds no more: {'; '.join(cut[:12])}.\n" if cut else ""
    return "".join(part.text for part in parts), left_out
