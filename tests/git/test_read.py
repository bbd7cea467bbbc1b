"""Reading repositories of every kind, and work trees in every state."""

import json
import os

import pytest

from stellwerk.adapters.git.cache import BlobCache
from stellwerk.adapters.git.merged import MergedTree
from stellwerk.adapters.git.read import CommitTree, GitError, Head, WorkTree, open_reader, read_blobs
from stellwerk.app import Workspace
from stellwerk.errors import StellwerkError


def test_a_folder_outside_any_repository_says_what_to_do(tmp_path):
    with pytest.raises(StellwerkError, match="this is not a git repository") as caught:
        open_reader(tmp_path, os.environ)
    assert "stellwerk init" in caught.value.hint
    with pytest.raises(StellwerkError, match="no such folder"):
        open_reader(tmp_path / "nowhere", os.environ)


def test_a_bare_repository_is_refused(repo):
    repo.gen({"a": "x"}, commit="a")
    with pytest.raises(StellwerkError, match="bare"):
        open_reader(repo.remote(), os.environ)


def test_a_folder_inside_the_work_tree_finds_its_top(repo):
    repo.gen({"deep/er/a": "x"}, commit="a")
    assert open_reader(repo.root / "deep/er", os.environ).root == repo.root


def test_heads_of_every_kind(repo, reader):
    assert reader(repo).head() == Head(branch="main", commit=None)
    commit = repo.gen({"a": "x"}, commit="a")
    assert reader(repo).head() == Head(branch="main", commit=commit)
    repo.git("checkout", "--quiet", "--detach")
    assert reader(repo).head() == Head(branch=None, commit=commit)


def test_an_unborn_branch_has_an_empty_commit_and_a_work_tree(repo, reader):
    repo.gen({"a": "x"})
    assert CommitTree(reader(repo), None).blobs() == {}
    assert WorkTree(reader(repo)).read(["a", "b"]) == {"a": b"x"}


def test_a_revision_that_a_shallow_clone_lacks_says_how_to_get_it(repo, reader):
    old = repo.gen({"a": "x"}, commit="a")
    repo.gen({"a": "y"}, commit="b")
    repo.git("clone", "--quiet", "--depth=1", f"file://{repo.root}", repo.root.parent / "shallow")
    clone = type(repo)(repo.root.parent / "shallow")
    with pytest.raises(StellwerkError, match="there is no commit") as caught:
        reader(clone).resolve(old)
    assert "git fetch --unshallow" in caught.value.hint
    with pytest.raises(StellwerkError) as caught:
        reader(repo).resolve("--help")
    assert "shallow" not in caught.value.hint


def test_a_submodule_is_no_file_and_its_changes_are_not_ours(repo, reader):
    inner = type(repo)(repo.root.parent / "inner")
    inner.root.mkdir()
    inner.git("init", "--quiet", "--initial-branch=main")
    inner.gen({"x": "1"}, commit="x")
    repo.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(inner.root), "sub")
    repo.gen({"a": "x"}, commit="a")
    (repo.root / "sub/x").write_text("2")
    tree = WorkTree(reader(repo))
    assert sorted(tree.blobs()) == [".gitmodules", "a"]
    assert tree.dirty == frozenset()
    assert sorted(CommitTree(reader(repo), repo.head()).blobs()) == [".gitmodules", "a"]


def test_a_work_tree_is_what_lies_there_whatever_the_index_says(repo, reader):
    names = ("same", "edited", "staged", "deleted", "removed", "old name")
    repo.gen({name: f"{name}\n" * 9 for name in names} | {".gitignore": "ignored\n"}, commit="a")
    repo.gen({"edited": "2", "staged": "2", "staged new": "2", "untracked/a b": "2", "ignored": "2", "deleted": None})
    repo.git("add", "staged", "staged new")
    repo.git("rm", "--quiet", "removed")
    repo.git("mv", "old name", "new name")
    tree = WorkTree(reader(repo))
    expected = [".gitignore", "edited", "new name", "same", "staged", "staged new", "untracked/a b"]
    assert sorted(tree.blobs()) == expected
    contents = tree.read([*expected, "deleted", "ignored", "old name"])
    assert sorted(contents) == expected
    assert contents["edited"] == contents["staged"] == contents["untracked/a b"] == b"2"
    assert contents["new name"] == b"old name\n" * 9
    assert tree.blobs()["same"] == CommitTree(reader(repo), repo.head()).blobs()["same"]
    assert tree.dirty == {*expected, "deleted", "removed", "old name"} - {"same", ".gitignore"}


