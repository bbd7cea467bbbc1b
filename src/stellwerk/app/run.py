"""Run a reconcile from start to end: catch up with the remote, refuse what is stale, retry a lost push."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from msgspec import Struct, field
from msgspec.structs import replace

from stellwerk.adapters.dvc import run_templates
from stellwerk.adapters.git.lock import locked
from stellwerk.app.follow import Follower
from stellwerk.app.race import Contest, Reads, Settled, nothing_read, push_meanwhile, reads_in, settle, take_over
from stellwerk.app.session import Session, bring_up, refuse_uncommitted
from stellwerk.errors import PushLostError, StellwerkError
from stellwerk.planning.parts import Parts
from stellwerk.planning.plan import Scope
from stellwerk.reconcile.loop import reconcile
from stellwerk.reconcile.world import Event

if TYPE_CHECKING:
    from collections.abc import Callable

    from stellwerk.app.workspace import ReconcileRequest, Workspace
    from stellwerk.model.actions import Plan
    from stellwerk.model.views import Done, Outcome
    from stellwerk.reconcile.world import State

PUSH_AFTER = 60.0  # seconds without a push, in a run that goes on


def run_reconcile(workspace: Workspace, request: ReconcileRequest, on_event: Callable[[Event], None]) -> Outcome:
    """Raises PushLostError where the race was lost too often; what was not pushed is on the branch."""
    with run_templates(workspace.root, workspace.environ) as variables:
        return _run(replace(workspace, environ={**workspace.environ, **variables}), request, on_event)


def _run(workspace: Workspace, request: ReconcileRequest, on_event: Callable[[Event], None]) -> Outcome:
    loaded = workspace.loader.work_tree()
    workspace.loader.refuse_mistakes(loaded)
    session = workspace.session(loaded, push=request.push)
    session.writer.finish_sync()  # what a killed run committed and did not write is no change of a person's
    refuse_uncommitted(workspace, loaded)
    if session.writer.tip() is None and session.merges is None:
        raise StellwerkError(
            "there is no commit yet", where=str(workspace.root), hint="git add -A && git commit, then run it again"
        )
    name = session.writer.ref.replace("/", "%")
    with locked(session.writer.notes / f"{name}.lock", patience=0, doing="another reconcile is at work"):
        catch_up(session, reads_in(loaded.state))
        scope = Scope(
            model=request.model,
            environment=request.environment,
            trainings=request.confirm_trainings,
            removals=request.confirm_removals,
            retry=request.retry,
            shard=request.shard,
            portion=request.portion,
        )
        follower = Follower(loader=workspace.loader)
        run = _Run(workspace=workspace, session=session, scope=scope, on_event=on_event, follower=follower)
        if request.plan_text is not None:
            _refuse_stale(request.plan_text, run)
        outcome = run.to_the_end(jobs=request.jobs)
    workspace.cache.flush()
    return outcome


class _Run(Struct, kw_only=True):
    """A reconcile that goes on after lost pushes. `done` is what was done and has not been dropped since."""

    workspace: Workspace
    session: Session
    scope: Scope
    on_event: Callable[[Event], None]
    follower: Follower
    parts: Parts = field(default_factory=Parts)
    contest: Contest = field(default_factory=Contest)
    done: list[Done] = field(default_factory=list)
    state: State | None = None
    pushed: str = ""
    pushed_at: float = field(default_factory=time.monotonic)

    def to_the_end(self, *, jobs: int) -> Outcome:
        """Reconcile until the push goes through. Raises PushLostError when it was lost too often."""
        while True:
            try:
                outcome = reconcile(self.session.world, self.load, self.plan, self.hear, jobs=jobs)
            except PushLostError as lost:
                settled = settle(self.session, lost, self.contest, self._reads())
                self._take(settled)
                kept = "this run's commits were made again" if settled.renamed is not None else "planning again"
                self.on_event(Event(kind="observe", text=f"another run was faster: {kept} on the new state"))
            else:
                return replace(outcome, done=tuple(self.done), pushed=outcome.pushed or self.pushed)

    def load(self, _: str | None) -> State:
        """Observe the tip; commits are made on top of it, or not at all."""
        if self.state is not None and time.monotonic() - self.pushed_at > PUSH_AFTER:
            self._push_meanwhile()
        tip = self.session.writer.tip()
        self.session.writer.seen = tip
        self.state = self.follower.state(tip)
        return self.state

    def plan(self, state: State) -> Plan:
        return self.workspace.plan_of(state, self.scope, self.parts)

    def hear(self, event: Event) -> None:
        if event.done is not None:
            self.done.append(event.done)
        self.on_event(event)

    def _push_meanwhile(self) -> None:
        """Bring to the remote what was done so far: hours of training are not left to the end of the run."""
        self.pushed_at = time.monotonic()
        try:
            settled = push_meanwhile(self.session, self._reads())
        except StellwerkError as error:
            self.on_event(Event(kind="observe", text=f"not pushed yet, the end of the run will: {error.message}"))
            return
        if settled.renamed is not None:
            self._take(settled)
        if settled.pushed:
            self.on_event(Event(kind="push", text=settled.pushed))

    def _take(self, settled: Settled) -> None:
        names = settled.renamed
        known = [] if names is None else self.done
        self.done = [replace(done, commit=(names or {}).get(done.commit or "", done.commit)) for done in known]
        self.pushed = settled.pushed or self.pushed
        self.pushed_at = time.monotonic()

    def _reads(self) -> Reads:
        return reads_in(self.state) if self.state is not None else nothing_read


def catch_up(session: Session, reads: Reads = nothing_read, *, patient: bool = False) -> str | None:
    """Take in what the remote has; the local branch may be ahead, it may not have diverged.

    What a run that was killed had committed and not pushed is carried over, or dropped and done again.
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
            take_over(session, reads).adopt(session)
    return bring_up(session)


def _refuse_stale(text: str, run: _Run) -> None:
    """A plan file is carried out only if planning now gives the same plan."""
    from stellwerk.report.plan_json import plan_from_json

    given = plan_from_json(text)
    now = run.plan(run.load(None))
    if given.steps != now.steps:
        raise StellwerkError(
            f"the plan is stale: it was made at {given.basis[:8] or 'no commit'} and its inputs have changed",
            where="plan",
            hint="make a new one: stellwerk plan --out FILE",
        )
