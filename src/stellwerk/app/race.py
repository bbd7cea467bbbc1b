"""What to do when a push is lost: wait a little, take in what won, keep what still stands, try again; give up in words.

No run knows of the others and nothing counts them: each pauses at random, from its first loss on.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from stellwerk.adapters.git.remote import PROMOTIONS
from stellwerk.adapters.git.replay import commits_since, replay
from stellwerk.app.session import Session, bring_up
from stellwerk.errors import PushLostError
from stellwerk.planning.carry import may_carry, owners, read_by

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from stellwerk.adapters.git.replay import OwnCommit
    from stellwerk.reconcile.world import State

ATTEMPTS = 200
PATIENCE = 600.0  # seconds from the first loss to giving up
SHORTEST, LONGEST = 0.1, 1.6  # seconds: the windows a pause is drawn from
EAGER = 5  # losses after which the windows become shorter again, so that nobody starves
NAMED = 20  # commits that a failure names

Reads = Callable[["Iterable[str]", "Iterable[str]"], frozenset[str]]


@dataclass(slots=True, kw_only=True)
class Contest:
    """One run's losses since its last push that went through."""

    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    dice: random.Random = field(default_factory=random.Random)  # noqa: S311 jitter, no secret
    losses: int = 0
    since: float = 0.0

    def lose(self, session: Session, lost: PushLostError) -> None:
        """Pause. Raises PushLostError that names what was not pushed when there were losses enough."""
        now = self.clock()
        self.since = self.since if self.losses else now
        self.losses += 1
        if self.losses >= ATTEMPTS or now - self.since > PATIENCE:
            raise PushLostError(
                f"{lost.message}; {self.losses} pushes in {now - self.since:.0f} s were lost.{_left(session)}",
                where=lost.where,
                hint="run it again: what is listed is on this branch and goes on from there; nothing of it was pushed",
            ) from lost
        self.sleep(self.dice.uniform(0, window(self.losses)))

    def win(self) -> None:
        """Start anew: a push went through."""
        self.losses = 0


def window(losses: int) -> float:
    """The longest pause after so many losses, in seconds: doubled at first, then halved for those who wait longest."""
    rising = SHORTEST * 2.0 ** (losses - 1)
    falling = LONGEST * 2.0 ** (EAGER - losses)
    return max(SHORTEST, min(rising, falling, LONGEST))


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """How a lost push ended. `renamed`: old id -> new id of the commits that were kept; None: none could be.

    `pushed`: where to, in words.
    """

    renamed: Mapping[str, str] | None
    pushed: str = ""


def settle(session: Session, lost: PushLostError, contest: Contest, reads: Reads) -> Settled:
    """Take in what won and bring this run's commits there, or drop them where what they rest on has moved.

    Raises PushLostError when that was lost too often, StellwerkError where a push fails for another reason.
    """
    renamed: dict[str, str] = {}
    while True:
        contest.lose(session, lost)
        if session.publisher.remote is None:  # somebody else committed in this clone
            return Settled(renamed={})
        taken = take_over(session, reads)
        if taken.renamed is None:
            return taken
        renamed = {old: taken.renamed.get(new, new) for old, new in renamed.items()} | dict(taken.renamed)
        try:
            pushed = session.publisher.push()
        except PushLostError as again:
            lost = again
        else:
            contest.win()
            return Settled(renamed=renamed, pushed=pushed)


def push_meanwhile(session: Session, reads: Reads) -> Settled:
    """Push in the middle of a run. What loses and cannot be carried over stays as it is, for the end of the run."""
    try:
        return Settled(renamed={}, pushed=session.publisher.push())
    except PushLostError:
        if session.merges is not None:
            raise
    taken = take_over(session, reads, dropping=False)
    return taken if taken.renamed is None else Settled(renamed=taken.renamed, pushed=session.publisher.push())


