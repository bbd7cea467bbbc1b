"""The rules for notebooks, judged where a model's source is one: a finding lands on its line in the notebook's file."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING

from stellwerk.model.declared import NOTEBOOK
from stellwerk.model.findings import Severity
from stellwerk.notebooks.rules import RULES as NOTEBOOK_RULES
from stellwerk.notebooks.text import ipynb, notebook_of
from stellwerk.planning.rules import notebook_requirements
from stellwerk.planning.rules.rule import Example, Problem, Rule, RuleInput
from stellwerk.planning.sources import UNREADABLE, judge_source

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from stellwerk.model.declared import Json
    from stellwerk.notebooks.rules.rule import NotebookRule

_DECLARED = """\
version: 1
datasets: {{sales: {{path: data/sales.csv}}}}
models:
  demand: {{source: {path}, target: sold, train: {{data: sales, params: {params}}}}}
"""


def _judged(given: RuleInput) -> dict[str, list[Problem]]:
    """Rule -> what breaks it, in all notebooks; each is read once for all rules."""
    kept = given.shared.get("notebooks")
    if isinstance(kept, dict):
        return kept
    found: dict[str, list[Problem]] = {}
    given.shared["notebooks"] = found
    models = [model for model in given.project.models if model.source is not None and model.source.endswith(NOTEBOOK)]
    if given.tree is None or not models:
        return found
    judged = given.observed.notebook_findings if given.observed is not None else {}
    contents = given.tree.read({model.source or "" for model in models if model.name not in judged})
    for model in models:
        source = model.source or ""
        if model.name not in judged and source not in contents:
            continue
        for item in judged[model.name] if model.name in judged else judge_source(model, contents[source]):
            problem = Problem(place=item.place, message=item.message, hint=item.hint)
            found.setdefault(item.rule, []).append(problem)
    return found


def _check(rule: str, given: RuleInput) -> Iterator[Problem]:
    yield from _judged(given).get(rule, ())


def _example(text: str, path: str, params: Mapping[str, Json]) -> Example:
    declared = _DECLARED.format(path=path, params=json.dumps(dict(params)))
    return Example(files={"mlops.yaml": declared, path: ipynb(notebook_of(text, path)).decode()}, whole=True)


def _rule(rule: NotebookRule) -> Rule:
    return Rule(
        id=rule.id,
        title=rule.title,
        severity=rule.severity,
        explanation=rule.explanation,
        failing=_example(rule.failing, rule.failing_path, rule.params),
        passing=_example(rule.passing, "demand.ipynb", rule.params),
        check=partial(_check, rule.id),
    )


_PLAIN = _DECLARED.format(path="demand.ipynb", params="{}")
RULES = (
    Rule(
        id=UNREADABLE,
        title="A notebook is a notebook",
        severity=Severity.ERROR,
        explanation="A `source` that ends in `.ipynb` must be a notebook of format 4 whose cells can be told apart.",
        failing=Example(files={"mlops.yaml": _PLAIN, "demand.ipynb": "{}\n"}, whole=True),
        passing=_example("# %% train\ndef train(frame):\n    return frame.mean()\n", "demand.ipynb", {}),
        check=partial(_check, UNREADABLE),
    ),
    *(_rule(rule) for rule in NOTEBOOK_RULES),
    *notebook_requirements.RULES,
)
