"""Checks of a verdict as a table: what was measured, on how many rows, how sure, against which limit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stellwerk.report.json_text import document, plain
from stellwerk.report.table import Style, table, table_width
from stellwerk.report.terminal import Ink, clean, wrap
from stellwerk.report.words import number, plural

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stellwerk.model.records import CheckResult, Measurement

HEAD = ("", "check", "value", "rows", "interval", "limit", "champion")


def checks_text(checks: tuple[CheckResult, ...], *, color: bool, width: int) -> str:
    """A table of the checks, what failed or has no value explained below it, and a summary line."""
    if not checks:
        return "Nothing is checked here.\n"
    ink = Ink(color=color)
    failed = [check for check in checks if not check.passed]
    lines = check_lines(checks, ink=ink, width=width)
    if failed:
        verdict = ink.red(f"{len(failed)} of {plural(len(checks), 'check')} failed.")
    else:
        verdict = ink.green("The check passed." if len(checks) == 1 else f"All {len(checks)} checks passed.")
    return "\n".join([*lines, "", verdict]) + "\n"


def check_lines(checks: Iterable[CheckResult], *, ink: Ink, width: int) -> list[str]:
    """The table of the checks without columns nobody fills, then what failed and what has no value says."""
    listed = tuple(checks)
    rows = [HEAD, *(_row(check) for check in listed)]
    used = [index for index, title in enumerate(HEAD) if not title or any(row[index] for row in rows[1:])]
    if table_width([[row[index] for index in used] for row in rows]) > width:
        used = [index for index in used if HEAD[index] != "interval"]  # names and limits matter more
    styles: list[list[Style | None]] = [
        [ink.green if check.passed else ink.red, *[None] * (len(used) - 1)] for check in listed
    ]
    lines = table([[row[index] for index in used] for row in rows], width=width, head=ink.dim, styles=styles)
    for check in listed:
        if check.detail and (check.measured is None or not check.passed):
            lines += wrap(f"{check_name(check)}: {clean(check.detail)}", width=width, indent=2)
    return lines


def check_name(check: CheckResult) -> str:
    """`rmse`, or `rmse where workingday=0` on a slice."""
    return clean(check.name) + (f" where {clean(check.slice)}" if check.slice else "")


def _row(check: CheckResult) -> tuple[str, ...]:
    measured = check.measured
    return (
        "✓ ok" if check.passed else "✗ failed",
        check_name(check),
        "" if measured is None or measured.value is None else number(measured.value),
        "" if measured is None else f"{measured.n:,}",
        "" if measured is None else _interval(measured),
        clean(check.limit or ""),
        "" if check.champion is None or check.champion.value is None else number(check.champion.value),
    )


def _interval(measured: Measurement) -> str:
    if measured.low is None or measured.high is None:
        return ""
    return f"{number(measured.low)} to {number(measured.high)} ({measured.confidence:.0%})"


def checks_json(checks: tuple[CheckResult, ...], model: str, environment: str | None) -> str:
    """The checks with all that was measured. The shape is `checks.schema.json`."""
    passed = all(check.passed for check in checks)
    return document({"model": model, "environment": environment, "passed": passed, "checks": plain(checks)})
