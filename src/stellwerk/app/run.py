"""Run a reconcile from start to end: catch up with the remote, refuse what is stale, retry a lost push."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

from stellwerk.app.session import Session, bring_up, refuse_uncommitted
from stellwerk.errors import PushLostError, StellwerkError
from stellwerk.planning.plan import Scope
from stellwerk.reconcile.loop import reconcile
from stellwerk.reconcile.world import Event

if TYPE_CHECKING:
    from collections.abc import Callable

    from stellwerk.app.workspace import ReconcileRequest, Workspace
    from stellwerk.model.actions import Plan
    from stellwerk.model.views import Outcome
    from stellwerk.reconcile.world import State

ATTEMPTS = 6
BACKOFF = 0.2  # seconds, doubled with each lost push and jittered


def run_reconcile(workspace: Workspace, request: ReconcileRequest, on_event: Callable[[Event], None]) -> Outcome:
    """Raises PushLostError when every attempt lost the race; the remote then holds nothing of this run."""
    loaded = workspace.loader.work_tree()
    workspace.loader.refuse_mistakes(loaded)
    session = workspace.session(loaded, push=request.push)
    refuse_uncommitted(workspace, loaded)
    if session.writer.tip() is None and session.merges is None:
        raise StellwerkError(
            "there is no commit yet", where=str(workspace.root), hint="git add -A && git commit, then run it again"
        )
    start = catch_up(session)
    scope = Scope(
        model=request.model,
        environment=request.environment,
        trainings=request.confirm_trainings,
        removals=request.confirm_removals,
        retry=request.retry,
        shard=request.shard,
    )
    if request.plan_text is not None:
        _refuse_stale(workspace, request.plan_text, start, scope)

    def load(_: str | None) -> State:
        return workspace.loader.commit(session.writer.tip()).state

    def plan(state: State) -> Plan:
        return workspace.plan_of(state, scope)

    for attempt in range(ATTEMPTS):
        try:
            outcome = reconcile(session.world, load, plan, on_event, jobs=request.jobs)
        except PushLostError as lost:
            _start_over(session, start, lost)
            on_event(Event(kind="observe", text="another run was faster: planning again on the new state"))
            if attempt + 1 == ATTEMPTS:
                raise
            time.sleep(random.uniform(0.5, 1.5) * BACKOFF * 2**attempt)  # noqa: S311 jitter, no secret
            start = catch_up(session)
        else:
            workspace.cache.flush()
            return outcome
    raise AssertionError("unreachable")


def catch_up(session: Session, *, patient: bool = False) -> str | None:
    """Take in what the remote has; the local branch may be ahead, it may not have diverged.

    `patient`: an unreachable remote is no error (a person's decision must work with everything else down).
    """
    session.writer.finish_sync()
    try:
        there = session.publisher.fetch()
    except StellwerkError:
        if not patient:
            raise
        session.publisher.remote = None
        return bring_up(session)
    tip, reader = session.writer.tip(), session.writer.reader
    if there is not None and there != tip:
        if tip is None or reader.ancestor(tip, there):
            session.writer.reset(there, drop=tip or "")
        elif not reader.ancestor(there, tip):
            if _own_commits(session, tip, there):
                raise _diverged(session)
            session.writer.reset(there, drop=tip)
    return bring_up(session)


def _own_commits(session: Session, tip: str, there: str) -> bool:
    """Whether the tip has commits that the remote lacks; merges of the branch into the records can be made again."""
    branch = ["--no-merges", f"^{session.merges}"] if session.merges is not None else []
    return bool(session.writer.reader.text("rev-list", "--max-count=1", *branch, tip, f"^{there}"))


def _diverged(session: Session) -> PushLostError:
    name = session.writer.ref.removeprefix("refs/heads/")
    hint = "git pull --rebase, then run it again"
    if session.merges is not None:
        there = f"{session.publisher.remote}/{name}"
        hint = f"git branch -f {name} {there} takes the remote's and drops the records that were never pushed"
    return PushLostError("this branch and the remote's have diverged", where=name, hint=hint)


def _start_over(session: Session, start: str | None, lost: PushLostError) -> None:
    """Drop this run's own commits; artifacts stay in the cache, so a training is not repeated."""
    there = session.publisher.fetch()
    tip = session.writer.tip()
    if there is None or tip is None:
        raise lost
    if start is not None and _own_commits(session, start, there):
        raise PushLostError(
            f"{lost.message}, and your branch has commits of its own",
            where=lost.where,
            hint="git pull --rebase, then run it again",
        ) from lost
    session.writer.reset(there, drop=tip)


def _refuse_stale(workspace: Workspace, text: str, tip: str | None, scope: Scope) -> None:
    """A plan file is carried out only if planning now gives the same plan."""
    from stellwerk.report.plan_json import plan_from_json

    given = plan_from_json(text)
    now = workspace.plan_of(workspace.loader.commit(tip).state, scope)
    if given.steps != now.steps:
        raise StellwerkError(
            f"the plan is stale: it was made at {given.basis[:8] or 'no commit'} and its inputs have changed",
            where="plan",
            hint="make a new one: stellwerk plan --out FILE",
        )
