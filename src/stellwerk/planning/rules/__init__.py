"""The rules a project is held to, one file per family. `declarations.syntax_rules` holds those of the text itself.

To add one: write its `Rule` in the file of its family (or in a file of its own, added to FAMILIES below), with an id
nobody used before, and run the tests: each says what is missing. `docs/rules.md` is written from the rules.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stellwerk.declarations.syntax_rules import SYNTAX_RULES
from stellwerk.errors import UsageError
from stellwerk.model.findings import Severity
from stellwerk.planning.rules import (
    classification,
    columns,
    credentials,
    files,
    loosened,
    lost_files,
    names,
    notebook_outputs,
    paths,
    people,
    pinned_install,
    release_of_stellwerk,
    releases,
    retraining,
    route,
    thresholds,
)
from stellwerk.planning.rules.nearest import ValidNames
from stellwerk.planning.rules.rule import Example, Rule

if TYPE_CHECKING:
    from stellwerk.model.findings import Finding
    from stellwerk.planning.rules.rule import RuleInput

FAMILIES = (
    names,
    columns,
    paths,
    files,
    release_of_stellwerk,
    pinned_install,
    route,
    classification,
    people,
    thresholds,
    loosened,
    credentials,
    releases,
    lost_files,
    retraining,
    notebook_outputs,
)
RULES: tuple[Rule, ...] = tuple(
    sorted((rule for family in FAMILIES for rule in family.RULES), key=lambda rule: rule.id)
)

ALL_RULES: tuple[Rule, ...] = (
    *(
        Rule(
            id=rule.id,
            title=rule.title,
            severity=Severity.ERROR,
            explanation=rule.explanation,
            failing=Example(files=rule.failing),
            passing=Example(files=rule.passing),
        )
        for rule in SYNTAX_RULES
    ),
    *RULES,
)


def check_rules(given: RuleInput) -> tuple[Finding, ...]:
    """Everything the project breaks, each mistake once, by place and then by rule."""
    found = {finding for rule in RULES for finding in rule.findings(given)}
    return tuple(sorted(found, key=lambda finding: (finding.place, finding.rule, finding.message)))


def find_rule(rule_id: str) -> Rule:
    """The rule of that id, whatever its case. Raises UsageError where there is none."""
    rules = {rule.id: rule for rule in ALL_RULES}
    wanted = rule_id.strip().upper()
    if wanted not in rules:
        raise UsageError(f"there is no rule '{rule_id}'", hint=ValidNames(rules).hint(wanted))
    return rules[wanted]
