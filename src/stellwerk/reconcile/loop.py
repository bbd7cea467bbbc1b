"""plan -> apply -> observe again, until the plan is empty or only waits. Does no more than was planned."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from stellwerk.errors import PushLostError, StellwerkError
from stellwerk.model.actions import Plan, Render
from stellwerk.model.views import Outcome
from stellwerk.reconcile.apply import apply
from stellwerk.reconcile.journal import Journal
from stellwerk.reconcile.world import Event, LoadState, MakePlan, State, World
from stellwerk.report.plan_json import plan_json

if TYPE_CHECKING:
    from stellwerk.model.actions import Step

OnEvent = Callable[[Event], None]


class Run(Struct, frozen=True, kw_only=True):
    """A reconcile at work: the world it acts in, how it observes and plans, and what it has done."""

    world: World
    load: LoadState
    plan: MakePlan
    journal: Journal

    def look(self) -> tuple[State, Plan]:
        """What is there now, and what remains to be done."""
        state = self.load(None)
        return state, self.plan(state)


def reconcile(world: World, load: LoadState, plan: MakePlan, on_event: OnEvent, *, jobs: int = 1) -> Outcome:
    """Carry out the plan of the current state, up to `jobs` steps at once. PushLostError where the push was lost.

    A step that fails is a problem of its own: steps that do not need it go on.
    """
    state = load(None)
    first = plan(state)
    world = replace(world, actor=replace(world.actor, plan=plan_digest(first)))
    journal = Journal(planned=frozenset(step.key for step in first.steps), on_event=on_event)
    on_event(Event(kind="observe", text=f"{len(first.steps)} steps planned"))
    run = Run(world=world, load=load, plan=plan, journal=journal)
    if jobs == 1:
        remaining = _work_alone(run, state, first)
    else:
        from stellwerk.reconcile.together import work_together

        remaining = work_together(run, state, first, jobs=jobs)
    pushed = world.publisher.push()
    if pushed:
        on_event(Event(kind="push", text=pushed))
    return Outcome(
        done=tuple(journal.done),
        problems=tuple(journal.problems),
        remaining=remaining,
        waits=remaining.waits,
        pushed=pushed,
    )


def plan_digest(plan: Plan) -> str:
    """The first 16 hex digits of the SHA-256 of the plan's JSON, as `stellwerk plan --out` writes it."""
    return hashlib.sha256(plan_json(plan).encode()).hexdigest()[:16]


def _work_alone(run: Run, state: State, plan: Plan) -> Plan:
    """One step after the other, in the plan's order; returns what remains."""
    while batch := next_batch(run.journal.ready(plan)):
        carry_out(run, state, batch)
        state, plan = run.look()
    return plan


def next_batch(ready: list[Step]) -> list[Step]:
    """The steps to be carried out next as one: all renders go together."""
    renders = [step for step in ready if isinstance(step.action, Render)]
    return renders or ready[:1]


def carry_out(run: Run, state: State, batch: list[Step]) -> None:
    """Carry out a batch here and now."""
    step, journal = batch[0], run.journal
    journal.start(batch)
    try:
        done = apply(run.world, state, batch, lambda text: journal.line(step, text))
    except PushLostError:
        raise
    except StellwerkError as error:
        journal.fail(step, where=error.where, message=error.message, hint=error.hint)
    else:
        journal.finish(step, done)
