"""DVC remotes and sources on S3, for real, against a server in this process."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from stellwerk.adapters.dvc import DvcStore, fetch_source, init_dvc
from stellwerk.errors import StellwerkError
from stellwerk.model.declared import Dataset, Source

pytest.importorskip("dvc_s3", reason="needs the extra s3")
pytest.importorskip("moto.server", reason="needs moto[server]")


@pytest.fixture
def s3(monkeypatch):
    """A server with an empty bucket `pond`; yields its address."""
    import boto3
    from moto.server import ThreadedMotoServer

    for name, value in {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing-secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    client = boto3.client("s3", endpoint_url=address)
    others = {bucket["Name"] for bucket in client.list_buckets()["Buckets"]}  # servers of one process share all
    client.create_bucket(Bucket="pond")
    try:
        yield client
    finally:
        for name in {bucket["Name"] for bucket in client.list_buckets()["Buckets"]} - others:
            while items := client.list_objects_v2(Bucket=name).get("Contents"):
                for item in items:
                    client.delete_object(Bucket=name, Key=item["Key"])
            client.delete_bucket(Bucket=name)
        server.stop()


@pytest.fixture
def store(repo, s3) -> DvcStore:
    init_dvc(repo.root, storage_url="s3://pond/storage")
    configure(repo, "remote.storage.endpointurl", s3.meta.endpoint_url)
    files = {name: repo.read(name) for name in (".dvc/config", ".dvc/.gitignore", ".dvcignore")}
    repo.gen(files, commit="set up")
    return DvcStore(repo.root)


def configure(repo, key: str, value: str) -> None:
    subprocess.run(["dvc", "config", "-q", key, value], cwd=repo.root, check=True)


def package(tmp_path: Path) -> Path:
    folder = tmp_path / "package"
    (folder / "code").mkdir(parents=True)
    (folder / "model.pkl").write_bytes(b"\x00model")
    (folder / "code/ü.py").write_text("x = 1\n")
    return folder


def keys(s3) -> set[str]:
    return {item["Key"] for item in s3.list_objects_v2(Bucket="pond").get("Contents", ())}


def test_a_fresh_clone_with_an_empty_cache_gets_data_and_package_from_s3(repo, s3, store, tmp_path, capfd):
    repo.gen({"data/sales.csv": "day,sold\n1,2\n"})
    data = store.add("data/sales.csv").pointer.md5
    trained = store.cache_folder(package(tmp_path))
    assert store.missing([data], remote=None) == {data}
    store.push([data], remote=None)
    store.push([trained], remote="packages")
    assert store.missing([data, trained], remote=None) == {trained}
    assert store.missing([trained], remote="packages") == frozenset()
    assert f"storage/files/md5/{data[:2]}/{data[2:]}" in keys(s3)
    assert f"storage/packages/files/md5/{trained[:2]}/{trained[2:]}" in keys(s3)
    clone = repo.clone()
    other = DvcStore(clone.root)
    other.fetch(data, clone.root / "data/sales.csv", remote=None)
    other.fetch(trained, tmp_path / "back", remote="packages")
    assert clone.read("data/sales.csv") == "day,sold\n1,2\n"
    assert (tmp_path / "back/model.pkl").read_bytes() == b"\x00model"
    assert (tmp_path / "back/code/ü.py").read_text() == "x = 1\n"
    assert capfd.readouterr().out == ""


def test_what_somebody_deletes_from_s3_is_missing_and_pushed_again(s3, store, tmp_path):
    trained = store.cache_folder(package(tmp_path))
    store.push([trained], remote="packages")
    gone = next(key for key in keys(s3) if not key.endswith(".dir"))
    s3.delete_object(Bucket="pond", Key=gone)
    assert store.missing([trained], remote="packages") == {trained}
    store.push([trained], remote="packages")
    assert gone in keys(s3)


def test_a_bucket_that_does_not_exist_is_named(repo, s3, store, tmp_path):
    configure(repo, "remote.storage.url", "s3://nowhere/storage")
    trained = store.cache_folder(package(tmp_path))
    with pytest.raises(StellwerkError, match="cannot") as caught:
        store.push([trained], remote=None)
    assert caught.value.where == "remote 'storage' (s3://nowhere/storage)"
    with pytest.raises(StellwerkError):
        store.fetch("0" * 32, tmp_path / "x", remote=None)


@pytest.fixture
def forbidding() -> Iterator[str]:
    """The address of a server that answers 403 to everything."""

    class Forbid(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(403)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_HEAD = do_PUT = do_POST = answer  # noqa: N815 - names of the library

        def log_message(self, *args) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Forbid) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_server_that_forbids_is_an_error_that_speaks_of_rights_and_claims_nothing(repo, store, forbidding, tmp_path):
    trained = store.cache_folder(package(tmp_path))
    configure(repo, "remote.storage.endpointurl", forbidding)
    for ask in (store.push, store.missing):
        with pytest.raises(StellwerkError, match=r"(?i)cannot .*forbidden") as caught:
            ask([trained], remote=None)
        assert caught.value.where == "remote 'storage' (s3://pond/storage)"
        assert "credentials" in caught.value.hint


@pytest.mark.slow
def test_an_unreachable_server_is_an_error_and_claims_nothing(repo, s3, store, tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")  # botocore waits longer from one to the next
    trained = store.cache_folder(package(tmp_path))
    configure(repo, "remote.storage.endpointurl", "http://127.0.0.1:9")
    configure(repo, "remote.storage.connect_timeout", "1")
    with pytest.raises(StellwerkError, match="cannot push") as caught:
        store.push([trained], remote=None)
    assert "s3://pond/storage" in caught.value.where
    with pytest.raises(StellwerkError):
        store.missing([trained], remote=None)
    assert keys(s3) == set()


def test_a_source_may_be_an_object_of_a_configured_remote(repo, s3, store):
    s3.put_object(Bucket="pond", Key="storage/raw/sales.csv", Body=b"rows\n")
    into = repo.root / "data/.new"
    into.mkdir(parents=True)
    dataset = Dataset(name="sales", path="data/sales.csv", source=Source(url="remote://storage/raw/sales.csv"))
    assert fetch_source(dataset, repo.root, into=into).read_text() == "rows\n"
    missing = Dataset(name="sales", path="data/sales.csv", source=Source(url="remote://storage/raw/none.csv"))
    with pytest.raises(StellwerkError, match=r"cannot download remote://storage/raw/none\.csv"):
        fetch_source(missing, repo.root, into=into)
