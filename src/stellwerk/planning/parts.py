"""What a plan says of each model, kept for the next plan of the same run: most models look the same after a step.

A part is used again where everything that planning that model reads is what it was, and nothing in it came from the
clock. What it reads is listed here, in `start`, `_facts` and `_grounds`: whoever lets the plan of a model read more
adds it there.
"""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

from stellwerk.planning.plan_files import Files
from stellwerk.planning.policy import Route
from stellwerk.render.stage import GENERATED

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from stellwerk.model.actions import Step, Wait
    from stellwerk.model.declared import Model, Project
    from stellwerk.model.observed import ModelFacts, Observed


class Part(Struct, frozen=True, kw_only=True):
    """The plan of one model: its files, and its way through the environments. `timed`: the clock was asked."""

    files: Files
    steps: tuple[Step, ...] = ()
    waits: tuple[Wait, ...] = ()
    timed: bool = False

    @property
    def quiet(self) -> bool:
        """Whether there is nothing to do and nothing waits, whatever the time."""
        return not (self.files.steps or self.files.waits or self.steps or self.waits or self.timed)


class Parts(Struct):
    """The parts of one plan after the other, all of the same scope."""

    _shared: tuple[Any, ...] = ()
    _route: Route | None = None
    _environments: tuple[str, ...] = ()
    _kept: dict[str, _Kept] = field(default_factory=dict)

    def start(self, project: Project, observed: Observed, snapshots: Collection[str]) -> Route:
        """Begin a plan that takes the first snapshot of these datasets. Forgets parts that rest on other ground."""
        shared = (project, observed.erased, observed.removals, frozenset(snapshots))
        if shared != self._shared:
            self._shared = shared
            self._kept.clear()
            self._route = None
            self._environments = tuple(environment.name for environment in project.environments)
        if self._route is None or self._route.metric_code is not observed.metric_code:
            self._route = Route(project, observed.metric_code)
        return self._route

    def part(self, model: Model, observed: Observed, plan: Callable[[Model], Part]) -> Part:
        """The model's part, made by `plan` where the last one does not stand any more."""
        facts, grounds = _facts(model, observed), self._grounds(model, observed)
        kept = self._kept.get(model.name)
        if kept is not None and not kept.part.timed and kept.stands(facts, grounds):
            return kept.part
        made = plan(model)
        self._kept[model.name] = _Kept(facts=facts, grounds=grounds, part=made)
        return made

    def keep_quiet(self, model: Model, observed: Observed, paths: Iterable[str]) -> None:
        """Keep that there is nothing to do for the model, nothing waits, and its files are these."""
        part = Part(files=Files(paths=tuple(paths)))
        self._kept[model.name] = _Kept(facts=_facts(model, observed), grounds=self._grounds(model, observed), part=part)

    def _grounds(self, model: Model, observed: Observed) -> tuple[Any, ...]:
        """What the plan of the model rests on, apart from its facts and from what all models share."""
        names = _names(model)
        return (
            model,
            *(observed.released.get(name) for name in names),
            *(observed.releases.get((place, name)) for place in self._environments for name in names),
            *(observed.branches.get((place, model.name)) for place in self._environments),
            *(observed.generated.get(f"models/{model.name}/{name}") for name in GENERATED),
            *(observed.generated.get(path) for path in observed.modules.get(model.name, ())),
            observed.modules.get(model.name),
            observed.code.get(model.name),
            observed.metric_code.get(model.name),
            observed.pointers.get(model.train.data) if model.train else None,
            observed.threshold_authors.get(model.name),
        )


class _Kept(Struct, frozen=True, kw_only=True):
    """A part, and what it rests on."""

    facts: tuple[ModelFacts | None, ...]
    grounds: tuple[Any, ...]
    part: Part

    def stands(self, facts: tuple[ModelFacts | None, ...], grounds: tuple[Any, ...]) -> bool:
        """Whether it rests on these. Facts are the same objects or others: to compare them is to read them all."""
        return all(map(operator.is_, self.facts, facts)) and self.grounds == grounds


def _names(model: Model) -> tuple[str, ...]:
    """What the model is called and was called."""
    return (model.name, model.previously) if model.previously else (model.name,)


def _facts(model: Model, observed: Observed) -> tuple[ModelFacts | None, ...]:
    return tuple(observed.models.get(name) for name in _names(model))
