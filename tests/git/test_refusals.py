"""Why a push failed is told by asking, never by the server's words, and each reason has words of its own."""

import sys
from pathlib import Path

import pytest

from stellwerk.adapters.git import remote
from stellwerk.adapters.git.remote import RefCommitter, RemotePublisher
from stellwerk.errors import PushLostError, StellwerkError

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "races"))

from smart_http import smart_http

BRANCH = "stellwerk/promote/production/churn"
GIBBERISH = "main moved; stale info; non-fast-forward; 401; fatal: cannot be reached"  # to mislead who reads words


@pytest.fixture
def pair(repo, writer, monkeypatch):
    """A repository with a commit that its remote lacks, the remote, and what publishes it."""
    monkeypatch.setattr(remote, "BREATH", 0.0)
    repo.gen({"a": "x"}, commit="a")
    bare = type(repo)(repo.remote())
    made = writer(repo)
    made.commit({"b": b"y"}, "b")
    return repo, bare, RemotePublisher(made, "origin")


def hook(folder: Path, name: str, script: str) -> Path:
    path = folder / "hooks" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def refused(publisher: RemotePublisher) -> StellwerkError:
    """The error of a push, which must not be a lost race."""
    with pytest.raises(StellwerkError) as caught:
        publisher.push()
    assert not isinstance(caught.value, PushLostError)
    assert caught.value.exit_code == 1
    assert "nothing is lost" in caught.value.hint
    return caught.value


def ahead(repo) -> str:
    return repo.git("rev-list", "--count", "origin/main..main")


@pytest.mark.parametrize("name", ["pre-receive", "update"])
def test_a_hook_of_the_server_is_quoted_and_not_believed(pair, name):
    repo, bare, publisher = pair
    hook(bare.root, name, f"echo '{GIBBERISH}' >&2\nexit 1")
    error = refused(publisher)
    assert error.message == f"origin refused the push to main: remote: {GIBBERISH}"
    assert "a protection of the branch" in error.hint
    assert "records: {ref: stellwerk/records}" in error.hint
    assert ahead(repo) == "1"


def test_a_branch_the_server_does_not_let_move_is_a_refusal_too(pair):
    _, bare, publisher = pair
    hook(bare.root, "update", 'case "$1" in refs/heads/main) echo "protected branch" >&2; exit 1;; esac')
    assert refused(publisher).message == "origin refused the push to main: remote: protected branch"


def test_a_refused_push_of_workflow_files_says_what_they_need(pair):
    repo, bare, publisher = pair
    repo.gen({".github/workflows/cd.yml": "name: CD\n"}, commit="render")
    hook(bare.root, "pre-receive", f"echo '{GIBBERISH}' >&2\nexit 1")
    error = refused(publisher)
    assert error.message == f"origin refused the push to main: remote: {GIBBERISH}"
    assert "They change files in .github/workflows" in error.hint
    assert "--no-render" in error.hint


def test_the_clones_own_hook_is_named_with_its_path(pair):
    repo, _, publisher = pair
    path = hook(repo.root / ".git", "pre-push", f"echo '{GIBBERISH}' >&2; exit 1")
    error = refused(publisher)
    assert error.message.startswith("this clone's own pre-push hook refused the push to main")
    assert Path(error.where) == path


def test_a_hook_in_core_hookspath_is_found_as_well(pair, tmp_path):
    repo, _, publisher = pair
    repo.git("config", "core.hooksPath", tmp_path / "elsewhere/hooks")
    (tmp_path / "elsewhere").mkdir()
    path = hook(tmp_path / "elsewhere", "pre-push", "exit 1")
    assert refused(publisher).where == str(path)


def test_a_branch_that_moved_is_a_lost_race_whatever_the_hooks_say(pair):
    repo, bare, publisher = pair
    other = repo.clone()
    winner = other.gen({"c": "z"}, commit="c")
    other.git("push", "--quiet")
    hook(bare.root, "pre-receive", "echo 'this is forbidden' >&2; exit 1")
    with pytest.raises(PushLostError, match="main moved at origin"):
        publisher.push()
    assert bare.git("rev-parse", "main") == winner


def test_a_stale_lease_is_a_lost_race_even_where_the_push_would_be_a_fast_forward(pair):
    """Somebody takes the branch back meanwhile: pushing would bring back what they took."""
    repo, bare, publisher = pair
    first = repo.git("rev-parse", "origin/main")
    publisher.push()
    bare.git("update-ref", "refs/heads/main", first)
    publisher.writer.commit({"c": b"z"}, "c")
    with pytest.raises(PushLostError, match="main moved at origin"):
        publisher.push()
    assert bare.git("rev-parse", "main") == first


