"""A plan to read: what will happen to whom and why, what waits, and what to type next."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from stellwerk.model.actions import Snapshot
from stellwerk.report.nothing import NOTHING
from stellwerk.report.terminal import Ink, clean, hang, wrap
from stellwerk.report.words import (
    ORDER,
    action_words,
    duration,
    wait_subject,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from stellwerk.model.actions import Plan, Step, Wait

REASON_INDENT = 7


def plan_text(plan: Plan, *, color: bool, width: int, hints: bool = True, uncommitted: tuple[str, ...] = ()) -> str:
    """The plan, grouped by model or dataset in the plan's order.

    `hints` adds what to type next; `uncommitted` are the files of it that must be committed first.
    """
    ink = Ink(color=color)
    lines: list[str] = []
    for name, steps in by_subject(plan.steps):
        lines += [ink.bold(name), *_step_lines(steps, ink=ink, width=width), ""]
    lines += wait_lines(plan.waits, ink=ink, width=width)
    lines += [ink.bold(line) for line in wrap(summary(plan), width=width)]
    if hints and plan.steps and uncommitted:
        named = ", ".join(uncommitted[:2]) + (f" and {len(uncommitted) - 2} more" if uncommitted[2:] else "")
        lines += wrap(f"Next: commit {named}; then stellwerk reconcile does exactly this.", width=width)
    elif hints and plan.steps:
        lines.append(f"Next: {ink.cyan('stellwerk reconcile')} does exactly this.")
    return "\n".join(lines) + "\n"


def by_subject(steps: Iterable[Step]) -> Iterator[tuple[str, list[Step]]]:
    """The steps of each dataset, then of each model, in the order they first appear."""
    datasets: dict[str, list[Step]] = {}
    models: dict[str, list[Step]] = {}
    for step in steps:
        groups = datasets if isinstance(step.action, Snapshot) else models
        groups.setdefault(action_words(step.action).subject, []).append(step)
    yield from datasets.items()
    yield from models.items()


def _step_lines(steps: list[Step], *, ink: Ink, width: int) -> Iterator[str]:
    said = ""
    for step in steps:
        yield from step_lines(step, ink=ink, width=width, said=said)
        said = step.reason


def step_lines(step: Step, *, ink: Ink, width: int, said: str = "") -> Iterator[str]:
    """One step: its symbol and words, then its reason unless it was just `said`."""
    sign = action_words(step.action).symbol
    mark = f"{sign}{'?' if step.condition else ' '}"
    first, rest = hang(step_words(step), width=width, indent=5)
    yield f"  {_painted(sign, mark, ink)} {first}"
    yield from rest
    if step.reason and step.reason != said:
        yield from (ink.dim(line) for line in wrap(clean(step.reason), width=width, indent=REASON_INDENT))


def step_words(step: Step) -> str:
    """`promote to production, v2 → v3, if regression passes (about 2 min)`."""
    text = action_words(step.action).text
    if step.condition:
        text += f", {condition_words(step.condition)}"
    if step.seconds is not None:
        text += f" (about {duration(step.seconds)})"
    return text


def condition_words(condition: str) -> str:
    """The condition led by `if`."""
    words = clean(condition)
    return words if words.startswith("if ") else f"if {words}"


def _painted(sign: str, mark: str, ink: Ink) -> str:
    styles = {"+": ink.green, "~": ink.yellow, "-": ink.red, "<": ink.red, ">": ink.green, "=": ink.cyan}
    return styles[sign](mark)


def wait_lines(waits: tuple[Wait, ...], *, ink: Ink, width: int) -> list[str]:
    """What is not happening, why, and what would meet it; nothing where nothing waits."""
    if not waits:
        return []
    lines = [ink.bold("Waiting")]
    for wait in waits:
        about = wait_subject(wait)
        words = f"{about}: {clean(wait.reason)}" if about else clean(wait.reason)
        first, rest = hang(words, width=width, indent=5)
        lines += [f"  {ink.yellow('! ')} {first}", *rest]
        if wait.unblock:
            lines += (ink.dim(line) for line in wrap(f"→ {clean(wait.unblock)}", width=width, indent=REASON_INDENT))
        lines += diff_lines(wait.diff, ink=ink)
    return [*lines, ""]


def diff_lines(diff: str, *, ink: Ink) -> Iterator[str]:
    """A unified diff, indented below what it belongs to; its lines are not wrapped."""
    paint = {"+": ink.green, "-": ink.red}
    for line in diff.splitlines():
        yield " " * REASON_INDENT + paint.get(line[:1], ink.dim)(clean(line))


def summary(plan: Plan) -> str:
    """How much of what: `Plan: 1 to train, 2 to check, 1 to promote; 2 waiting.`."""
    counts = Counter(action_words(step.action).name for step in plan.steps)
    waits = f"{len(plan.waits)} waiting" if plan.waits else ""
    if not counts:
        return f"Nothing to do; {waits}." if waits else NOTHING
    parts = ", ".join(f"{counts[name]:,} to {name}" for name in ORDER if counts[name])
    known = [step.seconds for step in plan.steps if step.seconds is not None]
    estimate = f" About {duration(sum(known))}." if known else ""
    return f"Plan: {parts}{f'; {waits}' if waits else ''}.{estimate}"
