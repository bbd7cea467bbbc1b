"""What to do when a push is lost: wait a little, take in what won, keep what still stands, try again; give up in words.

No run knows of the others and nothing counts them: each pauses at random, from its first loss on.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from itertools import pairwise
from typing import TYPE_CHECKING

from msgspec import Struct, field

from stellwerk.adapters.git.remote_names import PROMOTIONS
from stellwerk.adapters.git.replay import commits_since, replay
from stellwerk.app.session import Session, bring_up
from stellwerk.errors import PushLostError
from stellwerk.planning.carry import may_carry, owners, read_by

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from stellwerk.adapters.git.replay import OwnCommit
    from stellwerk.reconcile.world import State

ATTEMPTS = 200
PATIENCE = 600.0  # seconds from the first loss to giving up
SLOT = 0.5  # seconds an attempt is thought to take until one was measured
WIDEST = 4  # attempts that a pause lasts at most
NAMED = 20  # commits that a failure names

Reads = Callable[["Iterable[str]", "Iterable[str]"], frozenset[str]]


class Contest(Struct, kw_only=True):
    """One run's losses since its last push that went through. `own`: the commits it tries to push, by id."""

    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    dice: random.Random = field(default_factory=random.Random)  # noqa: S311 jitter, no secret
    losses: int = 0
    since: float = 0.0
    slot: float = SLOT
    own: dict[str, OwnCommit] = field(default_factory=dict)

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
        self.sleep(self.dice.uniform(0, window(self.losses, self.slot)))

    def win(self) -> None:
        """Start anew: a push went through."""
        self.losses = 0
        self.own.clear()


def window(losses: int, slot: float) -> float:
    """The longest pause after so many losses, in seconds, where an attempt takes `slot` seconds.

    Doubled with each loss, but never long: who has waited for long is not to be overtaken by those who come new.
    """
    return max(0.05, slot) * min(2.0**losses, WIDEST)


class Settled(Struct, frozen=True, kw_only=True):
    """How a lost push ended. `renamed`: old id -> new id of the commits that were kept; None: none could be.

    `pushed`: where to, in words.
    """

    renamed: Mapping[str, str] | None
    pushed: str = ""


def settle(session: Session, lost: PushLostError, contest: Contest, reads: Reads) -> Settled:
    """Take in what won and bring this run's commits there, or drop them where what they rest on has moved.

    Raises PushLostError when that was lost too often, StellwerkError where a push fails for another reason.
    """
    while True:
        contest.lose(session, lost)
        if session.publisher.remote is None:  # somebody else committed in this clone
            return Settled(renamed={})
        began = contest.clock()
        taken = take_over(session, reads, contest.own)
        if taken.renamed is None:
            taken.adopt(session)
            return Settled(renamed=None)
        try:
            pushed = session.publisher.push(taken.tip, taken.proposals, taken.fetched)
        except PushLostError as again:
            lost, contest.slot = again, contest.clock() - began
        else:
            taken.adopt(session)
            contest.win()
            return Settled(renamed=taken.renamed, pushed=pushed)


def push_meanwhile(session: Session, reads: Reads) -> Settled:
    """Push in the middle of a run. What loses and cannot be carried over stays as it is, for the end of the run."""
    try:
        return Settled(renamed={}, pushed=session.publisher.push())
    except PushLostError:
        if session.merges is not None:
            raise
    taken = take_over(session, reads)
    if taken.renamed is None:
        return Settled(renamed=None)
    pushed = session.publisher.push(taken.tip, taken.proposals, taken.fetched)
    taken.adopt(session)
    return Settled(renamed=taken.renamed, pushed=pushed)


class Taken(Struct, frozen=True, kw_only=True):
    """What the branch is to be after a lost push. Nothing here has moved yet, so that the next attempt can start alike.

    `tip` is what it becomes, `drop` what it is now; `renamed` as in `Settled`; `proposals` are promotion branches and
    what they become (None: what the remote has). `fetched` are the refs that this rests on, where none moved since.
    """

    tip: str
    drop: str
    renamed: Mapping[str, str] | None
    proposals: Mapping[str, str | None] = field(default_factory=dict)
    fetched: Mapping[str, str] | None = None

    def adopt(self, session: Session) -> None:
        """Move the branches here, and the work tree with them."""
        writer, publisher = session.writer, session.publisher
        if self.tip != self.drop:
            writer.reset(self.tip, drop=self.drop)
        there = publisher.proposals()
        for ref, commit in self.proposals.items():
            here = writer.reader.commit_of(ref)
            if here is not None and here != commit:
                publisher.retract(ref, here, commit or there.get(ref))
        names = self.renamed or {}
        writer.made = [names.get(commit, commit) for commit in writer.made]
        bring_up(session)


