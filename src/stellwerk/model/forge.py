"""What the forge is asked to show, and what drifted: read from git and from the world, kept nowhere else."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """One thing that is not as git says. `kind`: file | target | bytes; `unknown`: nobody could tell."""

    kind: str
    subject: str
    detail: str
    unblock: str = ""
    unknown: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What one look for drift found; `environment` None: in the files of the repository."""

    environment: str | None
    commit: str
    drifts: tuple[Drift, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A pull request that is wanted. `merge`: by itself, once its checks pass."""

    branch: str
    base: str
    title: str
    body: str
    merge: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """An issue that is wanted; `people` are accounts."""

    marker: str
    title: str
    body: str
    people: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """Everything the forge should show. Open issues whose marker begins with one of `kinds` are over, if not here."""

    proposals: tuple[Proposal, ...] = ()
    notices: tuple[Notice, ...] = ()
    kinds: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Announced:
    """What was done about one of them; `failed`: the forge refused or was down, the next run tries again."""

    subject: str
    change: str
    url: str = ""
    note: str = ""
    failed: bool = False
