"""A remote of DVC on S3 that goes away in the middle of a push and comes back."""

from __future__ import annotations

import subprocess
import threading

import pytest
from projects import Project, build
from quick_project import files, run, training

pytest.importorskip("dvc_s3", reason="needs the extra s3")
pytest.importorskip("moto.server", reason="needs moto[server]")


class Pond:
    """A server of S3 with one bucket, which can be stopped and started at one address; what it holds stays."""

    def __init__(self) -> None:
        from moto.server import ThreadedMotoServer

        self._kind, self.port, self.puts, self.breaks_after = ThreadedMotoServer, 0, 0, None
        self.start()

    def start(self) -> None:
        self._server = self._kind(ip_address="127.0.0.1", port=self.port, verbose=False)
        self._server.start()
        self.up = True
        self.port = self._server.get_host_and_port()[1]
        self.breaks_after = None

    def stop(self) -> None:
        """It takes no more requests; what it is just answering it answers."""
        if self.up:
            self.up = False
            threading.Thread(target=self._server.stop).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@pytest.fixture
def pond(monkeypatch):
    import boto3
    from moto.s3.responses import S3Response

    for name, value in {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing-secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_MAX_ATTEMPTS": "1",
    }.items():
        monkeypatch.setenv(name, value)
    server, put = Pond(), S3Response.put_object

    def counted(response):
        server.puts += 1
        if server.puts == server.breaks_after:
            server.stop()
        return put(response)

    monkeypatch.setattr(S3Response, "put_object", counted)
    client = boto3.client("s3", endpoint_url=server.address)
    client.create_bucket(Bucket="outage")
    server.client = client
    yield server
    if not server.up:
        server.start()
    for item in client.list_objects_v2(Bucket="outage").get("Contents", ()):
        client.delete_object(Bucket="outage", Key=item["Key"])
    client.delete_bucket(Bucket="outage")
    server.stop()


def keys(pond) -> set[str]:
    return {item["Key"] for item in pond.client.list_objects_v2(Bucket="outage").get("Contents", ())}


def test_a_push_that_a_remote_s_outage_cuts_off_is_finished_by_the_next_run(stand_ins, repo, refused, pond):
    project = build(Project(repo), files({"a": training(1.0)}, production=None))
    for key, value in (("url", "s3://outage/storage"), ("endpointurl", pond.address), ("connect_timeout", "1")):
        subprocess.run(["dvc", "remote", "modify", "-q", "storage", key, value], cwd=repo.root, check=True)
    repo.git("commit", "--quiet", "--all", "--message", "to S3")
    refused(run(project, "snapshot", "sales", "--because", "first"), 0)
    data = keys(pond)
    assert len(data) == 1
    pond.breaks_after = pond.puts + 1
    refused(run(project, "reconcile"), 1, "remote 'packages'", "cannot push", "check that the remote exists")
    assert (project.trainings(), repo.status()) == ([], "")
    assert pond.up is False
    pond.start()
    refused(run(project, "reconcile"), 0)
    assert project.trainings() == ["train: a v1"]
    assert (project.steps(), repo.status()) == ([], "")
    assert len(keys(pond) - data) == 3