def take_over(session: Session, reads: Reads, own: dict[str, OwnCommit] | None = None) -> Taken:
    """Fetch, and make this run's own commits again on what is there, if they may be carried over.

    `own`: what an earlier attempt read of them. What can be done before the fetch is: from then on others may win.
    Raises PushLostError where the branch has commits that nobody but a person may move.
    """
    writer, publisher, reader = session.writer, session.publisher, session.writer.reader
    refs = publisher.refs()
    before, tip = publisher.proposals(refs), refs.get(writer.ref)
    own = {} if own is None else own
    _read_own(session, refs, own)
    fetched = publisher.fetched(refs)
    there = publisher.there(fetched)
    if there is None:
        raise publisher.deleted(writer.ref)
    if before:
        _give_way(session, before)
    if tip is None:
        return Taken(tip=there, drop="", renamed={})
    mine = commits_since(reader, tip, *_known(session, there), read=own)
    ahead, behind = _apart(session, tip, there, mine)
    if not ahead:
        return Taken(tip=there, drop=tip, renamed={})
    if not behind:
        return Taken(tip=tip, drop=tip, renamed={})
    if any(commit.id not in writer.made and not commit.planned for commit in mine):
        raise diverged(session)
    if session.merges is not None:  # the branch is merged anew, which only the ref itself can take
        writer.reset(there, drop=tip)
        tip = there = bring_up(session) or there
    began = mine[0].parent if mine else there
    theirs = _changed(session, began, there) if began else []
    ours = [path for commit in mine for path in commit.changes]
    carried = bool(began) and may_carry(ours, theirs, reads=reads(owners(ours), theirs))
    renamed = replay(writer, mine, there) if carried else {}
    proposals = _proposals_after(session, mine, renamed) if before else {}
    renamed |= {reader.commit_of(ref) or "": new for ref, new in proposals.items() if new is not None}
    taken = Taken(
        tip=renamed[mine[-1].id] if carried and mine else there,
        drop=tip,
        renamed=renamed if carried else None,
        proposals=proposals,
        fetched=None if before else fetched,
    )
    if session.merges is None:
        return taken
    taken.adopt(session)
    return Taken(tip=taken.tip, drop=taken.tip, renamed=taken.renamed)


def _known(session: Session, there: str) -> tuple[str, ...]:
    """What holds no commits of this run."""
    return (there,) if session.merges is None else (there, session.merges)


def _apart(session: Session, tip: str, there: str, mine: Sequence[OwnCommit]) -> tuple[int, int]:
    """How many commits each has that the other lacks; where `mine` lead straight to the tip, only whether there are."""
    straight = mine and mine[-1].id == tip and all(one.id == next_.parent for one, next_ in pairwise(mine))
    if straight and session.merges is None:
        return len(mine), int(mine[0].parent != there)
    return session.writer.reader.apart(tip, there)


def _read_own(session: Session, refs: Mapping[str, str], own: dict[str, OwnCommit]) -> None:
    """Read this run's own commits, if they are not known."""
    tip, there = refs.get(session.writer.ref), session.publisher.there(refs)
    if tip is not None and there is not None and not own:
        commits_since(session.writer.reader, tip, *_known(session, there), read=own)


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


def _proposals_after(session: Session, mine: Iterable[OwnCommit], renamed: Mapping[str, str]) -> dict[str, str | None]:
    """Proposals on commits that moved, built again on the new ones; None for those on commits that are dropped."""
    writer, dropped = session.writer, {commit.id for commit in mine}
    found: dict[str, str | None] = {}
    for ref, commit in session.publisher.unpublished().items():
        proposals = commits_since(writer.reader, commit, f"{commit}~1") if ref.startswith(PROMOTIONS) else ()
        for proposal in proposals:
            if proposal.parent in dropped:
                base = renamed.get(proposal.parent)
                found[ref] = replay(writer, [proposal], base)[proposal.id] if base else None
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
