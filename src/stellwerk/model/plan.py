"""A plan. Most are empty, so what they may consist of is in `actions`, which takes longer to import."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from stellwerk.model.actions import Step, Wait


class Plan(Struct, frozen=True, kw_only=True):
    """What reconcile would do, in order, and what waits. Same input, same bytes."""

    basis: str
    steps: tuple[Step, ...] = ()
    waits: tuple[Wait, ...] = ()