def take_over(session: Session, reads: Reads, *, dropping: bool = True) -> Settled:
    """Fetch, and make this run's own commits again on what is there; `dropping`: drop them where that may not be.

    Raises PushLostError where the branch has commits that nobody but a person may move.
    """
    writer, publisher, reader = session.writer, session.publisher, session.writer.reader
    before = publisher.proposals()
    there, tip = publisher.fetch(), writer.tip()
    if there is None:
        raise publisher.deleted(writer.ref)
    _give_way(session, before)
    if tip is None or reader.ancestor(tip, there):
        writer.reset(there, drop=tip or "")
        bring_up(session)
        return Settled(renamed={})
    if reader.ancestor(there, tip):
        return Settled(renamed={})
    known = (there,) if session.merges is None else (there, session.merges)
    mine = commits_since(reader, tip, *known)
    if any(commit.id not in writer.made and not commit.planned for commit in mine):
        raise diverged(session)
    if session.merges is not None:
        writer.reset(there, drop=tip)
        tip = bring_up(session) or there
        there = tip
    began = mine[0].parent if mine else there
    theirs = _changed(session, began, there) if began else []
    ours = [path for commit in mine for path in commit.changes]
    carried = bool(began) and may_carry(ours, theirs, reads=reads(owners(ours), theirs))
    if not carried and not dropping:
        return Settled(renamed=None)
    renamed = replay(writer, mine, there) if carried else {}
    renamed |= _proposals_after(session, mine, renamed)
    writer.reset(renamed[mine[-1].id] if carried and mine else there, drop=tip)
    writer.made = [renamed[commit] for commit in writer.made if commit in renamed]
    return Settled(renamed=renamed if carried else None)


def reads_in(state: State) -> Reads:
    """What models rest on outside their own folders, as the state knows it."""

    def reads(models: Iterable[str], paths: Iterable[str]) -> frozenset[str]:
        return read_by(models, state.project, state.observed, paths)

    return reads


def nothing_read(_models: Iterable[str], _paths: Iterable[str]) -> frozenset[str]:
    """The answer where no state has been observed yet."""
    return frozenset()


def diverged(session: Session) -> PushLostError:
    """The branch and the remote's have both moved, and here it was not a run that did."""
    name = session.writer.ref.removeprefix("refs/heads/")
    hint = "git pull --rebase, then run it again"
    if session.merges is not None:
        there = f"{session.publisher.remote}/{name}"
        hint = f"git branch -f {name} {there} takes the remote's and drops the records that were never pushed"
    return PushLostError("this branch and the remote's have diverged", where=name, hint=hint)


def _changed(session: Session, old: str, new: str) -> list[str]:
    """The paths in which two commits differ."""
    listing = session.writer.reader.run("diff-tree", "-r", "-z", "--name-only", "--no-renames", old, new)
    return listing.decode("utf-8", "surrogateescape").split("\0")[:-1]


def _give_way(session: Session, before: Mapping[str, str | None]) -> None:
    """Promotion branches that others moved at the remote are theirs: the next plan sees what they propose."""
    now = session.publisher.proposals()
    for ref, commit in session.publisher.unpublished().items():
        if ref in now and now[ref] != before.get(ref):
            session.publisher.retract(ref, commit, now[ref])


def _proposals_after(session: Session, mine: Iterable[OwnCommit], renamed: Mapping[str, str]) -> dict[str, str]:
    """Build proposals on commits that moved again on the new ones; take back those on commits that were dropped."""
    writer, dropped = session.writer, {commit.id for commit in mine}
    found: dict[str, str] = {}
    for ref, commit in session.publisher.unpublished().items():
        if not ref.startswith(PROMOTIONS):
            continue
        (proposal,) = commits_since(writer.reader, commit, f"{commit}~1") or (None,)
        if proposal is None or proposal.parent not in dropped:
            continue
        if proposal.parent in renamed:
            found |= replay(writer, [proposal], renamed[proposal.parent])
            writer.move(ref, found[commit], expected=commit, message="propose")
        else:
            session.publisher.retract(ref, commit, session.publisher.proposals().get(ref))
    return found


def _left(session: Session) -> str:
    """What was not pushed, one commit a line."""
    writer, tip = session.writer, session.writer.tip()
    there = session.publisher.there()
    if tip is None or there is None:
        return ""
    commits = commits_since(writer.reader, tip, there)
    lines = [f"\n  {commit.id[:7]} {commit.summary}" for commit in commits[:NAMED]]
    more = f"\n  and {len(commits) - NAMED} more" if len(commits) > NAMED else ""
    return f" Not pushed:{''.join(lines)}{more}" if lines else ""
