"""Why a model is, or is not, where somebody wants it: every condition, met or not, and what would meet it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stellwerk.report.checks import check_lines
from stellwerk.report.json_text import document, plain
from stellwerk.report.plan_json import step_json
from stellwerk.report.plan_text import step_lines
from stellwerk.report.terminal import Ink, clean, hang, wrap
from stellwerk.report.words import version

if TYPE_CHECKING:
    from stellwerk.model.declared import Json
    from stellwerk.model.views import Explanation


def why_text(explanations: tuple[Explanation, ...], *, color: bool, width: int) -> str:
    """One paragraph per environment, in route order."""
    if not explanations:
        return "No environment is declared, so nothing is promoted and nothing waits.\n"
    ink = Ink(color=color)
    return "\n".join("\n".join(_paragraph(item, ink=ink, width=width)) + "\n" for item in explanations)


def _paragraph(item: Explanation, *, ink: Ink, width: int) -> list[str]:
    way = f"{clean(item.model)} → {clean(item.environment)}"
    head, below = hang(f"{way}: {_standing(item)}", width=width, indent=2)
    lines = [head.replace(way, ink.bold(way), 1), *below]
    for condition in item.conditions:
        mark = ink.green("✓") if condition.met else ink.red("✗")
        first, rest = hang(clean(condition.text), width=width, indent=4)
        lines += [f"  {mark} {first}", *rest]
        if condition.unblock and not condition.met:
            lines += (ink.dim(line) for line in wrap(f"→ {clean(condition.unblock)}", width=width, indent=6))
    if item.verdict is not None and not item.verdict.passed:
        failed = (check for check in item.verdict.checks if not check.passed)
        lines += ["", "  Checks that failed:"]
        lines += (f"  {line}" for line in check_lines(failed, ink=ink, width=width - 2))
    if item.next_steps:
        lines += ["", "  Next reconcile:"]
        for step in item.next_steps:
            lines += step_lines(step, ink=ink, width=width)
    return lines


def _standing(item: Explanation) -> str:
    released = "nothing is released" if item.released is None else f"v{item.released} is released"
    unmet = sum(1 for condition in item.conditions if not condition.met)
    missing = f", {unmet} of {len(item.conditions)} conditions unmet" if unmet else ""
    if item.version is not None and item.version == item.released:
        return f"{released} and is the current version{missing}"
    candidate = "there is no version to promote yet" if item.version is None else f"{version(item.version)} is next"
    return f"{released}; {candidate}{missing}"


def why_json(explanations: tuple[Explanation, ...]) -> str:
    """The explanations. The shape is `why.schema.json`."""
    return document({"explanations": [_plain(item) for item in explanations]})


def _plain(item: Explanation) -> Json:
    return {
        "model": item.model,
        "environment": item.environment,
        "version": item.version,
        "released": item.released,
        "conditions": plain(item.conditions),
        "verdict": plain(item.verdict),
        "next_steps": [step_json(step) for step in item.next_steps],
    }
