"""Commit messages: a one-line summary, a readable body, and trailers that `git interpret-trailers` reads.

Trailers are an index; the proof is in the files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stellwerk.model.ports import Actor
    from stellwerk.model.records import CheckResult


def message(
    summary: str,
    body: str,
    actor: Actor,
    *,
    action: str,
    model: str | None = None,
    version: int | None = None,
    environment: str | None = None,
) -> str:
    """The whole text of a commit message."""
    trailers = {
        "Stellwerk-Action": action,
        "Stellwerk-Model": model,
        "Stellwerk-Version": version,
        "Stellwerk-Environment": environment,
        "Stellwerk-Plan": actor.plan,
        "Stellwerk-Run": actor.run,
    }
    lines = "\n".join(f"{key}: {value}" for key, value in trailers.items() if value is not None)
    return "\n\n".join(part for part in (summary, body.strip(), lines) if part) + "\n"


def check_lines(checks: tuple[CheckResult, ...]) -> str:
    """The checks of a verdict, one line each."""
    return "\n".join(check_line(check) for check in checks)


def check_line(check: CheckResult) -> str:
    """One check of a verdict in one line."""
    sign = "passed" if check.passed else "FAILED"
    part = f" ({check.slice})" if check.slice else ""
    value = f" {number(check.measured.value)} on {check.measured.n} rows" if check.measured else ""
    champion = f", champion {number(check.champion.value)}" if check.champion else ""
    limit = f", limit {check.limit}" if check.limit else ""
    detail = f": {check.detail}" if check.detail else ""
    return f"- {sign} {check.name}{part}{value}{champion}{limit}{detail}"


def number(value: float | None) -> str:
    """A figure for people: four significant digits."""
    return "not computable" if value is None else f"{value:.4g}"
