"""Setting up DVC: what is made, what is left alone."""

from __future__ import annotations

import subprocess

import pytest

from stellwerk.adapters.dvc.setup import init_dvc
from stellwerk.adapters.dvc.store import DvcStore
from stellwerk.errors import StellwerkError


def config(repo, *args) -> str:
    done = subprocess.run(["dvc", "config", *args], cwd=repo.root, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def test_a_new_repository_gets_links_and_both_remotes_and_nothing_is_staged(repo):
    assert init_dvc(repo.root) == (".dvc/config", ".dvc/.gitignore", ".dvcignore")
    assert config(repo, "core.analytics") == "false"
    assert config(repo, "cache.type") == "['hardlink', 'symlink', 'copy']"
    assert config(repo, "core.remote") == "storage"
    assert DvcStore(repo.root).remote_names() == ("packages", "storage")
    assert DvcStore(repo.root).local_paths()[-1] == repo.root.parent / "repo.storage/packages"
    assert repo.git("diff", "--cached", "--name-only") == ""


def test_the_default_storage_is_found_by_a_clone_beside_the_repository(repo, tmp_path):
    files = init_dvc(repo.root)
    repo.gen({path: repo.read(path) for path in files}, commit="set up")
    repo.gen({"a.csv": "a\n"})
    store = DvcStore(repo.root)
    md5 = store.add("a.csv").pointer.md5
    store.push([md5], remote=None)
    clone = repo.clone()
    DvcStore(clone.root).fetch(md5, clone.root / "a.csv", remote=None)
    assert clone.read("a.csv") == "a\n"


def test_a_second_time_changes_nothing(repo):
    init_dvc(repo.root)
    before = repo.read(".dvc/config")
    assert init_dvc(repo.root) == ()
    assert repo.read(".dvc/config") == before


def test_what_a_person_configured_stays_with_its_comments(repo):
    subprocess.run(["dvc", "init", "-q"], cwd=repo.root, check=True)
    text = """# ours
[core]
    remote = lake  # the company's
    analytics = true
[cache]
    type = copy
['remote "lake"']
    url = s3://lake/ml
"""
    repo.gen({".dvc/config": text})
    assert init_dvc(repo.root) == (".dvc/config",)
    assert repo.read(".dvc/config") == text + "['remote \"packages\"']\n    url = remote://lake/packages\n"
    assert DvcStore(repo.root).remote_names() == ("lake", "packages")
    assert config(repo, "remote.packages.url") == "remote://lake/packages"


def test_a_storage_url_is_used_and_a_relative_path_is_relative_to_the_repository(repo):
    init_dvc(repo.root, storage_url="../shelf")
    assert DvcStore(repo.root).local_paths()[-2:] == (repo.root.parent / "shelf", repo.root.parent / "shelf/packages")
    assert init_dvc(repo.root, storage_url="../shelf") == ()
    with pytest.raises(StellwerkError, match="points to") as caught:
        init_dvc(repo.root, storage_url="s3://elsewhere")
    assert "dvc remote modify storage url s3://elsewhere" in caught.value.hint


def test_addresses_with_commas_quotes_and_hashes_survive(repo):
    init_dvc(repo.root, storage_url="s3://bucket/a,b #c")
    assert config(repo, "remote.storage.url") == "s3://bucket/a,b #c"


def test_a_broken_configuration_is_left_alone_and_named(repo):
    init_dvc(repo.root)
    repo.gen({".dvc/config": "[core\nremote=\n"})
    with pytest.raises(StellwerkError, match="cannot read its configuration") as caught:
        init_dvc(repo.root)
    assert caught.value.where == ".dvc/config"
    assert repo.read(".dvc/config") == "[core\nremote=\n"


def test_without_git_it_says_git_init(tmp_path):
    with pytest.raises(StellwerkError, match="cannot set up DVC") as caught:
        init_dvc(tmp_path)
    assert "git init" in caught.value.hint
