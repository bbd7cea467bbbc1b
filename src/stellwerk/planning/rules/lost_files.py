"""An `include` that suddenly names nothing, while what its files may have declared is still there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stellwerk.declarations.include import glob_expression
from stellwerk.declarations.values import texts
from stellwerk.model.findings import Severity
from stellwerk.model.observed import GeneratedFile, Observed
from stellwerk.planning.rules.rule import Example, Problem, Rule, RuleInput, declared

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMED = 3


def _lost(given: RuleInput) -> Iterator[Problem]:
    if given.observed is None or given.tree is None:
        return
    patterns = given.declarations.value.get("include")
    gone = _gone(given, given.observed) if patterns else []
    for number, pattern in enumerate(texts(patterns) if gone else ()):
        expression = glob_expression(pattern)
        if not any(expression.match(path) for path in given.tree.blobs()):
            named = ", ".join(f"'{name}'" for name in gone[:NAMED]) + (" and others" if gone[NAMED:] else "")
            yield Problem(
                place=given.place(*(("include", number) if isinstance(patterns, list) else ("include",))),
                message=f"this names no file, and {named} {'is' if len(gone) == 1 else 'are'} no longer declared",
                hint="bring the files back; or, if the models are to be retired, delete this pattern as well",
            )


def _gone(given: RuleInput, observed: Observed) -> list[str]:
    """The models that are released or rendered and neither declared nor renamed, sorted."""
    there = {model for _, model in observed.releases} | {path.split("/")[1] for path in observed.generated}
    return sorted(there - given.models.keys() - {model.previously for model in given.project.models})


_DATA = "datasets: {customers: {path: data/customers.csv}}"
_MODEL = "version: 1\nmodels: {churn: {source: churn.py, target: churned, train: {data: customers}}}\n"
_FILES = declared(f"{_DATA}\ninclude: [models/*/model.yaml]").files
_OBSERVED = Observed(generated={"models/churn/dvc.yaml": GeneratedFile(sha256="0" * 64, state="ours")})

RULES = (
    Rule(
        id="SW607",
        title="include that names nothing, while models are missing",
        severity=Severity.ERROR,
        explanation="Where an `include` names no file any more, and models that are released or rendered are no longer"
        " declared, the files were lost: by a merge, or by a wrong path. Nothing is retired because of that.",
        failing=Example(
            files=_FILES,
            observed=_OBSERVED,
            whole=True,
            note="models/churn/dvc.yaml was rendered for what models/churn/model.yaml declared",
        ),
        passing=Example(
            files={**_FILES, "models/churn/model.yaml": _MODEL, "churn.py": "", "data/customers.csv.dvc": ""},
            observed=_OBSERVED,
        ),
        check=_lost,
    ),
)
