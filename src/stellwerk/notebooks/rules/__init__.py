"""The rules a notebook is held to, one file per idea.

To add one: write its `NotebookRule` in the file of its idea (or in a new one, added to FAMILIES), with an id nobody
used before, and run the tests: each says what is missing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stellwerk.notebooks.rules import cells, contract, names, order, parameters, running

if TYPE_CHECKING:
    from stellwerk.notebooks.rules.rule import NotebookRule

FAMILIES = (names, order, contract, running, cells, parameters)
RULES: tuple[NotebookRule, ...] = tuple(
    sorted((rule for family in FAMILIES for rule in family.RULES), key=lambda rule: rule.id)
)
