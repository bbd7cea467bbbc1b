"""Pushing is a compare-and-swap: it wins, loses, is refused, or nobody answers, and says which."""

import pytest

from stellwerk.adapters.git.remote import RefCommitter, RemotePublisher
from stellwerk.adapters.git.remote_names import find_remote
from stellwerk.errors import PushLostError, StellwerkError


@pytest.fixture
def pair(repo, writer):
    """A repository with a remote, and what publishes it."""
    repo.gen({"a": "x"}, commit="a")
    bare = type(repo)(repo.remote())
    return repo, bare, RemotePublisher(writer(repo), "origin")


def test_a_push_brings_the_commits_there_and_says_where_to(pair, writer):
    repo, bare, publisher = pair
    commit = writer(repo).commit({"b": b"y"}, "b")
    assert publisher.push() == "main to origin"
    assert bare.git("rev-parse", "main") == commit
    assert publisher.push() == ""
    assert repo.git("rev-parse", "origin/main") == commit


def test_without_a_remote_nothing_is_pushed(repo, writer):
    repo.gen({"a": "x"}, commit="a")
    publisher = RemotePublisher(writer(repo), None)
    assert (publisher.push(), publisher.fetch()) == ("", None)


def test_a_remote_that_is_empty_gets_the_branch(repo, writer):
    bare = type(repo)(repo.remote())
    commit = writer(repo).commit({"a": b"x"}, "first")
    publisher = RemotePublisher(writer(repo), "origin")
    assert publisher.fetch() is None
    publisher.push()
    assert bare.git("rev-parse", "main") == commit


def test_a_lost_race_is_told_as_such_and_the_remote_keeps_the_winner(pair, writer):
    repo, bare, publisher = pair
    other = repo.clone()
    winner = other.gen({"c": "z"}, commit="c")
    other.git("push", "--quiet")
    writer(repo).commit({"b": b"y"}, "b")
    with pytest.raises(PushLostError, match="main moved at origin"):
        publisher.push()
    assert bare.git("rev-parse", "main") == winner
    assert publisher.fetch() == winner


def test_a_refused_push_says_the_servers_words(pair, writer):
    repo, bare, publisher = pair
    hook = bare.root / "hooks/pre-receive"
    hook.write_text("#!/bin/sh\necho 'main is protected: open a pull request' >&2\nexit 1\n")
    hook.chmod(0o755)
    writer(repo).commit({"b": b"y"}, "b")
    with pytest.raises(StellwerkError, match="main is protected: open a pull request") as caught:
        publisher.push()
    assert not isinstance(caught.value, PushLostError)
    assert "records: {ref:" in caught.value.hint


def test_a_dead_remote_is_told_as_such_and_the_commits_stay(pair, writer):
    repo, bare, publisher = pair
    commit = writer(repo).commit({"b": b"y"}, "b")
    bare.root.rename(bare.root.with_name("moved.git"))
    with pytest.raises(StellwerkError, match="the remote cannot be reached") as caught:
        publisher.push()
    assert not isinstance(caught.value, PushLostError)
    with pytest.raises(StellwerkError, match="the remote cannot be reached"):
        publisher.fetch()
    assert repo.head() == commit


def test_a_proposal_is_one_commit_on_the_tip_and_is_pushed_and_rebuilt(pair, writer):
    repo, bare, publisher = pair
    committer, branch = RefCommitter(writer(repo)), "stellwerk/promote/production/churn"
    first = committer.propose(branch, {"environments/production/churn.yaml": b"version: 1\n"}, "promote")
    assert publisher.push() == f"{branch} to origin"
    assert bare.git("rev-parse", branch) == first
    second = committer.propose(branch, {"environments/production/churn.yaml": b"version: 2\n"}, "promote")
    publisher.push()
    assert bare.git("rev-parse", branch) == second
    assert repo.git("rev-list", "--count", f"main..{branch}") == "1"
    assert repo.status() == ""


def test_a_proposal_somebody_else_changed_is_a_lost_race(pair, writer):
    repo, bare, publisher = pair
    committer, branch = RefCommitter(writer(repo)), "stellwerk/promote/production/churn"
    committer.propose(branch, {"x.yaml": b"1\n"}, "promote")
    publisher.push()
    other = repo.clone()
    other.git("checkout", "--quiet", branch)
    theirs = other.gen({"x.yaml": "2\n"}, commit="by hand")
    other.git("push", "--quiet")
    committer.propose(branch, {"x.yaml": b"3\n"}, "promote")
    with pytest.raises(PushLostError):
        publisher.push()
    assert bare.git("rev-parse", branch) == theirs


@pytest.mark.parametrize("ref", ["refs/heads/stellwerk/records", "refs/stellwerk/records"])
def test_a_records_ref_is_fetched_wherever_it_lies_and_whatever_the_clone_follows(pair, writer, ref):
    repo, bare, _ = pair
    made = writer(repo, ref)
    made.move(ref, repo.head(), expected=None, message="create")
    made.commit({"r": b"1"}, "record")
    RemotePublisher(made, "origin").push()
    repo.git("clone", "--quiet", "--single-branch", str(bare.root), repo.root.parent / "single")
    clone = type(repo)(repo.root.parent / "single")
    publisher = RemotePublisher(writer(clone, ref), "origin")
    assert publisher.fetch() == made.tip()
    newer = made.commit({"r": b"2"}, "record")
    RemotePublisher(made, "origin").push()
    assert publisher.fetch() == newer


def test_the_remote_is_the_branchs_own_then_origin_then_the_only_one(repo, reader):
    assert find_remote(reader(repo), "main") is None
    repo.git("remote", "add", "backup", "x")
    assert find_remote(reader(repo), "main") == "backup"
    repo.git("remote", "add", "other", "x")
    assert find_remote(reader(repo), "main") is None
    repo.git("remote", "add", "origin", "x")
    assert find_remote(reader(repo), None) == "origin"
    repo.git("config", "branch.main.remote", "backup")
    assert find_remote(reader(repo), "main") == "backup"
