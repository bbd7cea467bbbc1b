"""Content by hash in real DVC repositories with local remotes."""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from stellwerk.adapters.dvc.session import public_url, without_credentials
from stellwerk.adapters.dvc.setup import init_dvc
from stellwerk.adapters.dvc.store import DvcStore
from stellwerk.errors import StellwerkError

ROWS = "day,sold\n1,2\n"


def md5(content: str) -> str:
    return hashlib.md5(content.encode()).hexdigest()


@pytest.fixture
def store(repo) -> DvcStore:
    init_dvc(repo.root)
    repo.gen({".dvc/config": (repo.root / ".dvc/config").read_bytes()}, commit="set up")
    return DvcStore(repo.root)


@pytest.fixture
def storage(store: DvcStore) -> Path:
    return store.root.parent / "repo.storage"


def emptied(store: DvcStore) -> None:
    for path in (store.root / ".dvc/cache").rglob("*"):
        if path.is_file():
            path.unlink()


def package(tmp_path: Path) -> Path:
    folder = tmp_path / "package"
    (folder / "code/über").mkdir(parents=True)
    (folder / "model.pkl").write_bytes(b"\x00model")
    (folder / "code/über/a b.py").write_text("x = 1\n")
    (folder / "empty").write_text("")
    return folder


def tree(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def add(repo, store, path):
    """Track it, and write what is to be committed, as the commit does."""
    added = store.add(path)
    repo.gen(added.files)
    return added


def test_adding_a_file_gives_its_pointer_and_ignores_it(repo, store):
    repo.gen({"data/sales.csv": ROWS})
    assert not (repo.root / "data/sales.csv.dvc").exists()
    added = add(repo, store, "data/sales.csv")
    assert added.pointer.md5 == md5(ROWS)
    assert added.pointer.size == len(ROWS)
    assert added.pointer.path == "data/sales.csv"
    assert set(added.files) == {"data/sales.csv.dvc", "data/.gitignore"}
    assert added.files["data/.gitignore"] == b"/sales.csv\n"
    assert (repo.root / "data/.gitignore").read_text() == "/sales.csv\n"
    assert subprocess.run(["dvc", "status", "-q"], cwd=repo.root, check=False).returncode == 0


def test_adding_again_is_the_same_and_a_change_gives_a_new_pointer(repo, store):
    repo.gen({"data/sales.csv": ROWS})
    first = add(repo, store, "data/sales.csv")
    assert store.add("data/sales.csv") == first
    (repo.root / "data/sales.csv").unlink()
    repo.gen({"data/sales.csv": ROWS + "2,3\n"})
    second = store.add("data/sales.csv")
    assert second.pointer.md5 == md5(ROWS + "2,3\n")
    assert second.files["data/.gitignore"] == b"/sales.csv\n"


def test_adding_keeps_what_a_person_wrote_into_the_pointer(repo, store):
    repo.gen({"data/sales.csv": ROWS})
    add(repo, store, "data/sales.csv")
    pointer = repo.root / "data/sales.csv.dvc"
    pointer.write_text(pointer.read_text() + "meta:\n  owner: sales\n")
    assert b"owner: sales" in store.add("data/sales.csv").files["data/sales.csv.dvc"]


def test_adding_never_takes_the_file_away(repo, store):
    repo.gen({"data/sales.csv": ROWS})
    before = (repo.root / "data/sales.csv").stat().st_ino
    store.add("data/sales.csv")
    assert (repo.root / "data/sales.csv").stat().st_ino == before
    assert (store.root / ".dvc/cache/files/md5" / md5(ROWS)[:2] / md5(ROWS)[2:]).read_text() == ROWS


@pytest.mark.parametrize("place", ["cache", "remote"])
def test_the_empty_object_of_a_killed_copy_is_taken_for_absent(repo, store, storage, place):
    """DVC opens an object under its final name to see whether it can be a clone, and copies it afterwards."""
    repo.gen({"data/sales.csv": ROWS})
    hollow = (
        {"cache": store.root / ".dvc/cache", "remote": storage}[place] / "files/md5" / md5(ROWS)[:2] / md5(ROWS)[2:]
    )
    hollow.parent.mkdir(parents=True)
    hollow.touch()
    assert store.missing([md5(ROWS)], remote=None) == {md5(ROWS)}
    store.add("data/sales.csv")
    assert repo.read("data/sales.csv") == ROWS
    store.push([md5(ROWS)], remote=None)
    assert hollow.read_text() == ROWS
    assert store.missing([md5(ROWS)], remote=None) == frozenset()


def test_the_empty_objects_of_a_killed_copy_of_a_folder_are_made_whole(store, storage, tmp_path):
    name = store.cache_folder(package(tmp_path))
    for file in (store.root / ".dvc/cache/files").rglob("*"):
        if file.is_file() and not file.name.endswith(".dir"):
            file.chmod(0o644)
            file.write_bytes(b"")
    assert store.cache_folder(tmp_path / "package") == name
    store.push([name], remote="packages")
    emptied(store)
    store.fetch(name, tmp_path / "back", remote="packages")
    assert tree(tmp_path / "back") == tree(tmp_path / "package")


def test_adding_stages_nothing_in_git_and_prints_nothing(repo, store, capfd):
    before = repo.git("diff", "--cached", "--name-only")
    repo.gen({"data/sales.csv": ROWS, ".dvc/config.local": "[core]\n    autostage = true\n"})
    store.add("data/sales.csv")
    assert repo.git("diff", "--cached", "--name-only") == before
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", ["data/größe läuft.csv", "data/" + "n" * 200 + ".csv", "data/[a]*?.csv", "top.csv"])
def test_names_of_any_kind_are_added(repo, store, name):
    repo.gen({name: ROWS})
    assert store.add(name).pointer.md5 == md5(ROWS)
    assert repo.git("status", "--porcelain", "-z", "--", ":(literal)" + name) == ""


def test_adding_what_git_tracks_or_what_is_not_there_says_what_to_do(repo, store):
    repo.gen({"data/sales.csv": ROWS}, commit="by git")
    with pytest.raises(StellwerkError, match=r"git tracks data/sales\.csv") as caught:
        store.add("data/sales.csv")
    assert "git rm -r --cached data/sales.csv" in caught.value.hint
    with pytest.raises(StellwerkError, match=r"there is no file data/none\.csv"):
        store.add("data/none.csv")


def test_adding_below_a_tracked_folder_is_refused(repo, store):
    repo.gen({"data/sales.csv": ROWS})
    add(repo, store, "data")
    with pytest.raises(StellwerkError, match="a folder that DVC tracks") as caught:
        store.add("data/sales.csv")
    assert caught.value.where == "data.dvc"


def test_a_folder_is_pushed_with_its_files_and_comes_back_into_an_empty_cache(store, storage, tmp_path):
    folder = package(tmp_path)
    name = store.cache_folder(folder)
    assert name.endswith(".dir")
    assert store.missing([name], remote="packages") == {name}
    store.push([name], remote="packages")
    assert store.missing([name], remote="packages") == frozenset()
    assert store.missing([name], remote="storage") == {name}
    emptied(store)
    store.fetch(name, tmp_path / "back", remote="packages")
    assert tree(tmp_path / "back") == tree(folder)


def test_what_is_fetched_can_be_changed_without_changing_the_cache(store, tmp_path):
    name = store.cache_folder(package(tmp_path))
    store.fetch(name, tmp_path / "one", remote=None)
    (tmp_path / "one/model.pkl").write_bytes(b"changed")
    store.fetch(name, tmp_path / "two", remote=None)
    assert (tmp_path / "two/model.pkl").read_bytes() == b"\x00model"


def test_scripts_of_a_fetched_folder_may_be_executed(store, tmp_path):
    folder = package(tmp_path)
    (folder / "predict.sh").write_text("#!/bin/sh\necho 1\n")
    store.fetch(store.cache_folder(folder), tmp_path / "out", remote=None)
    assert subprocess.check_output([tmp_path / "out/predict.sh"]) == b"1\n"
    assert not os.access(tmp_path / "out/model.pkl", os.X_OK)


def test_a_fetch_replaces_what_stood_there(store, tmp_path):
    name = store.cache_folder(package(tmp_path))
    (tmp_path / "out").mkdir()
    (tmp_path / "out/old").write_text("old")
    store.fetch(name, tmp_path / "out", remote=None)
    assert "old" not in tree(tmp_path / "out")
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".out")] == []


