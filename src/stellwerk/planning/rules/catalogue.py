"""Every rule there is, for those who explain and list them."""

from __future__ import annotations

from stellwerk.declarations.syntax_rules import SYNTAX_RULES
from stellwerk.errors import UsageError
from stellwerk.model.findings import Severity
from stellwerk.planning.rules import FAMILIES, notebook_sources
from stellwerk.planning.rules.nearest import ValidNames
from stellwerk.planning.rules.rule import Example, Rule

RULES: tuple[Rule, ...] = tuple(
    sorted((rule for family in (*FAMILIES, notebook_sources) for rule in family.RULES), key=lambda rule: rule.id)
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


def find_rule(rule_id: str) -> Rule:
    """The rule of that id, whatever its case. Raises UsageError where there is none."""
    rules = {rule.id: rule for rule in ALL_RULES}
    wanted = rule_id.strip().upper()
    if wanted not in rules:
        raise UsageError(f"there is no rule '{rule_id}'", hint=ValidNames(rules).hint(wanted))
    return rules[wanted]
