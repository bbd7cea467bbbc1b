"""What a run has tried and what came of it; every entry is an event as well."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct, field

from stellwerk.reconcile.world import Event

if TYPE_CHECKING:
    from collections.abc import Callable

    from stellwerk.model.actions import Plan, Step
    from stellwerk.model.views import Done


class Journal(Struct, kw_only=True):
    """`planned` are the keys of the steps that were planned when the run started: it does no others."""

    planned: frozenset[str]
    on_event: Callable[[Event], None]
    tried: set[str] = field(default_factory=set)
    done: list[Done] = field(default_factory=list)
    problems: list[tuple[str, str, str]] = field(default_factory=list)

    def ready(self, plan: Plan) -> list[Step]:
        """The steps that were planned, need nothing more and were not tried, in the plan's order."""
        return [
            step for step in plan.steps if not step.needs and step.key in self.planned and step.key not in self.tried
        ]

    def start(self, steps: list[Step]) -> None:
        """Begin one step, or several that are carried out as one."""
        self.tried.update(step.key for step in steps)
        self.on_event(Event(kind="start", step=steps[0]))

    def line(self, step: Step, text: str) -> None:
        """Note a line of output."""
        self.on_event(Event(kind="line", step=step, text=text))

    def finish(self, step: Step, done: Done) -> None:
        """Note a step that was carried out, well or not."""
        self.done.append(done)
        self.on_event(Event(kind="done" if done.passed else "failed", step=step, text=done.summary, done=done))

    def fail(self, step: Step, *, where: str, message: str, hint: str) -> None:
        """Note a step that could not be carried out."""
        text = f"{where}: {message}" if where else message
        self.problems.append((step.key, text, hint))
        self.on_event(Event(kind="failed", step=step, text=text))
