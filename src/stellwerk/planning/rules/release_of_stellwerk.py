"""Which releases of Stellwerk may read a project."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stellwerk import __version__
from stellwerk.model.findings import Severity
from stellwerk.planning.rules.rule import Problem, Rule, RuleInput, declared

if TYPE_CHECKING:
    from collections.abc import Iterator


def _unfit(given: RuleInput) -> Iterator[Problem]:
    wanted = given.project.requires
    if wanted is None:
        return
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        fits = SpecifierSet(wanted).contains(__version__, prereleases=True)
    except InvalidSpecifier:
        yield Problem(
            place=given.place("requires"),
            message=f"'{wanted}' does not say which versions are meant",
            hint="write it as for pip: requires: '>=0.1,<1'",
        )
        return
    if not fits:
        yield Problem(
            place=given.place("requires"),
            message=f"this project asks for stellwerk {wanted}, and this is {__version__}",
            hint=f"install a fitting one: pip install 'stellwerk{wanted}'",
        )


RULES = (
    Rule(
        id="SW216",
        title="Another release of Stellwerk is required",
        severity=Severity.ERROR,
        explanation=(
            "`requires` names the releases that may read the project, as pip writes them. An older or newer one could "
            "misread a declaration, so it does nothing at all."
        ),
        failing=declared("requires: '>=99'"),
        passing=declared("requires: '>=0.1'"),
        check=_unfit,
    ),
)
