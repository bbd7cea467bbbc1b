"""Findings and rules as text: for a terminal, for machines, for the documentation. Pure, like all reports."""

from stellwerk.report.findings.machines import findings_github, findings_json, findings_sarif
from stellwerk.report.findings.rules import rule_text, rules_markdown
from stellwerk.report.findings.text import findings_text

__all__ = [
    "findings_github",
    "findings_json",
    "findings_sarif",
    "findings_text",
    "rule_text",
    "rules_markdown",
]