def test_a_rename_in_the_work_tree_alone_is_seen_too(repo, reader):
    repo.gen({"old": "text\n" * 9, "other": "x"}, commit="a")
    (repo.root / "old").rename(repo.root / "new")
    repo.git("add", "--intent-to-add", "new")
    tree = WorkTree(reader(repo))
    assert sorted(tree.blobs()) == ["new", "other"]
    assert tree.read(["new", "old"]) == {"new": b"text\n" * 9}


def test_a_changed_file_never_has_the_id_of_its_old_content(repo, reader):
    repo.gen({"a": "x"}, commit="a")
    before = WorkTree(reader(repo)).blobs()["a"]
    repo.gen({"a": "y"})
    assert WorkTree(reader(repo)).blobs()["a"] != before


def test_an_unfinished_merge_reads_what_lies_in_the_work_tree(repo, reader):
    repo.gen({"a": "base\n"}, commit="a")
    repo.git("checkout", "--quiet", "-b", "side")
    repo.gen({"a": "side\n"}, commit="side")
    repo.git("checkout", "--quiet", "main")
    repo.gen({"a": "main\n"}, commit="main")
    with pytest.raises(AssertionError):
        repo.git("merge", "--quiet", "side")
    assert WorkTree(reader(repo)).read(["a"])["a"].startswith(b"<<<<<<< ")


def test_links_are_no_files_and_nothing_is_read_through_one(repo, reader, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("s")
    repo.gen({"folder/secret": "mine", "a": "x"}, commit="a")
    (repo.root / "link").symlink_to(outside / "secret")
    (repo.root / "folder/secret").unlink()
    (repo.root / "folder").rmdir()
    (repo.root / "folder").symlink_to(outside)
    tree = WorkTree(reader(repo))
    assert sorted(tree.blobs()) == ["a"]
    assert tree.symlinks() == {"link", "folder"}
    assert tree.read(["folder/secret", "link"]) == {}


@pytest.mark.parametrize("name", ["with space", "größe/ü", "日本", 'quo"te\ttab', "a\nb"])
def test_any_path_is_read_from_the_work_tree_and_from_a_commit(repo, reader, name):
    repo.gen({name: "x"})
    assert WorkTree(reader(repo)).read([name]) == {name: b"x"}
    commit = repo.gen({name: "x"}, commit="a")
    assert CommitTree(reader(repo), commit).read([name]) == {name: b"x"}
    assert WorkTree(reader(repo)).read([name]) == {name: b"x"}


def test_contents_are_read_byte_for_byte_in_one_go(repo, reader):
    files = {"empty": b"", "binary": bytes(range(256)), "lines": b"a\r\nb\n\n", "twin": b""}
    commit = repo.gen(files, commit="a")
    assert CommitTree(reader(repo), commit).read([*files, "absent"]) == files


def test_a_missing_object_is_an_error_and_not_an_empty_file(repo, reader):
    repo.gen({"a": "x"}, commit="a")
    with pytest.raises(GitError, match="is missing"):
        read_blobs(reader(repo), ["f" * 40])


def test_reading_writes_nothing(repo, reader):
    commit = repo.gen({"a": "x"}, commit="a")
    repo.gen({"a": "y"})
    before = sorted((path, path.stat().st_mtime_ns) for path in repo.root.rglob("*"))
    tree = WorkTree(reader(repo))
    tree.read(tree.blobs())
    CommitTree(reader(repo), commit).read(["a"])
    assert sorted((path, path.stat().st_mtime_ns) for path in repo.root.rglob("*")) == before


def test_a_merged_tree_takes_each_path_from_the_side_that_changed_it(repo, reader):
    base = repo.gen({"same": "0", "ours": "0", "theirs": "0", "both": "0", "gone": "0", "dropped": "0"}, commit="base")
    repo.git("checkout", "--quiet", "-b", "records")
    other = repo.gen(
        {"theirs": "records", "both": "records", "registry/new": "records", "gone": None}, commit="records"
    )
    repo.git("checkout", "--quiet", "main")
    head = repo.gen({"ours": "head", "both": "head"}, commit="head")
    repo.gen({"untracked": "work", "dropped": None})
    assert base != head
    tree = MergedTree(WorkTree(reader(repo)), reader(repo), head=head, other=other)
    expected = {
        "same": b"0",
        "ours": b"head",
        "theirs": b"records",
        "both": b"head",
        "registry/new": b"records",
        "untracked": b"work",
    }
    assert sorted(tree.blobs()) == sorted(expected)
    assert tree.read([*expected, "gone", "dropped"]) == expected


# the cache


def test_the_cache_gives_back_what_was_put_and_flushed(tmp_path):
    cache = BlobCache(tmp_path / "cache")
    cache.put("kind", "1" * 40, {"a": ["ü", 1, None, "\ud800"]})
    cache.flush()
    assert BlobCache(tmp_path / "cache").get("kind", "1" * 40) == {"a": ["ü", 1, None, "\ud800"]}
    assert BlobCache(tmp_path / "cache").get("kind", "2" * 40) is None


def test_a_changed_file_of_the_work_tree_is_never_cached(tmp_path):
    cache = BlobCache(tmp_path / "cache")
    cache.put("kind", "worktree:1:2:3:a", [1])
    cache.flush()
    assert BlobCache(tmp_path / "cache").get("kind", "worktree:1:2:3:a") is None


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b'{"version": "another", "blobs": {"1": 1}}',
        b'{"version": "another"}',
        b'{"blobs": 1}',
        b"[" * 100_000,
    ],
)
def test_a_damaged_cache_is_an_empty_one_and_is_replaced(tmp_path, damage):
    (tmp_path / "kind.json").write_bytes(damage)
    cache = BlobCache(tmp_path)
    assert cache.get("kind", "1") is None
    cache.put("kind", "1", [1])
    cache.flush()
    assert BlobCache(tmp_path).get("kind", "1") == [1]


