"""Holds a notebook to the rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stellwerk.notebooks.flow import study
from stellwerk.notebooks.problem import Problem
from stellwerk.notebooks.rules import RULES
from stellwerk.notebooks.rules.rule import Judged

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stellwerk.model.declared import Json
    from stellwerk.notebooks.document import Notebook
    from stellwerk.notebooks.flow import Study


def judge(notebook: Notebook, params: Mapping[str, Json] | None = None) -> tuple[Problem, ...]:
    """Everything the notebook breaks, by place and then by rule.

    `params` are the declared `train.params`; None leaves out the rules that compare the two.
    """
    return judge_study(study(notebook), params)


def judge_study(taken: Study, params: Mapping[str, Json] | None = None) -> tuple[Problem, ...]:
    """As `judge`, of a notebook that was taken apart before."""
    judged = Judged(study=taken, params=params)
    ids = {cell.number: cell.id for cell in taken.notebook.cells}
    found = {
        Problem(
            rule=rule.id,
            severity=rule.severity,
            cell_number=fault.cell,
            cell_id=ids.get(fault.cell, ""),
            line=fault.line,
            column=fault.column,
            message=fault.message,
            hint=fault.hint,
        )
        for rule in RULES
        for fault in rule.check(judged)
    }
    return tuple(sorted(found, key=_by_place))


def _by_place(problem: Problem) -> tuple[int, int, int, str, str]:
    return problem.cell_number, problem.line, problem.column, problem.rule, problem.message
