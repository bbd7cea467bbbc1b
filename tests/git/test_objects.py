"""Trees that are edited in memory are those git itself would make."""

import itertools
import subprocess

import pytest
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st

from stellwerk.adapters.git.objects import LOOSE, Entry, NewObjects, TreeEditor
from stellwerk.errors import StellwerkError

NAMES = ["a", "a.b", "a0", "b", "ü", "Z"]
PATHS = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map("/".join)
CONTENTS = st.one_of(st.none(), st.binary(max_size=3), st.just(b"x" * 5000))
CHANGES = st.dictionaries(PATHS, CONTENTS, max_size=6)


def git_would_make(repo, changes, entries, tree):
    """The tree after the changes by an index of its own."""
    repo.git("read-tree", tree) if tree else repo.git("read-tree", "--empty")
    zero = "0" * 40
    lines = [f"{item.mode} {item.id}\t{path}" if item else f"0 {zero}\t{path}" for path, item in entries.items()]
    subprocess.run(
        ["git", "update-index", "-z", "--index-info"], cwd=repo.root, input="\0".join([*lines, ""]).encode(), check=True
    )
    return repo.git("write-tree")


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rounds=st.lists(CHANGES, min_size=1, max_size=3))
def test_any_changes_in_any_order_make_the_tree_git_makes(repo, reader, rounds):
    read = reader(repo)
    objects = NewObjects(read)
    editor, tree = TreeEditor(objects, None), ""
    for number, changes in enumerate(rounds):
        entries = {
            path: None
            if content is None
            else Entry("100755" if path.endswith("b") else "100644", objects.add("blob", content))
            for path, content in changes.items()
        }
        try:
            made = editor.change(entries)
        except StellwerkError:  # a file where a folder is needed: git would drop one of them
            reject()
        objects.store()
        assert made == git_would_make(repo, changes, entries, tree)
        tree = made
        if number == 0:  # the rest is read from git again
            commit = repo.git("commit-tree", tree, "-m", "x")
            editor = TreeEditor(objects, commit)
    repo.git("fsck", "--strict", "--no-dangling")


@pytest.mark.parametrize("form", ["sha1", "sha256"])
def test_every_kind_of_object_has_the_id_and_content_git_gives_it(tmp_path, repo, reader, form):
    root = tmp_path / form
    subprocess.run(["git", "init", "--quiet", f"--object-format={form}", root], check=True)
    made = type(repo)(root)
    objects = NewObjects(reader(made))
    sizes = sorted({size for base in (0, 16, 2048, 262144) for size in (base - 1, base, base + 1) if size >= 0})
    contents = [bytes(itertools.islice(itertools.cycle(b"stellwerk\n\0"), size)) for size in sizes]
    ids = [objects.add("blob", content) for content in contents]
    objects.store()
    assert [int(made.git("cat-file", "-s", name)) for name in ids] == sizes
    made.git("fsck", "--strict", "--no-dangling")


def test_what_a_folder_lost_last_takes_the_folder_and_frees_its_name(repo, reader):
    commit = repo.gen({"a/b/c": "x", "d": "y"}, commit="start")
    editor = TreeEditor(NewObjects(reader(repo)), commit)
    blob = editor.entries(["d"])["d"]
    tree = editor.change({"a/b/c": None, "a": blob, "d": None, "d/e": blob})
    editor.objects.store()
    assert repo.git("ls-tree", "-r", "--name-only", tree).splitlines() == ["a", "d/e"]
    with pytest.raises(StellwerkError, match="a folder is needed") as caught:
        editor.change({"a/b": blob})
    assert caught.value.where == "a"


def test_a_commit_is_signed_where_git_is_configured_to(repo, writer, tmp_path):
    repo.gen({"a": "x"}, commit="start")
    signer = tmp_path / "signer"
    signer.write_text(
        "#!/bin/sh\ncat >/dev/null\necho '[GNUPG:] SIG_CREATED ' >&2\n"
        "echo '-----BEGIN PGP SIGNATURE-----'\necho signed\necho '-----END PGP SIGNATURE-----'\n"
    )
    signer.chmod(0o755)
    repo.git("config", "commit.gpgsign", "true")
    repo.git("config", "gpg.program", signer)
    commit = writer(repo).commit({"b": b"y"}, "signed")
    assert "\ngpgsig -----BEGIN PGP SIGNATURE-----" in repo.git("cat-file", "commit", commit)


@pytest.mark.parametrize(("count", "packs"), [(LOOSE, 0), (LOOSE + 1, 1)])
def test_many_new_objects_stay_in_one_pack_and_few_become_files(repo, reader, count, packs):
    objects = NewObjects(reader(repo))
    names = {objects.add("blob", f"{number}\n".encode()): f"{number}\n" for number in range(count)}
    objects.store()
    said = dict(line.split(": ") for line in repo.git("count-objects", "-v").splitlines())
    assert (int(said["packs"]), int(said["count"])) == (packs, 0 if packs else count)
    assert {name: repo.git("cat-file", "blob", name) for name in names} == {k: v.strip() for k, v in names.items()}
