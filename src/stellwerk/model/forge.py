"""What the forge is asked to show, and what drifted: read from git and from the world, kept nowhere else."""

from __future__ import annotations

from msgspec import Struct


class Drift(Struct, frozen=True, kw_only=True):
    """One thing that is not as git says. `kind`: file | target | bytes; `unknown`: nobody could tell."""

    kind: str
    subject: str
    detail: str
    unblock: str = ""
    unknown: bool = False


class Look(Struct, frozen=True, kw_only=True):
    """What one look for drift found; `environment` None: in the files of the repository."""

    environment: str | None
    commit: str
    drifts: tuple[Drift, ...] = ()


class Proposal(Struct, frozen=True, kw_only=True):
    """A pull request that is wanted. `merge`: by itself, once its checks pass."""

    branch: str
    base: str
    title: str
    body: str
    merge: bool = False


class Notice(Struct, frozen=True, kw_only=True):
    """An issue that is wanted; `people` are accounts."""

    marker: str
    title: str
    body: str
    people: tuple[str, ...] = ()


class Announcement(Struct, frozen=True, kw_only=True):
    """Everything the forge should show. Open issues whose marker begins with one of `kinds` are over, if not here."""

    proposals: tuple[Proposal, ...] = ()
    notices: tuple[Notice, ...] = ()
    kinds: tuple[str, ...] = ()


class Announced(Struct, frozen=True, kw_only=True):
    """What was done about one of them; `failed`: the forge refused or was down, the next run tries again."""

    subject: str
    change: str
    url: str = ""
    note: str = ""
    failed: bool = False
