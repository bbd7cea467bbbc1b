"""Commits of the reconciler: whole or not at all, and nothing of a person's is lost."""

import subprocess

import pytest

from stellwerk.adapters.git.write import merge_branch
from stellwerk.errors import StellwerkError

FIRST = {"mlops.yaml": "version: 1\n", "registry/churn/1/version.yaml": "number: 1\n", "run.sh": "#!/bin/sh\n"}


def test_a_commit_holds_the_changes_and_the_author_and_leaves_a_clean_work_tree(repo, writer):
    repo.gen(FIRST, commit="declare")
    commit = writer(repo).commit({"a/b.yaml": b"x: 1\n", "mlops.yaml": None}, "promote: churn v1\n\nbody\n")
    assert repo.head() == commit
    assert repo.git("log", "-1", "--format=%an <%ae>|%cn|%B").strip() == (
        "Robot <robot@example.com>|Robot|promote: churn v1\n\nbody"
    )
    assert repo.git("show", "--name-status", "--format=", "HEAD").splitlines() == ["A\ta/b.yaml", "D\tmlops.yaml"]
    assert repo.status() == ""
    assert repo.read("a/b.yaml") == "x: 1\n"
    assert not (repo.root / "mlops.yaml").exists()


def test_what_a_person_staged_or_edited_stays_as_it_was(repo, writer):
    repo.gen({**FIRST, "notes.md": "a\n", "other.md": "a\n"}, commit="declare")
    repo.gen({"notes.md": "staged\n", "other.md": "edited\n", "new.md": "untracked\n"})
    repo.git("add", "notes.md")
    before = repo.status()
    writer(repo).commit({"a.yaml": b"x: 1\n"}, "add")
    assert repo.status() == before
    assert repo.git("show", "--name-only", "--format=", "HEAD") == "a.yaml"


def test_the_last_file_of_a_folder_takes_the_folder_with_it(repo, writer):
    repo.gen({**FIRST, "deep/er/file": "x"}, commit="declare")
    writer(repo).commit({"deep/er/file": None}, "remove")
    assert not (repo.root / "deep").exists()
    assert repo.root.is_dir()


@pytest.mark.parametrize("staged", [False, True])
@pytest.mark.parametrize("wanted", [b"version: 3\n", None])
def test_a_file_with_uncommitted_changes_is_refused_and_nothing_is_lost(repo, writer, staged, wanted):
    repo.gen(FIRST, commit="declare")
    repo.gen({"mlops.yaml": "version: 2 # mine\n"})
    if staged:
        repo.git("add", "mlops.yaml")
    before = repo.head(), repo.status()
    with pytest.raises(StellwerkError, match="uncommitted changes") as caught:
        writer(repo).commit({"mlops.yaml": wanted, "a.yaml": b"x"}, "change")
    assert caught.value.where == "mlops.yaml"
    assert (repo.head(), repo.status()) == before
    assert repo.read("mlops.yaml") == "version: 2 # mine\n"


def test_what_is_only_staged_is_refused_too(repo, writer):
    repo.gen(FIRST, commit="declare")
    repo.gen({"mlops.yaml": "version: 2 # staged\n"})
    repo.git("add", "mlops.yaml")
    repo.gen({"mlops.yaml": FIRST["mlops.yaml"]})
    with pytest.raises(StellwerkError, match="uncommitted changes"):
        writer(repo).commit({"mlops.yaml": b"version: 3\n"}, "change")
    assert repo.git("show", ":mlops.yaml") == "version: 2 # staged"


def test_a_file_that_already_has_the_new_content_is_no_obstacle(repo, writer):
    repo.gen(FIRST, commit="declare")
    repo.gen({"mlops.yaml": "version: 2\n"})
    repo.git("add", "mlops.yaml")
    writer(repo).commit({"mlops.yaml": b"version: 2\n"}, "change")
    assert repo.status() == ""


def test_windows_line_ends_made_by_git_are_no_uncommitted_change(repo, writer):
    repo.gen({**FIRST, ".gitattributes": "*.yaml text eol=crlf\n"}, commit="declare")
    (repo.root / "mlops.yaml").unlink()
    repo.git("checkout", "--", "mlops.yaml")
    assert (repo.root / "mlops.yaml").read_bytes() == b"version: 1\r\n"
    writer(repo).commit({"mlops.yaml": b"version: 2\n"}, "change")
    assert repo.git("show", "HEAD:mlops.yaml") == "version: 2"
    assert repo.status() == ""


