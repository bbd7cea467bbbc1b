"""What commands answer with: plain data that `report` turns into text, JSON or Markdown."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from stellwerk.model.actions import Plan, Render, Step, Wait
from stellwerk.model.declared import Json
from stellwerk.model.records import Approval, Verdict, VersionRecord


class Health(StrEnum):
    """How a release stands in one environment."""

    NONE = "none"  # nothing is released here
    CHECKED = "checked"  # no release here; a passing verdict admits the candidate further
    HEALTHY = "healthy"
    PENDING = "pending"  # released, not deployed yet
    VIOLATED = "violated"  # the verdict of what runs is failed
    HELD = "held"
    WITHDRAWN = "withdrawn"
    FAILED = "failed"  # the candidate's verdict is failed, or its training failed


class StatusRow(Struct, frozen=True, kw_only=True):
    """One cell of models × environments. `waits` says in words what the cell waits for."""

    model: str
    environment: str
    version: int | None
    candidate: int | None
    health: Health
    waits: tuple[str, ...] = ()
    live: str | None = None  # what a probe saw, with --live


class Absence(Struct, frozen=True, kw_only=True):
    """Bytes that a version in use needs and that are not there. `state`: missing | unknown | erased | removed.

    `remote` None: DVC's default. `note` says why, or why nobody can tell.
    """

    model: str
    version: int
    kind: str  # package | data
    md5: str
    remote: str | None
    state: str
    note: str


class Status(Struct, frozen=True, kw_only=True):
    """`datasets` and `models` list name -> snapshot or current version, for projects without environments."""

    basis: str
    environments: tuple[str, ...]
    rows: tuple[StatusRow, ...]
    models: tuple[tuple[str, int | None, str], ...]  # (model, candidate or newest version, note)
    datasets: tuple[tuple[str, str | None], ...]  # (dataset, md5 of its snapshot)
    absent: tuple[Absence, ...] = ()  # what records say is gone; with --live also what the remotes lack


class Condition(Struct, frozen=True, kw_only=True):
    """One condition of a model's way into an environment, met or not, and what would meet it."""

    text: str
    met: bool
    unblock: str = ""


class Explanation(Struct, frozen=True, kw_only=True):
    """`why MODEL [ENVIRONMENT]`: every condition, in the order they are asked."""

    model: str
    environment: str
    version: int | None
    released: int | None
    conditions: tuple[Condition, ...]
    verdict: Verdict | None = None
    next_steps: tuple[Step, ...] = ()


class HistoryEntry(Struct, frozen=True, kw_only=True):
    """One commit about a model, newest first; read from git, trailers and files."""

    commit: str
    at: str
    author: str
    action: str
    summary: str
    body: str = ""


class Change(Struct, frozen=True, kw_only=True):
    """One difference between two versions.

    `part` is data | params | code | requirements | metrics | holdout | other.
    """

    part: str
    name: str
    old: Json
    new: Json


class VersionDiff(Struct, frozen=True, kw_only=True):
    model: str
    left: VersionRecord
    right: VersionRecord
    changes: tuple[Change, ...]
    code: str = ""  # unified diff of the code files, where both commits are at hand


class Rendered(Struct, frozen=True, kw_only=True):
    """The answer of `render`: what was (or, only checked, would be) written or deleted, and what is left alone.

    `gaps`: lines that say what the CI service whose files were written cannot do.
    """

    renders: tuple[Render, ...] = ()
    left: tuple[Wait, ...] = ()
    gaps: tuple[str, ...] = ()


class Decision(Struct, frozen=True, kw_only=True):
    """The answer of `approve`, `reject`, `hold`, `rollback`, `withdraw`, `promote`, `snapshot`."""

    summary: str
    commit: str | None
    pushed: bool
    paths: tuple[str, ...] = ()
    approval: Approval | None = None
    then: tuple[str, ...] = ()  # what was carried out at once because of it
    next: str = ""


class Taken(Struct, frozen=True, kw_only=True):
    """A dataset that was due: the decision, or (message, hint) of why there is none."""

    dataset: str
    because: str
    decision: Decision | None = None
    problem: tuple[str, str] = ("", "")


class Done(Struct, frozen=True, kw_only=True):
    """A step that was carried out: its one-line summary, and the commit it became (None: changed nothing)."""

    step: Step
    summary: str
    commit: str | None
    passed: bool = True
    detail: str = ""


class Outcome(Struct, frozen=True, kw_only=True):
    """What one reconcile did. `problems` are operations that failed: (what, message, hint)."""

    done: tuple[Done, ...]
    problems: tuple[tuple[str, str, str], ...]
    remaining: Plan
    waits: tuple[Wait, ...] = ()
    pushed: str = ""  # '' nothing to push; else where to, in words
