"""Rules explained: one for `stellwerk rule ID`, all of them as `docs/rules.md`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stellwerk.model.findings import Severity
from stellwerk.report.terminal import Ink, wrap

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from stellwerk.planning.rules.rule import Example, Rule

FAMILIES = {
    "SW1": "Text and shape",
    "SW2": "Names, files and columns",
    "SW3": "Environments and people",
    "SW4": "Thresholds and leaks",
    "SW5": "Safety",
    "SW6": "What git records",
}
READABLE = 100  # cells of a line of prose, however wide the terminal
MEANING = {
    Severity.ERROR: "error: nothing runs until it is corrected",
    Severity.WARNING: "warning: shown, and nothing is stopped",
    Severity.NOTE: "note: worth knowing",
}


def rule_text(rule: Rule, *, width: int = READABLE, color: bool = False) -> str:
    """The rule, why there is one, and an example of each side."""
    ink = Ink(color=color)
    lines = [ink.bold(f"{rule.id} {rule.title}"), ink.dim(MEANING[rule.severity]), ""]
    lines += wrap(rule.explanation, width=min(width, READABLE))
    for title, example in (("Breaks it", rule.failing), ("Keeps it", rule.passing)):
        if example.files:
            lines += ["", ink.bold(f"{title}{_aside(example)}:")]
            for path, text in _shown(example):
                lines += [ink.dim(f"  # {path}"), *(f"  {line}".rstrip() for line in text.splitlines())]
    return "\n".join(lines) + "\n"


def _aside(example: Example) -> str:
    return f" ({example.note})" if example.note else ""


def _shown(example: Example) -> Iterator[tuple[str, str]]:
    for path, text in (example.base or {}).items():
        yield f"{path} at the base revision", text
    yield from example.files.items()


def rules_markdown(rules: Iterable[Rule]) -> str:
    """All rules by family, with a table of contents. It is written by a program and compared by a test."""
    listed = sorted(rules, key=lambda rule: rule.id)
    lines = [
        "# Rules",
        "",
        "What `stellwerk validate` looks for. An error stops every operation until it is corrected; warnings and notes",
        "are shown. `stellwerk rule ID` prints one of these. This page is written from the rules themselves.",
        "",
        "| rule | severity | what it finds |",
        "|---|---|---|",
        *(f"| [{rule.id}](#{rule.id.lower()}) | {rule.severity} | {rule.title} |" for rule in listed),
    ]
    family = ""
    for rule in listed:
        if rule.id[:3] != family:
            family = rule.id[:3]
            lines += ["", f"## {FAMILIES.get(family, family)}"]
        lines += _section(rule)
    return "\n".join(lines) + "\n"


def _section(rule: Rule) -> list[str]:
    lines = ["", f'<a id="{rule.id.lower()}"></a>', "", f"### {rule.id} {rule.title}", ""]
    lines += [f"*{rule.severity.capitalize()}.* {rule.explanation}"]
    for title, example in (("Breaks it", rule.failing), ("Keeps it", rule.passing)):
        if example.files:
            lines += ["", f"{title}{_aside(example)}:"]
            for path, text in _shown(example):
                lines += ["", f"```{_language(path)}", f"# {path}", *text.splitlines(), "```"]
    return lines


def _language(path: str) -> str:
    name = path.partition(" ")[0]
    return {"yaml": "yaml", "py": "python"}.get(name.rpartition(".")[2], "text")
