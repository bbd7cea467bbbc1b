"""Pauses after lost pushes are drawn at random, grow, stay short, and end in words that say what was not pushed."""

import os
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellwerk.adapters.git.read import open_reader
from stellwerk.adapters.git.remote import RefCommitter, RemotePublisher
from stellwerk.adapters.git.write import GitWriter
from stellwerk.app.race import (
    ATTEMPTS,
    PATIENCE,
    WIDEST,
    Contest,
    Settled,
    Taken,
    nothing_read,
    settle,
    take_over,
    window,
)
from stellwerk.app.session import Session
from stellwerk.errors import PushLostError
from stellwerk.model.ports import Actor

LOST = PushLostError("main moved at origin", where="origin")


@given(losses=st.integers(1, ATTEMPTS), slot=st.floats(0.0, 100.0))
def test_windows_grow_with_the_losses_and_are_bounded_by_what_an_attempt_takes(losses, slot):
    assert window(losses, slot) <= window(losses + 1, slot) <= WIDEST * max(slot, 0.05)
    assert window(losses, slot) >= 2 * max(slot, 0.05)


@pytest.fixture
def session(repo):
    """A session without a world: what a push needs."""
    repo.gen({"a": "x"}, commit="a")
    repo.remote()
    writer = GitWriter(
        open_reader(repo.root, os.environ), "refs/heads/main", Actor(name="Robot", email="r@example.com")
    )
    return Session(world=None, writer=writer, publisher=RemotePublisher(writer, "origin"), merges=None)


def contest(pauses, *, seconds_each=0.0):
    now = [0.0]

    def clock():
        now[0] += seconds_each
        return now[0]

    return Contest(sleep=pauses.append, clock=clock, dice=random.Random(1))


def test_the_first_loss_is_followed_by_a_pause_already(session):
    pauses = []
    contest(pauses).lose(session, LOST)
    assert len(pauses) == 1
    assert 0 < pauses[0] <= window(1, 0.2)


def lose_until_the_end(race, session):
    for _ in range(ATTEMPTS):
        race.lose(session, LOST)


@pytest.mark.parametrize("seconds", [0.0, PATIENCE / 3])
def test_who_loses_for_too_long_or_too_often_is_told_what_was_not_pushed(session, seconds):
    session.writer.commit({"b": b"y"}, "train: churn v1\n\nStellwerk-Plan: 0\n")
    session.writer.commit({"c": b"y"}, "promote: churn v1 to production")
    pauses = []
    with pytest.raises(PushLostError) as caught:
        lose_until_the_end(contest(pauses, seconds_each=seconds), session)
    assert caught.value.exit_code == 4
    told = [line.split(maxsplit=1)[1] for line in caught.value.message.splitlines()[1:]]
    assert told == ["train: churn v1", "promote: churn v1 to production"]
    assert len(pauses) == (ATTEMPTS - 1 if not seconds else 4)


def rival(repo, path, text):
    other = repo.clone("rival")
    commit = other.gen({path: text}, commit=f"{path} by somebody else")
    other.git("push", "--quiet")
    return commit


def test_commits_are_made_again_with_their_words_authors_and_modes(session, repo):
    made = session.writer
    (repo.root / "run.sh").write_text("x")
    first = made.commit({"registry/churn/1/version.yaml": b"number: 1\n"}, "train: churn v1\n\nbody\n")
    second = made.commit({"registry/churn/1/version.yaml": None, "registry/churn/2/version.yaml": b"2\n"}, "two\n")
    won = rival(repo, "registry/other/1/version.yaml", "number: 1\n")
    settled = settle(session, LOST, contest([]), nothing_read)
    assert settled == Settled(renamed=settled.renamed, pushed="main to origin")
    assert set(settled.renamed) == {first, second}
    assert repo.head() == settled.renamed[second] == repo.git("rev-parse", "origin/main")
    assert repo.git("rev-list", "main").splitlines()[:3] == [*reversed(settled.renamed.values()), won]
    for old, new in settled.renamed.items():
        shape = ("show", "--format=%an %ae %ad %cn %B", "--raw")
        assert repo.git(*shape, old) == repo.git(*shape, new)
    assert repo.status() == "?? run.sh"
    repo.git("fsck", "--strict", "--no-dangling")


def test_commits_are_dropped_where_what_they_rest_on_has_moved(session, repo):
    session.writer.commit({"registry/churn/1/version.yaml": b"number: 1\n"}, "train: churn v1")
    won = rival(repo, "mlops.yaml", "version: 1\n")
    assert settle(session, LOST, contest([]), nothing_read) == Settled(renamed=None)
    assert (repo.head(), repo.status()) == (won, "")


def test_a_proposal_on_a_commit_that_moved_moves_with_it_and_one_on_a_dropped_commit_is_taken_back(session, repo):
    branch = "stellwerk/promote/production/churn"
    session.writer.commit({"registry/churn/1/version.yaml": b"number: 1\n"}, "train: churn v1")
    RefCommitter(session.writer).propose(branch, {"environments/production/churn.yaml": b"version: 1\n"}, "promote")
    rival(repo, "registry/other/1/version.yaml", "number: 1\n")
    settle(session, LOST, contest([]), nothing_read)
    assert repo.git("rev-parse", f"{branch}~1") == repo.head()
    assert repo.git("rev-parse", f"origin/{branch}") == repo.git("rev-parse", branch)
    session.writer.commit({"registry/churn/2/version.yaml": b"number: 2\n"}, "train: churn v2")
    before = repo.git("rev-parse", branch)
    RefCommitter(session.writer).propose(branch, {"environments/production/churn.yaml": b"version: 2\n"}, "promote")
    repo.git("push", "--quiet", "origin", "main~1:refs/heads/other")
    other = repo.clone("third")
    other.gen({"mlops.yaml": "version: 1\n"}, commit="declare")
    other.git("push", "--quiet")
    settle(session, LOST, contest([]), nothing_read)
    assert repo.git("rev-parse", branch) == before


def test_a_persons_commit_is_never_moved(session, repo):
    mine = repo.gen({"notes.txt": "x"}, commit="a note")
    rival(repo, "registry/other/1/version.yaml", "number: 1\n")
    with pytest.raises(PushLostError, match="have diverged"):
        take_over(session, nothing_read)
    assert (repo.head(), repo.status()) == (mine, "")


def test_nothing_moves_here_before_the_carried_commits_have_arrived(session, repo):
    mine = session.writer.commit({"registry/churn/1/version.yaml": b"number: 1\n"}, "train: churn v1")
    won = rival(repo, "registry/other/1/version.yaml", "number: 1\n")
    taken = take_over(session, nothing_read)
    assert isinstance(taken, Taken)
    assert (repo.head(), repo.git("rev-parse", f"{taken.tip}~1"), repo.status()) == (mine, won, "")
