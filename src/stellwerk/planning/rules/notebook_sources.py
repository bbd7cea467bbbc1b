"""The rules for notebooks, judged where a model's source is one: a finding lands on its line in the notebook's file."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING

from stellwerk.model.declared import NOTEBOOK
from stellwerk.model.findings import Place, Severity
from stellwerk.notebooks.document import NotebookError, read_notebook
from stellwerk.notebooks.places import line_of, source_lines
from stellwerk.notebooks.problems import judge
from stellwerk.notebooks.rules import RULES as NOTEBOOK_RULES
from stellwerk.notebooks.text import ipynb, notebook_of
from stellwerk.planning.rules.rule import Example, Problem, Rule, RuleInput

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from stellwerk.model.declared import Json
    from stellwerk.notebooks.rules.rule import NotebookRule

UNREADABLE = "SW800"
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
    contents = given.tree.read({model.source or "" for model in models})
    for model in models:
        source = model.source or ""
        if source not in contents:
            continue
        try:
            notebook = read_notebook(source, contents[source])
        except NotebookError as error:
            where = f"{error.where}: " if error.where and error.where != source else ""
            problem = Problem(place=Place(path=source), message=f"{where}{error.message}", hint=error.hint or "")
            found.setdefault(UNREADABLE, []).append(problem)
            continue
        lines = source_lines(contents[source].decode("utf-8-sig"))
        for item in judge(notebook, model.train.params if model.train else None):
            line = line_of(lines, item.cell_number, item.line)
            message = f"{item.at}: {item.message}" if item.at else item.message
            place = Place(path=source, line=line)
            found.setdefault(item.rule, []).append(Problem(place=place, message=message, hint=item.hint))
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
)
