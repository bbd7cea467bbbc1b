"""What one reconcile did, what failed, and what waits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stellwerk.report.json_text import document, plain
from stellwerk.report.plan_text import summary, wait_lines
from stellwerk.report.terminal import Ink, clean, clean_lines, hang, wrap
from stellwerk.report.words import action_words, plural, short

if TYPE_CHECKING:
    from stellwerk.model.actions import Wait
    from stellwerk.model.views import Done, Outcome

NO_COMMIT = "·" * 7
DETAIL_LINES = 30  # the end of a log says why it failed


def outcome_text(outcome: Outcome, *, color: bool, width: int) -> str:
    """Everything: the steps done, then what `outcome_end` says."""
    lines = [done_line(done, color=color, width=width) for done in outcome.done]
    return "\n".join([*lines, *([""] if lines else []), outcome_end(outcome, color=color, width=width)])


def done_line(done: Done, *, color: bool, width: int) -> str:
    """`✓ 1a2b3c4  promote: shoe-demand v3 to production`; details, such as why it was refused, follow."""
    ink = Ink(color=color)
    mark = ink.green("✓") if done.passed else ink.red("✗")
    commit = short(done.commit) if done.commit else NO_COMMIT
    first, rest = hang(clean(done.summary), width=width, indent=11)
    lines = [f"{mark} {ink.yellow(commit)}  {first}", *rest]
    if done.detail:
        details = clean_lines(done.detail.strip()).split("\n")
        left_out = len(details) - DETAIL_LINES
        lines += [f"  … {left_out:,} lines before"] if left_out > 0 else []
        lines += (f"  {line}".rstrip() for line in details[-DETAIL_LINES:])
    return "\n".join(lines)


def failed_line(text: str, *, color: bool) -> str:
    """`✗ ·······  shoe-demand: train a new version failed`, for a step that left no commit."""
    return f"{Ink(color=color).red('✗')} {NO_COMMIT}  {clean(text)} failed"


def outcome_end(outcome: Outcome, *, color: bool, width: int) -> str:
    """What failed, what waits, and a summary line; for a terminal that has already shown the steps."""
    ink = Ink(color=color)
    lines: list[str] = []
    for what, message, hint in outcome.problems:
        lines += [f"{ink.red('✗')} {clean(what.replace(':', ' '))} failed:"]
        lines += (f"    {line}" for line in clean_lines(message).split("\n"))
        if hint:
            lines += (ink.dim(line) for line in wrap(f"→ {clean(hint)}", width=width, indent=4))
    if lines:
        lines.append("")
    lines += wait_lines(all_waits(outcome), ink=ink, width=width)
    lines += (ink.bold(line) for line in wrap(outcome_summary(outcome), width=width))
    return "\n".join(lines) + "\n"


def all_waits(outcome: Outcome) -> tuple[Wait, ...]:
    """Every wait once, whether it was met while walking the plan or is left in the last one."""
    return tuple(dict.fromkeys((*outcome.waits, *outcome.remaining.waits)))


def outcome_summary(outcome: Outcome) -> str:
    """How it went: `Done: 5 actions; 1 failed; 2 waiting. Pushed main to origin.`."""
    parts = [f"Done: {plural(len(outcome.done), 'action')}"] if outcome.done else ["Nothing was done"]
    if outcome.problems:
        parts.append(f"{len(outcome.problems)} failed")
    if not outcome.done and not outcome.problems and not outcome.remaining.steps:
        parts = ["Nothing to do" if all_waits(outcome) else "Nothing to do: what is declared is what is there"]
    waits = len(all_waits(outcome))
    if waits:
        parts.append(f"{waits} waiting")
    pushed = f" Pushed {clean(outcome.pushed)}." if outcome.pushed else ""
    left = f" Left: {summary(outcome.remaining).removeprefix('Plan: ')}" if outcome.remaining.steps else ""
    return f"{'; '.join(parts)}.{pushed}{left}"


def outcome_json(outcome: Outcome) -> str:
    """The outcome. The shape is `outcome.schema.json`."""
    return document(
        {
            "done": [
                {
                    "action": action_words(done.step.action).name,
                    "subject": action_words(done.step.action).subject,
                    "summary": done.summary,
                    "commit": done.commit,
                    "passed": done.passed,
                    "detail": done.detail,
                }
                for done in outcome.done
            ],
            "problems": [{"what": what, "message": message, "hint": hint} for what, message, hint in outcome.problems],
            "remaining": len(outcome.remaining.steps),
            "waits": plain(all_waits(outcome)),
            "pushed": outcome.pushed,
        }
    )
