"""Listing, deleting and asking on S3, against a server in this process."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import time
from pathlib import Path

import pytest

from stellwerk.adapters.dvc import DvcStore, init_dvc
from stellwerk.adapters.dvc.garbage import DvcGarbage

pytest.importorskip("dvc_s3", reason="needs the extra s3")
pytest.importorskip("moto.server", reason="needs moto[server]")

_SPEC = importlib.util.spec_from_file_location("s3_remotes", Path(__file__).parents[1] / "adapters/test_dvc_s3.py")
_REMOTES = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_REMOTES)
s3 = _REMOTES.s3
PACKAGES = int(os.environ.get("STELLWERK_TEST_S3_PACKAGES", "12"))


@pytest.fixture
def store(repo, s3):
    init_dvc(repo.root, storage_url="s3://pond/storage")
    subprocess.run(
        ["dvc", "config", "-q", "remote.storage.endpointurl", s3.meta.endpoint_url], cwd=repo.root, check=True
    )
    return DvcStore(repo.root)


def pushed(store, tmp_path, count):
    """Packages that share one file, in the remote and the cache; returns their hashes."""
    found = []
    for number in range(count):
        folder = tmp_path / "package"
        folder.mkdir(exist_ok=True)
        (folder / "shared.py").write_text("x = 1\n")
        (folder / "model.pkl").write_text(f"model {number}")
        found.append(store.cache_folder(folder))
    store.push(found, remote="packages")
    return found


def test_many_packages_are_asked_for_at_once_and_listed_and_deleted(repo, s3, store, tmp_path):
    found = pushed(store, tmp_path, PACKAGES)
    clone = DvcStore(repo.root)
    subprocess.run(["rm", "-rf", repo.root / ".dvc/cache"], check=True)
    start = time.perf_counter()
    assert clone.missing(found, remote="packages") == frozenset()
    print(f"{PACKAGES} packages on S3, fresh clone: {time.perf_counter() - start:.2f} s")  # noqa: T201 shown with -s
    start = time.perf_counter()
    s3.delete_object(Bucket="pond", Key=f"storage/packages/files/md5/{found[3][:2]}/{found[3][2:]}")
    assert clone.missing(found, remote="packages") == {found[3]}
    print(f"{PACKAGES} packages on S3, lists in the cache: {time.perf_counter() - start:.2f} s")  # noqa: T201 shown with -s

    listed_and_deleted(
        repo, store, found[:2], objects=2 * PACKAGES
    )  # a list and a model each, one shared file, one gone


def listed_and_deleted(repo, store, two, *, objects):
    """A listing tells size and age, and what goes goes alone."""
    first, second = two
    shelves = DvcGarbage(repo.root)
    cache, packages, storage = shelves.places()
    assert (cache.own, packages.own, packages.address) == (True, False, "s3://pond/storage/packages/files/md5")
    stored = {item.md5: item for item in shelves.stored(packages)}
    assert len(stored) == objects
    assert all(item.size > 0 and abs(item.modified - time.time()) < 600 for item in stored.values())
    assert shelves.stored(storage) == ()
    folders = shelves.folders([first, second, "0" * 32 + ".dir"], shelves.places())
    assert folders["0" * 32 + ".dir"] is None
    doomed = folders[first] - folders[second]
    assert len(doomed) == 2
    assert shelves.delete(packages, doomed) == 2
    assert stored.keys() - {item.md5 for item in shelves.stored(packages)} == doomed
    assert shelves.delete(packages, doomed) == 0
    assert store.missing([first, second], remote="packages") == {first}