def test_a_ref_that_moved_meanwhile_is_not_overwritten(repo, writer):
    first = repo.gen(FIRST, commit="declare")
    second = repo.gen({"b": "x"}, commit="somebody else")
    made = writer(repo)
    commit = made.write_commit(first, {"a": b"x"}, "late")
    with pytest.raises(StellwerkError, match="refs/heads/main moved while this run was working"):
        made.move("refs/heads/main", commit, expected=first, message="late")
    with pytest.raises(StellwerkError, match="moved while"):
        made.move("refs/heads/main", commit, expected=None, message="late")
    assert repo.head() == second


def test_a_ref_that_cannot_be_set_says_gits_own_words(repo, writer):
    first = repo.gen(FIRST, commit="declare")
    repo.git("branch", "stellwerk")
    with pytest.raises(StellwerkError, match=r"refs/heads/stellwerk/records cannot be set: .*stellwerk"):
        writer(repo).move("refs/heads/stellwerk/records", first, expected=None, message="new")


def test_a_reset_never_drops_a_commit_it_does_not_know(repo, writer):
    first = repo.gen(FIRST, commit="declare")
    ours = writer(repo).commit({"a": b"x"}, "ours")
    theirs = repo.gen({"b": "x"}, commit="a person's")
    with pytest.raises(StellwerkError, match="moved while"):
        writer(repo).reset(first, drop=ours)
    assert repo.head() == theirs
    repo.gen({"notes.md": "mine\n"})
    writer(repo).reset(first, drop=theirs)
    assert (repo.head(), repo.status()) == (first, "?? notes.md")


@pytest.fixture
def killed(repo, writer):
    """A commit whose run was killed after the ref moved and before the work tree followed."""
    repo.gen({**FIRST, "gone.yaml": "x: 1\n"}, commit="declare")
    made = writer(repo)

    def stop(*_, **__):
        raise KeyboardInterrupt

    made.checkout.follow = stop
    with pytest.raises(KeyboardInterrupt):
        made.commit({"mlops.yaml": b"version: 2\n", "gone.yaml": None, "new.yaml": b"x: 2\n"}, "change")
    return repo


def test_the_next_run_brings_the_work_tree_up_to_what_a_killed_one_committed(killed, writer):
    assert killed.log()[0] == "change"
    assert killed.status() != ""
    assert writer(killed).finish_sync() == ("gone.yaml", "mlops.yaml", "new.yaml")
    assert killed.status() == ""
    assert killed.read("mlops.yaml") == "version: 2\n"
    assert writer(killed).finish_sync() == ()


def test_finishing_a_killed_run_never_overwrites_a_persons_edit(killed, writer):
    killed.gen({"mlops.yaml": "version: 1 # mine\n", "new.yaml": "mine\n"})
    assert writer(killed).finish_sync() == ("gone.yaml",)
    assert killed.read("mlops.yaml") == "version: 1 # mine\n"
    assert killed.read("new.yaml") == "mine\n"
    assert killed.git("diff", "--cached", "--name-only") == ""
    assert sorted(killed.status().splitlines()) == [" M mlops.yaml", " M new.yaml"]


@pytest.mark.parametrize("note", [b"", b"{", b"[]", b'{"commit": 1}', b"\xff"])
def test_a_damaged_note_is_no_obstacle(repo, writer, note):
    repo.gen(FIRST, commit="declare")
    made = writer(repo)
    made.notes.mkdir(parents=True)
    (made.notes / "sync.json").write_bytes(note)
    assert made.finish_sync() == ()
    made.commit({"a": b"x"}, "go on")
    assert repo.status() == ""


def test_a_note_of_a_commit_that_was_dropped_is_forgotten(killed, writer):
    killed.git("reset", "--quiet", "--hard", "HEAD^")
    assert writer(killed).finish_sync() == ()
    assert killed.status() == ""


def test_an_unborn_branch_gets_its_first_commit(repo, writer):
    commit = writer(repo).commit({"a/b.yaml": b"x: 1\n"}, "first")
    assert repo.head() == commit
    assert repo.git("rev-list", "--count", "HEAD") == "1"
    assert repo.status() == ""


def test_a_ref_that_is_not_checked_out_moves_without_touching_the_work_tree(repo, writer):
    first = repo.gen(FIRST, commit="declare")
    made = writer(repo, "refs/heads/stellwerk/records")
    made.move(made.ref, first, expected=None, message="create")
    commit = made.commit({"mlops.yaml": b"version: 2\n"}, "record")
    assert repo.git("rev-parse", "stellwerk/records") == commit
    assert (repo.head(), repo.status(), repo.read("mlops.yaml")) == (first, "", "version: 1\n")