def test_a_cache_of_another_release_is_forgotten(tmp_path):
    cache = BlobCache(tmp_path)
    cache.put("kind", "1", [1])
    cache.flush()
    stored = json.loads((tmp_path / "kind.json").read_text())
    text = (tmp_path / "kind.json").read_text()
    (tmp_path / "kind.json").write_text(text.replace(stored["version"], "0.0.0", 1))
    assert BlobCache(tmp_path).get("kind", "1") is None


def test_a_cache_in_which_one_value_was_changed_is_forgotten(tmp_path):
    cache = BlobCache(tmp_path)
    cache.put("kind", "1", ["right"])
    cache.flush()
    assert BlobCache(tmp_path).get("kind", "1") == ["right"]
    text = (tmp_path / "kind.json").read_text()
    (tmp_path / "kind.json").write_text(text.replace("right", "wrong"))
    assert BlobCache(tmp_path).get("kind", "1") is None


def test_a_cache_that_cannot_be_written_costs_only_time(tmp_path):
    (tmp_path / "cache").write_text("a file where the folder should be")
    cache = BlobCache(tmp_path / "cache")
    assert cache.get("kind", "1") is None
    cache.put("kind", "1", [1])
    cache.flush()
    assert (tmp_path / "cache").read_text() == "a file where the folder should be"


def test_how_far_two_commits_are_apart(repo, reader):
    repo.gen({"a": "1"}, commit="one")
    base = repo.head()
    repo.gen({"a": "2"}, commit="two")
    repo.gen({"a": "3"}, commit="three")
    mine = repo.head()
    repo.git("reset", "--quiet", "--hard", base)
    repo.gen({"b": "1"}, commit="theirs")
    read = reader(repo)
    assert read.apart(mine, repo.head()) == (2, 1)
    assert (read.apart(base, mine), read.apart(mine, base), read.apart(mine, mine)) == ((0, 2), (2, 0), (0, 0))


def test_no_value_of_the_environment_is_shown_with_a_reader_or_a_workspace(repo):
    workspace = Workspace.open(repo.root, environ={**os.environ, "TOKEN": "s3cret"})
    assert "s3cret" not in f"{workspace!r} {workspace} {workspace.reader!r}"
