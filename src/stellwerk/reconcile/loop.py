"""plan -> apply one step -> observe again, until the plan is empty or only waits. Does no more than was planned."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import assert_never

from stellwerk.errors import PushLostError, StellwerkError
from stellwerk.model.actions import Check, Deploy, Plan, Promote, Render, Retire, Snapshot, Step, Train
from stellwerk.model.views import Done, Outcome
from stellwerk.reconcile.check import check
from stellwerk.reconcile.release import deploy, promote, retire
from stellwerk.reconcile.render import render
from stellwerk.reconcile.snapshot import take_snapshot
from stellwerk.reconcile.train import train
from stellwerk.reconcile.world import Event, LoadState, MakePlan, State, World
from stellwerk.report.plan_json import plan_json

OnEvent = Callable[[Event], None]


@dataclass(slots=True)
class _Progress:
    """What a run has tried and what came of it."""

    planned: frozenset[str]
    tried: set[str] = field(default_factory=set)
    done: list[Done] = field(default_factory=list)
    problems: list[tuple[str, str, str]] = field(default_factory=list)


def reconcile(world: World, load: LoadState, plan: MakePlan, on_event: OnEvent) -> Outcome:
    """Carry out the plan of the current state, step by step. Raises PushLostError where the push was lost.

    A step that fails is a problem of its own: steps that do not need it go on.
    """
    state = load(None)
    first = plan(state)
    world = replace(world, actor=replace(world.actor, plan=plan_digest(first)))
    progress = _Progress(planned=frozenset(step.key for step in first.steps))
    on_event(Event(kind="observe", text=f"{len(first.steps)} steps planned"))
    remaining = first
    while True:
        batch = _next(remaining, progress)
        if not batch:
            break
        _carry_out(world, state, batch, progress, on_event)
        state = load(None)
        remaining = plan(state)
    pushed = world.publisher.push()
    if pushed:
        on_event(Event(kind="push", text=pushed))
    return Outcome(
        done=tuple(progress.done),
        problems=tuple(progress.problems),
        remaining=remaining,
        waits=remaining.waits,
        pushed=pushed,
    )


def plan_digest(plan: Plan) -> str:
    """The first 16 hex digits of the SHA-256 of the plan's JSON, as `stellwerk plan --out` writes it."""
    return hashlib.sha256(plan_json(plan).encode()).hexdigest()[:16]


def _next(plan: Plan, progress: _Progress) -> list[Step]:
    """The next step that was planned, needs nothing more and was not tried; all renders go together."""
    ready = [
        step
        for step in plan.steps
        if not step.needs and step.key in progress.planned and step.key not in progress.tried
    ]
    renders = [step for step in ready if isinstance(step.action, Render)]
    return renders or ready[:1]


def _carry_out(world: World, state: State, batch: list[Step], progress: _Progress, on_event: OnEvent) -> None:
    step = batch[0]
    progress.tried.update(item.key for item in batch)
    on_event(Event(kind="start", step=step))
    try:
        done = (
            render(world, state.tree, batch) if isinstance(step.action, Render) else apply(world, state, step, on_event)
        )
    except PushLostError:
        raise
    except StellwerkError as error:
        where = f"{error.where}: " if error.where else ""
        progress.problems.append((step.key, f"{where}{error.message}", error.hint))
        on_event(Event(kind="failed", step=step, text=f"{where}{error.message}"))
        return
    progress.done.append(done)
    on_event(Event(kind="done" if done.passed else "failed", step=step, text=done.summary, done=done))


def apply(world: World, state: State, step: Step, on_event: OnEvent) -> Done:  # noqa: PLR0911 one per action
    """One action: one commit, or one idempotent outside effect and then its record."""

    def on_line(text: str) -> None:
        on_event(Event(kind="line", step=step, text=text))

    match step.action:
        case Render():
            return render(world, state.tree, [step])
        case Snapshot(dataset=name):
            summary, commit = take_snapshot(world, state, state.dataset(name), step.reason, on_line)
            return Done(step=step, summary=summary, commit=commit)
        case Train(model=name):
            return train(world, state, step, state.model(name), on_line)
        case Check() as action:
            return check(world, state, step, action, on_line)
        case Promote() as action:
            return promote(world, state, step, action)
        case Deploy() as action:
            return deploy(world, state, step, action, on_line)
        case Retire() as action:
            return retire(world, state, step, action)
        case other:
            assert_never(other)
