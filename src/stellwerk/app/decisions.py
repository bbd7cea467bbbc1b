"""People's decisions: load the committed state, decide, commit, push, and carry out what must not wait."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from msgspec.structs import replace

from stellwerk.app.race import Contest, reads_in, settle
from stellwerk.app.run import catch_up
from stellwerk.errors import PushLostError, StellwerkError
from stellwerk.model.actions import Deploy, Plan
from stellwerk.model.views import Decision, Taken
from stellwerk.planning.due import Asked, due_snapshots
from stellwerk.planning.plan import Scope
from stellwerk.reconcile import decide
from stellwerk.reconcile.loop import reconcile
from stellwerk.reconcile.snapshot import take_snapshot
from stellwerk.reconcile.world import Event, State, World

if TYPE_CHECKING:
    from stellwerk.app.session import Session
    from stellwerk.app.workspace import Workspace

Decide = Callable[[World, State], Decision]


def decide_and_push(
    workspace: Workspace, make: Decide, *, push: bool | None, patient: bool = True
) -> tuple[Decision, Session]:
    """Decide on the newest committed state and push the commit. `patient`: an unreachable remote is no error."""
    loaded = workspace.loader.work_tree()
    workspace.loader.refuse_mistakes(loaded)
    session = workspace.session(loaded, push=push)
    catch_up(session, reads_in(loaded.state), patient=patient)
    contest, decision = Contest(), None
    while decision is None:
        decision = _try_to_decide(workspace, session, make, contest)
    session.writer.seen = None
    workspace.cache.flush()
    return decision, session


def _try_to_decide(workspace: Workspace, session: Session, make: Decide, contest: Contest) -> Decision | None:
    """Decide, commit and push; None where that was lost to another run and must be decided on what is there now."""
    session.writer.seen = session.writer.tip()
    state, decision = workspace.loader.commit(session.writer.seen).state, None
    try:
        decision = make(session.world, state)
        return replace(decision, pushed=bool(session.publisher.push()))
    except PushLostError as lost:
        settled = settle(session, lost, contest, reads_in(state))
    if decision is None or settled.renamed is None:
        return None
    commit = settled.renamed.get(decision.commit or "", decision.commit)
    return replace(decision, commit=commit, pushed=bool(settled.pushed))


def _deploy_now(workspace: Workspace, session: Session, model: str, environment: str, decision: Decision) -> Decision:
    """Carry out the deployment a rollback or a withdrawal asks for, without waiting for the next run."""

    def load(_: str | None) -> State:
        return workspace.loader.commit(session.writer.tip()).state

    def plan(state: State) -> Plan:
        whole = workspace.plan_of(state, Scope(model=model, environment=environment))
        return replace(whole, steps=tuple(step for step in whole.steps if isinstance(step.action, Deploy)))

    def quiet(_: Event) -> None:
        return None

    outcome = reconcile(session.world, load, plan, quiet)
    for _, problem, hint in outcome.problems:
        raise StellwerkError(
            f"the decision stands ({decision.summary}, commit {(decision.commit or '')[:7]}), but the target did not "
            f"follow: {problem}",
            where=environment,
            hint=f"{hint + '; ' if hint else ''}stellwerk reconcile tries again",
        )
    words = tuple(done.summary for done in outcome.done)
    return replace(decision, pushed=decision.pushed or bool(outcome.pushed), then=words or ("nothing to deploy",))


def snapshot(workspace: Workspace, dataset: str, *, because: str, push: bool | None, patient: bool = True) -> Decision:
    """Take a new snapshot of a dataset now."""

    def make(world: World, state: State) -> Decision:
        summary, commit = take_snapshot(world, state, state.dataset(dataset), because, lambda _: None)
        return Decision(
            summary=summary, commit=commit, pushed=False, next="stellwerk plan" if commit else "nothing to do"
        )

    return decide_and_push(workspace, make, push=push, patient=patient)[0]


def snapshot_due(workspace: Workspace, asked: Asked, *, push: bool | None) -> Iterator[Taken]:
    """Take each snapshot that is due, one after the other; what fails is told, and the others are taken.

    Raises StellwerkError where what is asked for is unknown, before anything is taken.
    """
    loaded = workspace.loader.work_tree()
    workspace.loader.refuse_mistakes(loaded)
    for due in due_snapshots(loaded.state.project, asked):
        try:
            decision = snapshot(workspace, due.dataset, because=due.because, push=push, patient=False)
        except StellwerkError as error:
            yield Taken(dataset=due.dataset, because=due.because, problem=(error.message, error.hint))
        else:
            yield Taken(dataset=due.dataset, because=due.because, decision=decision)


def promote(workspace: Workspace, model: str, environment: str, *, version: int | None, push: bool | None) -> Decision:
    """Promote a version by hand; raises BlockedError where a gate is closed."""

    def make(world: World, state: State) -> Decision:
        subject = decide.find_subject(state, model, environment)
        return decide.promote_by_hand(world, state, subject, decide.wanted_version(state, subject, version))

    return decide_and_push(workspace, make, push=push)[0]


def approve(
    workspace: Workspace,
    model: str,
    environment: str,
    *,
    version: int | None,
    because: str | None,
    reject: bool,
    by: str | None,
    push: bool | None,
) -> Decision:
    """Approve or reject a version for an environment."""

    def make(world: World, state: State) -> Decision:
        subject = decide.find_subject(state, model, environment)
        wanted = decide.wanted_version(state, subject, version)
        return decide.approve(world, state, subject, wanted, by=by, because=because, reject=reject)

    return decide_and_push(workspace, make, push=push)[0]


def hold(
    workspace: Workspace,
    model: str,
    environment: str,
    *,
    because: str,
    until: str | None,
    end: bool,
    push: bool | None,
) -> Decision:
    """Hold a release, or end a hold."""

    def make(world: World, state: State) -> Decision:
        subject = decide.find_subject(state, model, environment)
        return decide.hold(world, state, subject, because=because, until=until, end=end)

    return decide_and_push(workspace, make, push=push)[0]


def rollback(
    workspace: Workspace,
    model: str,
    environment: str,
    *,
    because: str,
    version: int | None,
    until: str | None,
    push: bool | None,
) -> Decision:
    """Go back to an older version and deploy it at once."""

    def make(world: World, state: State) -> Decision:
        subject = decide.find_subject(state, model, environment)
        return decide.rollback(world, state, subject, because=because, version=version, until=until)

    decision, session = decide_and_push(workspace, make, push=push)
    return _deploy_now(workspace, session, model, environment, decision)


def withdraw(workspace: Workspace, model: str, environment: str, *, because: str, push: bool | None) -> Decision:
    """Let the fallback serve, at once."""

    def make(world: World, state: State) -> Decision:
        return decide.withdraw(world, state, decide.find_subject(state, model, environment), because=because)

    decision, session = decide_and_push(workspace, make, push=push)
    return _deploy_now(workspace, session, model, environment, decision)