def test_a_folder_that_lost_a_file_in_the_remote_is_missing_and_pushed_again(store, storage, tmp_path):
    name = store.cache_folder(package(tmp_path))
    store.push([name], remote=None)
    gone = hashlib.md5(b"\x00model").hexdigest()
    (storage / "files/md5" / gone[:2] / gone[2:]).unlink()
    assert store.missing([name], remote=None) == {name}
    store.push([name], remote=None)
    assert store.missing([name], remote=None) == frozenset()


def test_an_emptied_remote_is_asked_and_not_remembered(store, storage, tmp_path):
    name = store.cache_folder(package(tmp_path))
    store.push([name], remote=None)
    shutil.rmtree(storage)
    assert store.missing([name], remote=None) == {name}


def test_a_damaged_cache_is_healed_from_the_remote(repo, store):
    repo.gen({"data/sales.csv": ROWS})
    name = store.add("data/sales.csv").pointer.md5
    store.push([name], remote=None)
    cached = repo.root / ".dvc/cache/files/md5" / name[:2] / name[2:]
    cached.chmod(0o644)
    cached.write_text("damaged")
    cached.chmod(0o444)
    store.fetch(name, repo.root / "back.csv", remote=None)
    assert repo.read("back.csv") == ROWS


def test_a_damaged_remote_is_an_error_and_leaves_nothing(repo, store, storage):
    repo.gen({"data/sales.csv": ROWS})
    name = store.add("data/sales.csv").pointer.md5
    store.push([name], remote=None)
    (repo.root / "data/sales.csv").unlink()
    emptied(store)
    there = storage / "files/md5" / name[:2] / name[2:]
    there.chmod(0o644)
    there.write_text("damaged")
    there.chmod(0o444)
    with pytest.raises(StellwerkError, match="not there, or damaged") as caught:
        store.fetch(name, repo.root / "back.csv", remote=None)
    assert str(storage) in caught.value.where
    assert not (repo.root / "back.csv").exists()
    assert not list((repo.root / ".dvc/cache/files/md5").rglob(name[2:]))


