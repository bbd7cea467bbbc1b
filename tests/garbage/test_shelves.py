"""The cache and local remotes as places that hold objects."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from stellwerk.adapters.dvc import DvcStore, init_dvc
from stellwerk.adapters.dvc.garbage import DvcGarbage
from stellwerk.errors import StellwerkError


@pytest.fixture
def store(repo):
    init_dvc(repo.root)
    return DvcStore(repo.root)


def pushed(store, tmp_path, text):
    folder = tmp_path / text.replace(" ", "-")
    folder.mkdir()
    (folder / "shared.py").write_text("x = 1\n")
    (folder / "model.pkl").write_text(text)
    md5 = store.cache_folder(folder)
    store.push([md5], remote="packages")
    return md5


def test_what_is_pushed_while_garbage_is_deleted_stays(repo, store, tmp_path):
    first, second = pushed(store, tmp_path, "one"), pushed(store, tmp_path, "two")
    shelves = DvcGarbage(repo.root)
    (_, packages, _) = shelves.places()
    listed = {item.md5 for item in shelves.stored(packages)}
    late = pushed(store, tmp_path, "pushed after the listing")
    shelves.delete(packages, listed - shelves.folders([second], [])[second])
    assert store.missing([first, second, late], remote="packages") == {first}


def test_a_file_that_was_linked_into_the_cache_is_as_young_as_the_link(repo, store):
    repo.gen({"data/old.csv": "x\n1\n"})
    os.utime(repo.root / "data/old.csv", (0, 0))
    md5 = store.add("data/old.csv").pointer.md5
    shelves = DvcGarbage(repo.root)
    (cache, *_) = shelves.places()
    (item,) = shelves.stored(cache)
    assert item.md5 == md5
    assert abs(item.modified - time.time()) < 600


def test_two_names_of_one_folder_are_one_place_and_a_cache_outside_is_not_ours_alone(repo, store, tmp_path):
    repo.gen({".dvc/config.local": f"[cache]\n    dir = {tmp_path}/shared\n"})
    with (repo.root / ".dvc/config").open("a") as file:
        file.write("['remote \"twin\"']\n    url = remote://storage/packages\n")
    places = DvcGarbage(repo.root).places()
    assert [(place.name, place.own) for place in places] == [("cache", False), ("packages", False), ("storage", False)]
    with pytest.raises(StellwerkError, match="no remote named 'lake'"):
        DvcGarbage(repo.root).places(("lake",))


def test_what_the_run_cache_and_the_old_layout_know_of_erased_bytes_is_forgotten(repo, store):
    md5, other = "a" * 32, "b" * 32
    runs = repo.root / ".dvc/cache/runs/ab/abc"
    repo.gen({f".dvc/cache/runs/ab/abc/{name}": f"deps: [{{md5: {name}}}]\n" for name in (md5, other)})
    repo.gen({f".dvc/cache/{md5[:2]}/{md5[2:]}": "bytes of DVC 2"})
    assert DvcGarbage(repo.root).forget([md5]) == 2
    assert [file.name for file in runs.iterdir()] == [other]
    assert not Path(repo.root / f".dvc/cache/{md5[:2]}/{md5[2:]}").exists()


def test_an_object_that_cannot_be_deleted_is_an_error_that_names_the_place(repo, store, tmp_path, monkeypatch):
    md5 = pushed(store, tmp_path, "one")
    shelves = DvcGarbage(repo.root)
    (_, packages, _) = shelves.places()
    monkeypatch.setattr("dvc_data.hashfile.gc.gc", lambda *_: 0)
    with pytest.raises(StellwerkError, match="is still there after it was deleted") as caught:
        shelves.delete(packages, [md5])
    assert caught.value.where.startswith("packages (")
