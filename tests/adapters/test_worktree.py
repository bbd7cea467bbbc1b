"""Work trees of trainings: DVC sees there what it sees in the repository, and several may come and go at once."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from stellwerk.adapters.crew import Crew
from stellwerk.adapters.dvc.session import opened
from stellwerk.adapters.dvc.setup import init_dvc
from stellwerk.adapters.dvc.store import DvcStore
from stellwerk.adapters.dvc.worktree import MEMORY, ROOMS, work_tree

MODELS = 3


@pytest.fixture
def commit(repo) -> str:
    """A commit with a snapshot that only the remote holds; the remote's address is relative."""
    init_dvc(repo.root)
    repo.gen({"data/sales.csv": "day,sold\n1,2\n", ".gitignore": "local.storage\n"})
    added = DvcStore(repo.root).add("data/sales.csv")
    config = {name: repo.read(name) for name in (".dvc/config", ".dvc/.gitignore", ".dvcignore", ".gitignore")}
    made = repo.gen({**added.files, **config, "models/demand/demand.py": ""}, commit="declare")
    DvcStore(repo.root).push([added.pointer.md5], remote="storage")
    shutil.rmtree(repo.root / ".dvc/cache")
    return made


def places(root: Path) -> tuple[Path, ...]:
    """The cache and the folders of local remotes, as DVC sees them from there."""
    with opened(root, doing="look") as session:
        return tuple(path.resolve() for path in session.local_paths())


def dvc(repo, *args: str) -> None:
    subprocess.run(["dvc", *args], cwd=repo.root, check=True, capture_output=True)


def test_a_relative_remote_is_the_same_folder_in_the_work_tree(repo, commit):
    assert "../" in repo.read(".dvc/config")
    with work_tree(repo.root, commit) as tree:
        assert places(tree.root) == places(repo.root)


def test_a_remote_and_a_cache_that_only_this_machine_has_count_in_the_work_tree(repo, commit):
    dvc(repo, "remote", "add", "--local", "near", "../near.storage")
    dvc(repo, "config", "--local", "cache.dir", "../../cache of its own")
    dvc(repo, "remote", "modify", "--local", "storage", "url", "local.storage")
    with work_tree(repo.root, commit) as tree:
        seen = places(tree.root)
        assert seen == places(repo.root)
    assert {path.name for path in seen} >= {"near.storage", "cache of its own", "local.storage"}
    assert ".dvc" not in {path.parent.name for path in seen}


def test_work_trees_come_and_go_in_several_processes_at_once(repo, commit):
    """Git itself stumbles over a work tree that is half there, unless one is added or removed at a time."""

    def come_and_go(asker) -> None:
        for _ in range(8):
            with work_tree(repo.root, commit) as tree:
                tree.require(["models/demand/demand.py"])

    with Crew() as crew:
        for number in range(4):
            crew.start(str(number), come_and_go)
        ends = []
        while crew.busy:
            ends += crew.wait(1)
    assert [(said.kind, said.value) for said in ends] == [("result", None)] * 4
    assert len(repo.git("worktree", "list").splitlines()) == 1
    assert list((repo.root / ROOMS).iterdir()) == []


def test_the_same_snapshot_may_be_fetched_by_several_at_once(repo, commit):
    (pointer,) = (repo.root / "data").glob("*.dvc")
    md5 = pointer.read_text().partition("md5: ")[2].split()[0]

    def fetch(asker) -> bytes:
        target = repo.root.parent / asker.ask("ready")
        DvcStore(repo.root).fetch(md5, target, remote="storage")
        return target.read_bytes()

    with Crew() as crew:
        for number in range(MODELS):
            crew.start(str(number), fetch)
        ends, ready = [], []
        while crew.busy:
            for said in crew.wait(1):
                (ready if said.kind == "ask" else ends).append(said)
                if len(ready) == MODELS:  # all set off at the same moment
                    for one in ready:
                        crew.answer(one.job, one.job)
                    ready.clear()
    assert [said.value for said in ends] == [b"day,sold\n1,2\n"] * MODELS


@pytest.mark.parametrize("room", [0, 1 << 60], ids=["memory", "disk"])
def test_dvc_s_notes_of_a_training_go_with_it(repo, commit, monkeypatch, room):
    monkeypatch.setattr("stellwerk.adapters.dvc.worktree.ENOUGH", room)
    monkeypatch.delenv("DVC_SITE_CACHE_DIR")
    with work_tree(repo.root, commit) as tree, opened(tree.root, doing="look") as session:
        notes = Path(session.repo.site_cache_dir)
        assert notes.is_dir()
        assert notes.is_relative_to(tree.notes)
        assert notes.is_relative_to(tree.room) == bool(room or not MEMORY.is_dir())
        assert tree.room.name in str(notes)
    assert not [place for place in (notes, *notes.parents) if tree.room.name in place.name and place.exists()]