def test_a_clone_that_does_not_reach_the_storage_folder_is_told_how_to_move_it(repo, store, storage):
    repo.gen({"data/sales.csv": ROWS})
    name = store.add("data/sales.csv").pointer.md5
    store.push([name], remote=None)
    emptied(store)
    storage.rename(storage.with_name("elsewhere"))
    with pytest.raises(StellwerkError, match="that folder is not on this machine") as caught:
        store.fetch(name, repo.root / "back.csv", remote=None)
    assert str(storage) in caught.value.where
    assert "dvc remote modify" in caught.value.hint


def test_pushing_what_nobody_has_is_an_error_that_names_the_remote(store, storage):
    with pytest.raises(StellwerkError, match="neither in the cache nor in the remote") as caught:
        store.push(["0" * 32], remote="storage")
    assert caught.value.where == f"remote 'storage' ({storage})"
    with pytest.raises(StellwerkError, match="cannot fetch"):
        store.fetch("0" * 32, storage / "x", remote=None)
    with pytest.raises(StellwerkError, match="neither in the cache"):
        store.push(["0" * 32 + ".dir"], remote="storage")


def test_pushing_what_only_the_remote_has_is_enough(store, tmp_path):
    name = store.cache_folder(package(tmp_path))
    store.push([name], remote=None)
    emptied(store)
    store.push([name], remote=None)


