"""The rules a project is held to, one file per family. `declarations.syntax_rules` holds those of the text itself.

To add one: write its `Rule` in the file of its family (or in a file of its own, added to FAMILIES below), with an id
nobody used before, and run the tests: each says what is missing. `docs/rules.md` is written from the rules,
which `catalogue` lists. A project without notebooks does not load the rules for notebooks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stellwerk.model.declared import NOTEBOOK
from stellwerk.planning.rules import (
    classification,
    columns,
    credentials,
    files,
    hosted_runners,
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

if TYPE_CHECKING:
    from types import ModuleType

    from stellwerk.model.findings import Finding
    from stellwerk.planning.rules.rule import RuleInput

FAMILIES: tuple[ModuleType, ...] = (
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
    hosted_runners,
    notebook_outputs,
)


def check_rules(given: RuleInput) -> tuple[Finding, ...]:
    """Everything the project breaks, each mistake once, by place and then by rule."""
    families = FAMILIES
    if any(model.source is not None and model.source.endswith(NOTEBOOK) for model in given.project.models):
        from stellwerk.planning.rules import notebook_sources  # a project without notebooks does not wait for it

        families = (*families, notebook_sources)
    found = {finding for family in families for rule in family.RULES for finding in rule.findings(given)}
    return tuple(sorted(found, key=lambda finding: (finding.place, finding.rule, finding.message)))
