"""The pipelines of a project: ci, cd, ct and drift. One file each; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stellwerk.render.pipelines.cd import delivery
from stellwerk.render.pipelines.ci import integration
from stellwerk.render.pipelines.ct import training
from stellwerk.render.pipelines.drift import drift

if TYPE_CHECKING:
    from stellwerk.render.pipeline import Pipeline
    from stellwerk.render.pipelines.facts import Facts


def pipelines(facts: Facts) -> tuple[Pipeline, ...]:
    """Every pipeline that the declarations ask for, in the order of their files' names."""
    found = (delivery(facts), integration(facts), training(facts), drift(facts))
    return tuple(pipeline for pipeline in found if pipeline is not None)