def test_a_branch_that_was_deleted_is_not_brought_back(pair):
    _, bare, publisher = pair
    bare.git("update-ref", "-d", "refs/heads/main")
    with pytest.raises(StellwerkError, match="main was deleted at origin") as caught:
        publisher.push()
    assert not isinstance(caught.value, PushLostError)
    assert "git push origin main" in caught.value.hint
    assert bare.git("for-each-ref") == ""


def test_a_push_whose_answer_got_lost_is_seen_to_have_arrived(pair):
    repo, bare, publisher = pair
    bare.git("fetch", "--quiet", repo.root, "main:main", "--update-head-ok")  # it went through, and nobody said so
    assert publisher.push() == "main to origin"
    assert ahead(repo) == "0"


@pytest.mark.parametrize(
    ("status", "words"), [(401, "HTTP 401.*missing or wrong"), (403, "HTTP 403.*do not allow"), (500, "HTTP 500")]
)
def test_an_answer_over_http_says_whether_it_is_about_access(pair, monkeypatch, status, words):
    repo, bare, publisher = pair
    monkeypatch.setenv("GIT_ASKPASS", "true")
    with smart_http(bare.root.parent, lambda _: status) as address:
        repo.git("remote", "set-url", "origin", f"{address}/{bare.root.name}")
        with pytest.raises(StellwerkError, match=words):
            publisher.fetch()
        error = refused(publisher)
    expected = "the remote refuses access" if status != 500 else "the remote cannot be reached"
    assert error.message.startswith(expected)


@pytest.mark.parametrize("status", [401, 403])
def test_a_remote_that_may_only_be_read_is_told_as_such(pair, monkeypatch, status):
    repo, bare, publisher = pair
    monkeypatch.setenv("GIT_ASKPASS", "true")
    with smart_http(bare.root.parent, lambda path: status if "receive-pack" in path else 0) as address:
        repo.git("remote", "set-url", "origin", f"{address}/{bare.root.name}")
        publisher.fetch()
        error = refused(publisher)
    assert error.message.startswith(f"origin can be read but not written to (HTTP {status}")


def test_a_server_that_stopped_cannot_be_reached(pair):
    repo, bare, publisher = pair
    with smart_http(bare.root.parent) as address:
        repo.git("remote", "set-url", "origin", f"{address}/{bare.root.name}")
        publisher.fetch()
    error = refused(publisher)
    assert error.message.startswith("the remote cannot be reached: ")
    assert ahead(repo) == "1"


def test_the_branch_and_its_proposals_travel_together_or_not_at_all(pair):
    _, bare, publisher = pair
    proposed = RefCommitter(publisher.writer).propose(BRANCH, {"x.yaml": b"1\n"}, "promote")
    hook(bare.root, "post-receive", "cat >> pushes; echo >> pushes")
    assert publisher.push() == f"main, {BRANCH} to origin"
    assert bare.git("rev-parse", BRANCH) == proposed
    assert (bare.root / "pushes").read_text().count("\n\n") == 1  # one push for both
    RefCommitter(publisher.writer).propose(BRANCH, {"x.yaml": b"2\n"}, "promote")
    publisher.writer.commit({"c": b"z"}, "c")
    before = bare.git("rev-parse", "main")
    bare.git("update-ref", f"refs/heads/{BRANCH}", before)
    with pytest.raises(PushLostError):
        publisher.push()
    assert bare.git("rev-parse", "main") == before


def test_a_server_without_atomic_pushes_gets_the_refs_one_by_one(pair):
    _, bare, publisher = pair
    RefCommitter(publisher.writer).propose(BRANCH, {"x.yaml": b"1\n"}, "promote")
    bare.git("config", "receive.advertiseAtomic", "false")
    assert publisher.push() == f"main, {BRANCH} to origin"
    assert publisher.push() == ""


def test_a_refused_proposal_does_not_hold_up_the_branch(pair):
    repo, bare, publisher = pair
    RefCommitter(publisher.writer).propose(BRANCH, {"x.yaml": b"1\n"}, "promote")
    hook(bare.root, "update", 'case "$1" in refs/heads/main) ;; *) echo no >&2; exit 1;; esac')
    assert refused(publisher).message == f"origin refused the push to {BRANCH}: remote: no"
    assert bare.git("rev-parse", "main") == repo.head()
