"""What one reconcile did, as Markdown for the summary of a CI job. What declarations and logs say is escaped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stellwerk.report.outcome import all_waits, outcome_summary
from stellwerk.report.plan_markdown import escape
from stellwerk.report.words import short, wait_subject

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from stellwerk.model.actions import Wait
    from stellwerk.model.views import Done, Outcome

LIMIT = 900_000  # bytes; GitHub shows no summary of more than 1 MiB
DETAIL_LINES = 30  # the end of a log says why it failed


def outcome_markdown(outcome: Outcome, *, title: str = "") -> str:
    """A heading, a table of what was done with its commits, what failed, and what waits with what would meet it."""
    about = f": {escape(title)}" if title else ""
    head = [f"### Stellwerk reconcile{about}", "", f"**{escape(outcome_summary(outcome))}**", ""]
    body = _fitting([*_done(outcome.done), *_problems(outcome.problems), *_waits(all_waits(outcome))])
    return "\n".join([*head, *body]).rstrip("\n") + "\n\n"


def problem_markdown(message: str, hint: str, *, title: str = "") -> str:
    """A reconcile that ended with an error."""
    about = f": {escape(title)}" if title else ""
    return f"### Stellwerk reconcile{about}\n\n❌ {escape(message)}{_hint(hint)}\n\n"


def _done(done: Iterable[Done]) -> Iterator[str]:
    rows = [_row(item) for item in done]
    if rows:
        yield from ("| | Commit | What |", "|---|---|---|", *rows, "")


def _row(done: Done) -> str:
    mark = "✅" if done.passed else "❌"
    commit = f"`{short(done.commit)}`" if done.commit else ""
    lines = done.detail.strip().splitlines()[-DETAIL_LINES:] if done.detail else []
    detail = "".join(f"<br>{escape(line)}" for line in lines)
    return f"| {mark} | {commit} | {escape(done.summary)}{detail} |"


def _problems(problems: Iterable[tuple[str, str, str]]) -> Iterator[str]:
    items = [
        f"- **{escape(what.replace(':', ' '))}**: {'<br>'.join(map(escape, message.splitlines()))}{_hint(hint)}"
        for what, message, hint in problems
    ]
    if items:
        yield from ("**Failed**", "", *items, "")


def _waits(waits: Iterable[Wait]) -> Iterator[str]:
    items = []
    for wait in waits:
        about = wait_subject(wait)
        head = f"**{escape(about)}**: " if about else ""
        items.append(f"- {head}{escape(wait.reason)}{_hint(wait.unblock)}")
    if items:
        yield from ("**Waiting**", "", *items, "")


def _hint(hint: str) -> str:
    return f" → {escape(hint)}" if hint else ""


def _fitting(lines: list[str]) -> list[str]:
    used = 0
    for index, line in enumerate(lines):
        used += len(line.encode()) + 1
        if used > LIMIT:
            return [*lines[:index], "", f"… and {len(lines) - index:,} more lines: the job's log has them all."]
    return lines
