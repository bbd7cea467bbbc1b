"""A plan. Most are empty, so what they may consist of is in `actions`, which takes longer to import."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stellwerk.model.actions import Step, Wait


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What reconcile would do, in order, and what waits. Same input, same bytes."""

    basis: str
    steps: tuple[Step, ...] = ()
    waits: tuple[Wait, ...] = ()
