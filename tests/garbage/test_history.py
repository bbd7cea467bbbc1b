"""What history says of files: when each content came and went, and what lies at any tip."""

from __future__ import annotations

import os

import pytest

from stellwerk.adapters.git.history import contents, read_history
from stellwerk.adapters.git.read import open_reader

JANUARY, MAY, JUNE = "2026-01-01T00:00:00+00:00", "2026-05-01T00:00:00+00:00", "2026-06-01T00:00:00+00:00"


def seen(repo, *patterns):
    """path -> content -> (came, went, lies at a tip), the moments as months."""
    reader = open_reader(repo.root, os.environ)
    entries = read_history(reader, patterns or ("**/*.dvc",))
    texts = contents(reader, entries)
    return {
        (entry.path, texts[entry.blob].decode()): (month(entry.born), month(entry.ended), entry.now)
        for entry in entries
    }


def month(seconds):
    from datetime import UTC, datetime

    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).month


def test_a_content_is_in_use_until_the_commit_that_replaced_it(repo):
    repo.gen({"data/ü x.csv.dvc": "one", "other": "x"}, commit="a", date=JANUARY)
    repo.gen({"data/ü x.csv.dvc": "two"}, commit="b", date=MAY)
    assert seen(repo) == {
        ("data/ü x.csv.dvc", "one"): (1, 5, False),
        ("data/ü x.csv.dvc", "two"): (5, None, True),
    }


def test_a_content_that_came_back_is_at_the_tip_and_a_removed_file_is_not(repo):
    repo.gen({"a.dvc": "one", "b.dvc": "gone"}, commit="a", date=JANUARY)
    repo.gen({"a.dvc": "two", "b.dvc": None}, commit="b", date=MAY)
    repo.gen({"a.dvc": "one"}, commit="c", date=JUNE)
    assert seen(repo) == {
        ("a.dvc", "one"): (6, 5, True),
        ("a.dvc", "two"): (5, 6, False),
        ("b.dvc", "gone"): (1, 5, False),
    }


def test_a_clock_that_was_set_back_makes_nothing_look_old(repo):
    repo.gen({"a.dvc": "one"}, commit="a", date=MAY)
    repo.gen({"a.dvc": "two"}, commit="b", date=JANUARY)
    assert seen(repo)["a.dvc", "one"] == (5, 5, False)


def test_what_lies_on_any_branch_tag_or_work_tree_is_at_a_tip(repo, tmp_path):
    repo.gen({"a.dvc": "base"}, commit="a", date=JANUARY)
    for name in ("branch", "tag", "tree"):
        repo.git("checkout", "-q", "-b", name, "main")
        repo.gen({"a.dvc": name}, commit=name, date=MAY)
    repo.git("tag", "-a", "v1", "-m", "x", "tag")
    repo.git("checkout", "-q", "--detach", "main")
    repo.git("branch", "-q", "-D", "tag")
    repo.git("worktree", "add", "-q", "--detach", tmp_path / "elsewhere", "tree")
    repo.git("branch", "-q", "-D", "tree")
    repo.git("checkout", "-q", "main")
    repo.gen({"a.dvc": "newer"}, commit="newer", date=JUNE)
    found = seen(repo)
    assert {text for (_, text), (_, _, now) in found.items() if now} == {"branch", "tag", "tree", "newer"}


def test_both_sides_of_a_merge_are_in_history(repo):
    repo.gen({"a.dvc": "base"}, commit="a", date=JANUARY)
    repo.git("checkout", "-q", "-b", "side")
    repo.gen({"a.dvc": "side"}, commit="side", date=MAY)
    repo.git("checkout", "-q", "main")
    repo.gen({"a.dvc": "ours"}, commit="ours", date=MAY)
    repo.git("merge", "-q", "-s", "ours", "-m", "merge", "side", env={"GIT_COMMITTER_DATE": JUNE})
    repo.git("branch", "-q", "-D", "side")
    assert seen(repo)["a.dvc", "side"] == (5, 6, False)
    assert seen(repo)["a.dvc", "ours"][2]


@pytest.mark.parametrize("commits", [0, 1])
def test_a_repository_with_hardly_any_history_has_hardly_any_entries(repo, commits):
    if commits:
        repo.gen({"x": "y", "sub/dvc.lock": "z", "link.dvc": "x"}, commit="a")
        (repo.root / "link.dvc").unlink()
        (repo.root / "link.dvc").symlink_to("x")
        repo.git("commit", "-q", "-a", "-m", "a link names nothing")
    assert {text for _, text in seen(repo, "**/dvc.lock", "**/*.dvc")} == ({"z", "x"} if commits else set())
