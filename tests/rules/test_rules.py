"""Every rule finds its failing example, and nothing in its passing one."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest

from stellwerk.model.findings import Severity
from stellwerk.planning.rules.catalogue import ALL_RULES, RULES, find_rule
from stellwerk.planning.rules.rule import Rule
from stellwerk.report.findings import rules_markdown

DOCS = Path(__file__).resolve().parents[2] / "docs" / "rules.md"
ON_DATA = "SW410"
WORSE = {("SW607", "SW109")}  # an include that names nothing is a warning (SW109), and at times more than that
STATIC = [rule for rule in ALL_RULES if rule.id != ON_DATA]


@pytest.mark.parametrize("rule", STATIC, ids=lambda rule: rule.id)
def test_the_failing_example_breaks_this_rule_and_no_other(rule: Rule, judge):
    findings = [finding for finding in judge(rule.failing) if (rule.id, finding.rule) not in WORSE]
    assert {finding.rule for finding in findings} == {rule.id}, findings
    assert {finding.severity for finding in findings} == {rule.severity}


@pytest.mark.parametrize("rule", STATIC, ids=lambda rule: rule.id)
def test_the_passing_example_is_a_valid_project_that_keeps_this_rule(rule: Rule, judge):
    findings = judge(rule.passing)
    assert [finding for finding in findings if finding.rule == rule.id or finding.severity is Severity.ERROR] == []


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule.check is not None], ids=lambda rule: rule.id)
def test_every_finding_says_where_and_what_to_do(rule: Rule, judge):
    for finding in judge(rule.failing):
        assert finding.place.path in rule.failing.files
        assert finding.message
        assert finding.hint


def test_ids_are_unique_and_found_in_any_case():
    assert len({rule.id for rule in RULES}) == len(RULES)
    assert all(re.fullmatch(r"SW[1-8]\d\d", rule.id) for rule in RULES)
    assert find_rule("sw204") is find_rule("SW204")


def test_every_rule_explains_itself():
    for rule in RULES:
        assert rule.title
        assert len(rule.explanation) > 40, rule.id


def test_the_documentation_is_what_the_rules_say():
    """Regenerate it with `python docs/render_reference.py`."""
    assert DOCS.read_text() == rules_markdown(ALL_RULES)


def test_only_the_loader_and_the_training_find_what_no_check_finds():
    assert {rule.id for rule in RULES if rule.check is None} == {ON_DATA}


def test_a_leak_is_suspected_in_the_failing_data_and_not_in_the_passing():
    import pandas as pd

    from stellwerk.data.leaks import suspect_leaks

    rule = find_rule(ON_DATA)
    for example, expected in ((rule.failing, ["cancelled"]), (rule.passing, [])):
        frame = pd.concat([pd.read_csv(io.StringIO(example.files["data/customers.csv"]))] * 10)
        features = [
            column for column in ("age", "cancelled") if f"exclude: [{column}]" not in example.files["mlops.yaml"]
        ]
        assert [name for name, _ in suspect_leaks(frame, "churned", features, task="classification")] == expected