def test_modes_and_links_survive_a_commit(repo, writer):
    repo.gen(FIRST)
    (repo.root / "run.sh").chmod(0o755)
    (repo.root / "other.sh").write_text("x")
    (repo.root / "other.sh").chmod(0o755)
    (repo.root / "link").symlink_to("mlops.yaml")
    repo.git("add", "--all")
    repo.git("commit", "--quiet", "--message", "declare")
    writer(repo).commit({"run.sh": b"#!/bin/sh\ntrue\n", "a": b"x"}, "change")
    modes = {line.split("\t")[1]: line[:6] for line in repo.git("ls-tree", "-r", "HEAD").splitlines()}
    assert (modes["run.sh"], modes["other.sh"], modes["link"], modes["a"]) == ("100755", "100755", "120000", "100644")
    assert repo.status() == ""
    assert (repo.root / "run.sh").stat().st_mode & 0o111


def test_nothing_is_written_through_a_link(repo, writer, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    repo.gen(FIRST)
    (repo.root / "environments").symlink_to(outside)
    repo.git("add", "--all")
    repo.git("commit", "--quiet", "--message", "declare")
    head = repo.head()
    with pytest.raises(StellwerkError, match="symbolic link") as caught:
        writer(repo).commit({"environments/churn.yaml": b"version: 1\n"}, "promote")
    assert caught.value.where == "environments/churn.yaml"
    assert (list(outside.iterdir()), repo.head(), repo.status()) == ([], head, "")


def test_a_file_where_a_folder_is_needed_is_an_error_that_says_so(repo, writer):
    head = repo.gen({**FIRST, "environments": "a file\n"}, commit="declare")
    with pytest.raises(StellwerkError, match="a folder is needed"):
        writer(repo).commit({"environments/churn.yaml": b"version: 1\n"}, "promote")
    assert (repo.head(), repo.status(), repo.read("environments")) == (head, "", "a file\n")


@pytest.mark.parametrize(
    "name", ["with space.yaml", "größe/ü.yaml", "日本/モデル.yaml", 'quo"te\ttab.yaml', "-dash", "a\nb"]
)
def test_any_path_can_be_committed(repo, writer, reader, name):
    repo.gen(FIRST, commit="declare")
    writer(repo).commit({name: b"x: 1\n"}, "add")
    assert repo.status() == ""
    assert (repo.root / name).read_bytes() == b"x: 1\n"
    writer(repo).commit({name: None}, "remove")
    assert repo.status() == ""


def test_a_repository_with_sha256_works_the_same(tmp_path, repo, writer):
    root = tmp_path / "sha256"
    subprocess.run(["git", "init", "--quiet", "--initial-branch=main", "--object-format=sha256", root], check=True)
    made = type(repo)(root)
    first = writer(made).commit({"a.yaml": b"x: 1\n", "b.yaml": b"x: 1\n"}, "first")
    assert len(first) == 64
    second = writer(made).commit({"a.yaml": None, "b.yaml": b"x: 2\n"}, "second")
    assert (made.head(), made.status()) == (second, "")
    assert made.git("ls-tree", "--name-only", "HEAD") == "b.yaml"


def test_merging_a_branch_keeps_both_sides_and_moves_only_the_records_ref(repo, writer):
    first = repo.gen(FIRST, commit="declare")
    records = writer(repo, "refs/heads/records")
    assert merge_branch(records, first, "merge") == first
    record = records.commit({"registry/churn/2/version.yaml": b"number: 2\n"}, "train")
    assert merge_branch(records, first, "merge") == record
    second = repo.gen({"mlops.yaml": "version: 1 # more\n"}, commit="more")
    tip = merge_branch(records, second, "merge: the branch\n\nTrailer: x\n")
    assert repo.git("rev-list", "--parents", "-1", tip).split()[1:] == [record, second]
    assert repo.git("show", f"{tip}:mlops.yaml") == "version: 1 # more"
    assert repo.git("show", f"{tip}:registry/churn/2/version.yaml") == "number: 2"
    assert (repo.head(), repo.status()) == (second, "")


def test_a_merge_conflict_names_the_files_and_moves_nothing(repo, writer):
    first = repo.gen({**FIRST, "fine.yaml": "a\n"}, commit="declare")
    records = writer(repo, "refs/heads/records")
    merge_branch(records, first, "merge")
    tip = records.commit({"mlops.yaml": b"theirs\n", "run.sh": b"theirs\n", "fine.yaml": b"b\n"}, "records")
    second = repo.gen({"mlops.yaml": "ours\n", "run.sh": "ours\n"}, commit="ours")
    with pytest.raises(StellwerkError) as caught:
        merge_branch(records, second, "merge")
    assert caught.value.message == "refs/heads/records and the branch both changed mlops.yaml, run.sh"
    assert records.tip() == tip
    assert repo.status() == ""
