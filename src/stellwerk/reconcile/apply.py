"""Carry out one step."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from stellwerk.model.actions import Check, Deploy, Promote, Render, Retire, Snapshot, Step, Train
from stellwerk.model.views import Done
from stellwerk.reconcile.check import check
from stellwerk.reconcile.release import deploy, promote, retire
from stellwerk.reconcile.render import render
from stellwerk.reconcile.snapshot import take_snapshot
from stellwerk.reconcile.train import train

if TYPE_CHECKING:
    from collections.abc import Callable

    from stellwerk.reconcile.world import State, World


def apply(world: World, state: State, steps: list[Step], on_line: Callable[[str], None]) -> Done:  # noqa: PLR0911
    """One step, or all renders: one commit, or one idempotent outside effect and then its record."""
    step = steps[0]
    match step.action:
        case Render():
            return render(world, state.tree, steps)
        case Snapshot(dataset=name):
            summary, commit = take_snapshot(world, state, state.dataset(name), step.reason, on_line)
            return Done(step=step, summary=summary, commit=commit)
        case Train(model=name):
            return train(world, state, step, state.model(name), on_line)
        case Check() as action:
            return check(world, state, step, action, on_line)
        case Promote() as action:
            return promote(world, state, step, action, on_line)
        case Deploy() as action:
            return deploy(world, state, step, action, on_line)
        case Retire() as action:
            return retire(world, state, step, action)
        case other:
            assert_never(other)
