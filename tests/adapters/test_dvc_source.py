"""Where a new snapshot comes from."""

from __future__ import annotations

import time

import pytest

from stellwerk.adapters.dvc import fetch_source, put_in_place
from stellwerk.adapters.dvc.setup import init_dvc
from stellwerk.adapters.dvc.store import DvcStore
from stellwerk.errors import StellwerkError
from stellwerk.model.declared import Dataset, Source


def sales(**source) -> Dataset:
    return Dataset(name="sales", path="data/sales.csv", source=Source(**source) if source else None)


@pytest.fixture
def into(repo):
    folder = repo.root / "data/.new"
    folder.mkdir(parents=True)
    return folder


def test_without_a_source_the_file_itself_is_the_source(repo, into):
    repo.gen({"data/sales.csv": "a\n"})
    for dataset in (sales(), sales(file="data/sales.csv")):
        fetched = fetch_source(dataset, repo.root, into=into)
        assert fetched == repo.root / "data/sales.csv"
        put_in_place(fetched, dataset, repo.root)
        assert repo.read("data/sales.csv") == "a\n"


def test_a_missing_file_says_what_to_do(repo, into):
    for dataset in (sales(), sales(file="export/sales.csv")):
        with pytest.raises(StellwerkError, match="there is no file"):
            fetch_source(dataset, repo.root, into=into)


def test_a_file_is_copied_and_moved_over_without_touching_the_cache(repo, into):
    init_dvc(repo.root)
    repo.gen({"data/sales.csv": "old\n", "export/sales.csv": "new\n"})
    store = DvcStore(repo.root)
    old = store.add("data/sales.csv").pointer.md5
    fetched = fetch_source(sales(file="export/sales.csv"), repo.root, into=into)
    assert repo.read("data/sales.csv") == "old\n"
    put_in_place(fetched, sales(), repo.root)
    assert repo.read("data/sales.csv") == "new\n"
    assert repo.read("export/sales.csv") == "new\n"
    store.fetch(old, repo.root / "back.csv", remote=None)
    assert repo.read("back.csv") == "old\n"


def test_a_file_outside_the_repository_is_refused_also_through_a_link(repo, into):
    (repo.root.parent / "secret.csv").write_text("x\n")
    (repo.root / "link.csv").symlink_to("../secret.csv")
    for path in ("../secret.csv", "link.csv"):
        with pytest.raises(StellwerkError, match="leaves the repository"):
            fetch_source(sales(file=path), repo.root, into=into)


def test_a_command_writes_the_file_that_a_variable_names(repo, into):
    repo.gen({"made.txt": "rows\n"})
    fetched = fetch_source(sales(command='cp made.txt "$STELLWERK_OUT"; echo noise'), repo.root, into=into)
    assert fetched.read_text() == "rows\n"
    assert fetched.parent == into


def test_a_command_that_fails_writes_nothing_or_hangs_says_so(repo, into):
    with pytest.raises(StellwerkError, match="exited with 3\n  no database") as caught:
        fetch_source(sales(command="echo no database >&2; exit 3"), repo.root, into=into)
    assert caught.value.where == "datasets.sales.source.command"
    with pytest.raises(StellwerkError, match="wrote nothing"):
        fetch_source(sales(command="true"), repo.root, into=into)
    start = time.monotonic()
    with pytest.raises(StellwerkError, match="ran out of time"):
        fetch_source(sales(command="sleep 60"), repo.root, into=into, timeout=0.2)
    assert time.monotonic() - start < 30


def test_the_values_of_secrets_do_not_reach_the_message(repo, into):
    with pytest.raises(StellwerkError) as caught:
        fetch_source(
            sales(command="echo password is $DB_PASSWORD; exit 1"),
            repo.root,
            into=into,
            environ={"DB_PASSWORD": "hunter2hunter2", "PATH": "/usr/bin:/bin"},
        )
    assert "password is ***" in caught.value.message
    assert "hunter2" not in caught.value.message


def test_a_url_is_what_dvc_can_read_remotes_included(repo, into):
    init_dvc(repo.root, storage_url="../shelf")
    shelf = repo.root.parent / "shelf"
    shelf.mkdir()
    (shelf / "sales.csv").write_text("rows\n")
    fetched = fetch_source(sales(url="remote://storage/sales.csv"), repo.root, into=into)
    assert fetched.read_text() == "rows\n"


def test_an_unreachable_url_is_an_error_without_its_credentials(repo, into):
    init_dvc(repo.root)
    with pytest.raises(StellwerkError, match="cannot download") as caught:
        fetch_source(sales(url="http://ada:secret@127.0.0.1:9/sales.csv?token=abc"), repo.root, into=into)
    assert "secret" not in caught.value.message
    assert "abc" not in caught.value.message
    assert "http://127.0.0.1:9/sales.csv" in caught.value.message