def test_an_unknown_remote_says_how_to_add_it(store, tmp_path):
    with pytest.raises(StellwerkError, match="no remote named 'lake'") as caught:
        store.missing(["0" * 32], remote="lake")
    assert "dvc remote add lake URL" in caught.value.hint
    assert "packages, storage" in caught.value.hint


def test_a_folder_without_dvc_says_init(repo):
    with pytest.raises(StellwerkError, match="not a DVC repository") as caught:
        DvcStore(repo.root).missing(["0" * 32], remote=None)
    assert "stellwerk init" in caught.value.hint


def test_no_default_remote_says_how_to_add_one(repo, store):
    subprocess.run(["dvc", "config", "--unset", "core.remote"], cwd=repo.root, check=True)
    with pytest.raises(StellwerkError, match="no DVC remote is set"):
        store.missing(["0" * 32], remote=None)


def test_a_remote_that_cannot_be_written_is_an_error_and_claims_nothing(store, storage, tmp_path):
    name = store.cache_folder(package(tmp_path))
    storage.write_text("a file where the remote's folder should be")
    with pytest.raises(StellwerkError, match="cannot push") as caught:
        store.push([name], remote=None)
    assert str(storage) in caught.value.where


@contextmanager
def mounted(path: Path, options: str) -> Iterator[None]:
    """A small file system at `path`; skips where this process may not mount one."""
    path.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", path], capture_output=True, check=False)
    if done.returncode:
        pytest.skip("this process may not mount a small file system")
    try:
        yield
    finally:
        subprocess.run(["umount", path], check=True)


def test_a_read_only_remote_is_an_error_and_claims_nothing(store, storage, tmp_path):
    name = store.cache_folder(package(tmp_path))
    with mounted(storage, "ro"):
        with pytest.raises(StellwerkError, match="Read-only file system") as caught:
            store.push([name], remote=None)
        assert f"remote 'storage' ({storage})" == caught.value.where
        assert store.missing([name], remote=None) == {name}


def test_a_remote_out_of_space_is_an_error_and_claims_nothing(store, storage, tmp_path):
    folder = package(tmp_path)
    (folder / "big").write_bytes(os.urandom(200_000))
    name = store.cache_folder(folder)
    with mounted(storage, "size=64k"):
        with pytest.raises(StellwerkError, match="No space left on device") as caught:
            store.push([name], remote=None)
        assert "'storage'" in caught.value.where
        assert store.missing([name], remote=None) == {name}


def test_local_paths_are_the_cache_and_the_local_remotes(repo, store, storage):
    subprocess.run(["dvc", "remote", "add", "-q", "cloud", "s3://bucket/x"], cwd=repo.root, check=True)
    assert store.local_paths() == tuple(sorted((repo.root / ".dvc/cache", storage, storage / "packages")))
    assert store.remote_names() == ("cloud", "packages", "storage")


def test_loggers_are_as_they_were_after_a_call(store):
    before = [(logging.getLogger(n).level, logging.getLogger(n).handlers[:]) for n in ("dvc", "dvc.progress")]
    store.remote_names()
    after = [(logging.getLogger(n).level, logging.getLogger(n).handlers[:]) for n in ("dvc", "dvc.progress")]
    assert after == before


def test_addresses_are_shown_without_credentials():
    assert public_url("ssh://ada:secret@host:22/data?token=x") == "ssh://host:22/data"
    assert public_url("/mnt/data") == "/mnt/data"
    text = "cannot reach https://ada:secret@host/data?sig=abc"
    assert "secret" not in without_credentials(text, ())
    assert "abc" not in without_credentials(text, ("https://ada:secret@host/data?sig=abc",))
