"""Every rule finds its failing example, and nothing in its passing one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from stellwerk.model.findings import Severity
from stellwerk.planning.rules import ALL_RULES, RULES, find_rule
from stellwerk.planning.rules.rule import Rule
from stellwerk.report.findings import rules_markdown

DOCS = Path(__file__).resolve().parents[2] / "docs" / "rules.md"
STATIC = [rule for rule in RULES if rule.check is not None]


@pytest.mark.parametrize("rule", STATIC, ids=lambda rule: rule.id)
def test_the_failing_example_breaks_this_rule_and_no_other(rule: Rule, judge):
    findings = judge(rule.failing)
    assert {finding.rule for finding in findings} == {rule.id}, findings
    assert {finding.severity for finding in findings} == {rule.severity}


@pytest.mark.parametrize("rule", STATIC, ids=lambda rule: rule.id)
def test_the_passing_example_is_a_valid_project_that_keeps_this_rule(rule: Rule, judge):
    findings = judge(rule.passing)
    assert [finding for finding in findings if finding.rule == rule.id or finding.severity is Severity.ERROR] == []


@pytest.mark.parametrize("rule", STATIC, ids=lambda rule: rule.id)
def test_every_finding_says_where_and_what_to_do(rule: Rule, judge):
    for finding in judge(rule.failing):
        assert finding.place.path in rule.failing.files
        assert finding.message
        assert finding.hint


def test_ids_are_unique_and_found_in_any_case():
    assert len({rule.id for rule in RULES}) == len(RULES)
    assert all(re.fullmatch(r"SW[1-6]\d\d", rule.id) for rule in RULES)
    assert find_rule("sw204") is find_rule("SW204")


def test_every_rule_explains_itself():
    for rule in RULES:
        assert rule.title
        assert len(rule.explanation) > 40, rule.id


def test_the_documentation_is_what_the_rules_say():
    """Regenerate it with `python -m stellwerk.report.rules > docs/rules.md`."""
    assert DOCS.read_text() == rules_markdown(ALL_RULES)
