"""A plan as a comment on a pull request. What declarations say is escaped: it formats, links and pings nothing."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from stellwerk.report.plan_text import by_subject, step_words, summary
from stellwerk.report.terminal import clean
from stellwerk.report.words import action_words, short, wait_subject

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stellwerk.model.actions import Plan, Step, Wait

LIMIT = 65_000  # bytes; GitHub refuses a comment of more than 65,536 characters
MARKER = "<!-- stellwerk plan -->"  # by which a job finds its own comment again
_CELL_LIMIT = 2_000

_SPECIAL = re.compile(r"([\\`*_{}\[\]()|~+!-])")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "$": "&dollar;"}
# Mentions, issue numbers, addresses and formulas are found after entities are decoded; a comment inside breaks them.
_LINKED = re.compile(r"(@|#|&dollar;|:(?=//)|www(?=\.)|\bgh(?=\\-))", re.IGNORECASE)


def plan_markdown(plan: Plan) -> str:
    """A heading, a table of the steps and a list of the waits, in fewer than 65,536 characters."""
    head = [MARKER, "### Stellwerk plan", "", f"**{escape(summary(plan))}**", ""]
    tail = ["", f"<sub>planned at {short(plan.basis)}</sub>"] if plan.basis else []
    body, left_out = _cut(list(_body(plan)), LIMIT - 500)
    if left_out:
        body += ["", f"… and {left_out:,} more lines: `stellwerk plan` shows them all."]
    return "\n".join([*head, *body, *tail]) + "\n"


def escape(text: str) -> str:
    """The text as Markdown shows it literally, on one line, in a table too; very long texts are cut."""
    words = clean(text)
    if len(words) > _CELL_LIMIT:
        words = words[:_CELL_LIMIT] + "…"
    literal = _SPECIAL.sub(r"\\\1", "".join(_ENTITIES.get(character, character) for character in words))
    return _LINKED.sub(r"\1<!-- -->", literal)


def _body(plan: Plan) -> Iterator[str]:
    if plan.steps:
        yield "| | | What | Why |"
        yield "|---|---|---|---|"
    for name, steps in by_subject(plan.steps):
        shown = f"**{escape(name)}**"
        for step in steps:
            yield _row(shown, step)
            shown = ""
    if plan.waits:
        yield ""
        yield "**Waiting**"
        yield ""
        for wait in plan.waits:
            yield _wait(wait)
            yield from _diff(wait.diff)


def _row(name: str, step: Step) -> str:
    mark = f"{action_words(step.action).symbol}{'?' if step.condition else ''}"
    return f"| {name} | `{mark}` | {escape(step_words(step))} | {escape(step.reason)} |"


def _wait(wait: Wait) -> str:
    about = wait_subject(wait)
    head = f"**{escape(about)}**: " if about else ""
    unblock = f" → {escape(wait.unblock)}" if wait.unblock else ""
    return f"- {head}{escape(wait.reason)}{unblock}"


def _diff(diff: str) -> Iterator[str]:
    """A fence longer than any run of backticks inside, so that nothing in the diff can end it."""
    if not diff:
        return
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", diff)), default=0))
    yield ""
    yield f"  {fence}diff"
    yield from (f"  {clean(line)}" for line in diff.splitlines())
    yield f"  {fence}"


def _cut(lines: list[str], room: int) -> tuple[list[str], int]:
    used = 0
    for index, line in enumerate(lines):
        used += len(line.encode()) + 1
        if used > room:
            return lines[:index], len(lines) - index
    return lines, 0
