"""What a plan consists of: a closed union of actions, the steps that carry them, and the waits.

`version` None means: the version the plan's own training gives birth to.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from stellwerk.model.plan import Plan

__all__ = [
    "Action",
    "Check",
    "Deploy",
    "Plan",
    "Promote",
    "Render",
    "Retire",
    "Snapshot",
    "Step",
    "Train",
    "Wait",
    "WaitKind",
]


class Render(Struct, frozen=True, kw_only=True):
    """Write, update or delete (`text` None) one generated file. `rename_from` moves a record with its history."""

    path: str
    text: str | None
    model: str | None = None
    new: bool = False
    rename_from: str | None = None


class Snapshot(Struct, frozen=True, kw_only=True):
    """Take a new snapshot of a dataset: source, checks, DVC pointer, remote."""

    dataset: str


class Train(Struct, frozen=True, kw_only=True):
    """Give birth to a version. `fingerprint` None: it depends on a snapshot of the same plan."""

    model: str
    fingerprint: str | None


class Check(Struct, frozen=True, kw_only=True):
    """Judge a version in one environment, against `champion` where one is compared."""

    model: str
    environment: str
    version: int | None
    champion: int | None = None


class Promote(Struct, frozen=True, kw_only=True):
    """Set the release of an environment. `back` marks the rollback an `on_violation` asks for."""

    model: str
    environment: str
    version: int | None
    previous: int | None = None
    mode: str = "auto"  # auto | pull-request
    back: bool = False


class Deploy(Struct, frozen=True, kw_only=True):
    """Make the target run what the release says and record it. `withdraw`: the fallback serves instead."""

    model: str
    environment: str
    version: int | None
    previous: int | None = None
    withdraw: bool = False


class Retire(Struct, frozen=True, kw_only=True):
    """Take a model that is no longer declared out of one environment; its registry stays."""

    model: str
    environment: str
    version: int


Action = Render | Snapshot | Train | Check | Promote | Deploy | Retire


class Step(Struct, frozen=True, kw_only=True):
    """One line of a plan. `condition` is '' for certain, else what must pass first, in words.

    `key` names the step (`check:shoe-demand:regression`), `needs` the keys of the steps that must pass before it.
    """

    action: Action
    reason: str
    condition: str = ""
    seconds: float | None = None  # estimated from recorded durations
    key: str = ""
    needs: tuple[str, ...] = ()


class WaitKind(StrEnum):
    """Why something is not happening. `asks` is what a person must give before anything can move."""

    APPROVAL = "approval"
    REJECTED = "rejected"
    PULL_REQUEST = "pull-request"
    MANUAL = "manual"
    SOAK = "soak"
    FREEZE = "freeze"
    HOLD = "hold"
    WITHDRAWN = "withdrawn"
    VERDICT = "verdict"
    TRAINING = "training"
    CONFIRMATION = "confirmation"
    DATA = "data"
    ROUTE = "route"
    EDITED = "edited"
    RENDER = "render"
    RELEASE = "release"


class Wait(Struct, frozen=True, kw_only=True):
    """Something that is not happening, why, and what would meet it. `diff`: how an edited file differs, bounded."""

    kind: WaitKind
    reason: str
    unblock: str
    model: str | None = None
    environment: str | None = None
    version: int | None = None
    diff: str = ""
