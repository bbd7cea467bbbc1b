"""Findings for machines: our own JSON, GitHub's workflow commands, and SARIF 2.1.0."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING
from urllib.parse import quote

from stellwerk import __version__
from stellwerk.model.findings import Finding, Severity
from stellwerk.planning.rules.catalogue import ALL_RULES
from stellwerk.report.json_text import document, plain

if TYPE_CHECKING:
    from stellwerk.model.declared import Json
    from stellwerk.planning.rules.rule import Rule

SARIF_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "note"}
COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}


def findings_json(findings: tuple[Finding, ...]) -> str:
    """Every finding with its place, and counts per severity. The shape is `findings.schema.json`."""
    counts = Counter(finding.severity for finding in findings)
    return document(
        {
            "summary": {severity.value: counts[severity] for severity in Severity},
            "findings": [plain(finding) for finding in findings],
        }
    )


def findings_github(findings: tuple[Finding, ...]) -> str:
    """One workflow command per finding, which GitHub shows at the line of the pull request."""
    return "".join(f"{_command(finding)}\n" for finding in findings)


def _command(finding: Finding) -> str:
    properties = {
        "file": finding.place.path,
        "line": str(finding.place.line),
        "col": str(finding.place.column),
        "title": finding.rule,
    }
    listed = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
    text = f"{finding.message}\n{finding.hint}" if finding.hint else finding.message
    return f"::{COMMANDS[finding.severity]} {listed}::{_data(text)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def findings_sarif(findings: tuple[Finding, ...]) -> str:
    """A SARIF 2.1.0 log, with the whole catalogue of rules."""
    index = {rule.id: position for position, rule in enumerate(ALL_RULES)}
    driver: dict[str, Json] = {
        "name": "stellwerk",
        "semanticVersion": __version__,
        "rules": [_descriptor(rule) for rule in ALL_RULES],
    }
    run: dict[str, Json] = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_result(finding, index) for finding in findings],
    }
    # SARIF's own version is a text, and takes the place of ours.
    return document({"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [run]})


def _descriptor(rule: Rule) -> Json:
    return {
        "id": rule.id,
        "name": "".join(word.capitalize() for word in rule.title.split()),
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.explanation},
        "help": {"text": f"{rule.explanation}\n\n`stellwerk rule {rule.id}` shows examples."},
        "defaultConfiguration": {"level": LEVELS[rule.severity]},
    }


def _result(finding: Finding, index: dict[str, int]) -> Json:
    region: dict[str, Json] = {"startLine": finding.place.line, "startColumn": finding.place.column}
    location: dict[str, Json] = {
        "artifactLocation": {"uri": quote(finding.place.path), "uriBaseId": "%SRCROOT%"},
        "region": region,
    }
    result: dict[str, Json] = {
        "ruleId": finding.rule,
        "level": LEVELS[finding.severity],
        "message": {"text": f"{finding.message} ({finding.hint})" if finding.hint else finding.message},
        "locations": [{"physicalLocation": location}],
    }
    if finding.rule in index:
        result["ruleIndex"] = index[finding.rule]
    return result
