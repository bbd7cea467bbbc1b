"""Findings as a compiler would show them: place, message, the line with a caret, what to do, and a summary."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from stellwerk.model.findings import Finding, Place, Severity
from stellwerk.planning.rules.credentials import shape_of
from stellwerk.report.terminal import UNBOUNDED, Ink, cells, clean, wrap
from stellwerk.report.words import plural

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# A report ends up in logs that many can read: the line with the secret itself stays out of it.
SECRETS = frozenset({"SW503", "SW505"})


def findings_text(
    findings: tuple[Finding, ...], sources: Mapping[str, str], *, color: bool = False, width: int = UNBOUNDED
) -> str:
    """All findings and a summary line. `sources` maps a path to its text; `width` is in terminal cells."""
    ink = Ink(color=color)
    if not findings:
        return f"{ink.green('No mistakes found.')}\n"
    secret_lines = {(finding.place.path, finding.place.line) for finding in findings if finding.rule in SECRETS}
    lines: list[str] = []
    split: dict[str, list[str]] = {}
    for finding in findings:
        place = finding.place
        if place.path in sources and place.path not in split:
            split[place.path] = sources[place.path].splitlines()
        lines += _head(finding, ink=ink, width=width)
        if (place.path, place.line) not in secret_lines:
            lines += _excerpt(place, split.get(place.path, []), ink=ink, width=width)
        if finding.hint:
            lines += _led(f"{ink.cyan('help')}: ", "help: ", clean(finding.hint), width=width, indent=2)
        lines.append("")
    lines.append(_summary(findings, ink=ink))
    return "\n".join(lines) + "\n"


def _head(finding: Finding, *, ink: Ink, width: int) -> list[str]:
    severity = f"{finding.severity}[{finding.rule}]"
    lead = f"{_paint(finding.severity, severity, ink=ink)}: "
    place = clean(str(finding.place))
    return [ink.bold(place), *_led(lead, f"{severity}: ", clean(finding.message), width=width, indent=2)]


def _paint(severity: Severity, text: str, *, ink: Ink) -> str:
    if severity is Severity.ERROR:
        return ink.red(text)
    return ink.yellow(text) if severity is Severity.WARNING else ink.cyan(text)


def _led(lead: str, plain: str, text: str, *, width: int, indent: int) -> list[str]:
    """The text wrapped under itself behind a lead, whose uncoloured form is `plain`."""
    first, *rest = wrap(f"{plain}{text}", width=width, indent=indent)
    return [" " * indent + lead + first[indent + len(plain) :], *(f"  {line}" for line in rest)]


def _excerpt(place: Place, source: list[str], *, ink: Ink, width: int) -> list[str]:
    """The line of the place and a caret under its column, cut to the width.

    Nothing where there is no such line, or where it holds what looks like a secret.
    """
    if not 1 <= place.line <= len(source):
        return []
    line = source[place.line - 1]
    if shape_of(line):
        return []
    gutter = f"{place.line:>5} | "
    before = clean(line[: place.column - 1].replace("\t", " "))
    after = clean(line[place.column - 1 :].replace("\t", " "))
    room = max(width - cells(gutter), 20)
    start = 0
    if cells(before) > room * 2 // 3:
        start = len(before) - room // 2
    shown, cut = f"{'…' if start else ''}{before[start:]}", after
    while cut and cells(shown) + cells(cut) > room:
        cut = cut[: max(min(len(cut) - 1, room - cells(shown)), 0)]
    bar = f"{' ' * (len(gutter) - 2)}| "
    text = f"{ink.dim(gutter)}{shown}{cut}".rstrip()
    return [text, f"{ink.dim(bar)}{' ' * cells(shown)}{ink.red('^')}"]


def _summary(findings: Iterable[Finding], *, ink: Ink) -> str:
    counts = Counter(finding.severity for finding in findings)
    parts = [
        _paint(severity, plural(counts[severity], severity.value), ink=ink) for severity in Severity if counts[severity]
    ]
    return f"{', '.join(parts)}. {ink.dim('`stellwerk rule ID` explains a rule.')}"
