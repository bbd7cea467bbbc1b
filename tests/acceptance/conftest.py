"""The two projects, each lived through once per session; their tests only look at what happened."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from machines import Way
from stories import Story

LONG = os.environ.get("STELLWERK_STORIES") == "all"
STORIES = pytest.StashKey[list[Story]]()


@pytest.fixture(scope="session")
def bucket():
    """An S3 server with an empty bucket `lake`; yields a client whose `meta.endpoint_url` is its address."""
    pytest.importorskip("dvc_s3", reason="needs the extra s3")
    pytest.importorskip("moto.server", reason="needs moto[server]")
    import boto3
    from machines import CREDENTIALS
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # a line per request would bury a failure
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    client = boto3.client(
        "s3",
        endpoint_url=f"http://{host}:{port}",
        region_name=CREDENTIALS["AWS_DEFAULT_REGION"],
        aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
    )
    client.create_bucket(Bucket="lake")
    try:
        yield client
    finally:
        for item in client.list_objects_v2(Bucket="lake").get("Contents", ()):
            client.delete_object(Bucket="lake", Key=item["Key"])
        client.delete_bucket(Bucket="lake")
        server.stop()


@pytest.fixture(scope="session")
def way(session_templates, forked) -> Way:
    """How a story starts the command: ordinarily forked, in the long form as a person does."""
    return Way() if LONG else Way(words=forked, variables=session_templates)


@pytest.fixture(scope="session")
def bike(shared_data, bucket, tmp_path_factory, pytestconfig, way) -> Iterator[Story]:
    """The story of `bike_story`, until a rollback that is still held."""
    from bike_story import live

    data, room = shared_data("bike_hour.csv"), tmp_path_factory.mktemp("bike")
    yield from _lived(lambda: live(room, data, bucket, way), room, pytestconfig)


@pytest.fixture(scope="session")
def credit(shared_data, bucket, tmp_path_factory, pytestconfig, way) -> Iterator[Story]:
    """The story of `credit_story`, until a rollback that was ended again."""
    from credit_story import live

    data, room = shared_data("credit_g.csv"), tmp_path_factory.mktemp("credit")
    yield from _lived(lambda: live(room, data, bucket, way), room, pytestconfig)


def _lived(live: Callable[[], Story], room: Path, config: pytest.Config) -> Iterator[Story]:
    story = live()
    config.stash.setdefault(STORIES, []).append(story)
    yield story
    (room / "transcript.txt").write_text(str(story.transcript), encoding="utf-8")


@pytest.hookimpl(tryfirst=True)  # before xdist reads the marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With several workers, a story is lived through by one of them."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            group = next((name for name in ("bike", "credit") if name in item.nodeid.lower()), "first steps")
            item.add_marker(pytest.mark.xdist_group(group))
            item.add_marker(pytest.mark.own_templates)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Where the time went, and where everything that was printed can be read."""
    for story in config.stash.get(STORIES, []):
        phases = story.transcript.seconds
        terminalreporter.section(f"{story.model}: {sum(phases.values()):.0f} s")
        for phase, seconds in phases.items():
            terminalreporter.write_line(f"{seconds:6.1f} s  {phase}")
        terminalreporter.write_line(f"everything that was typed and printed: {story.room}/transcript.txt")
