"""A remote that asks for credentials, which the clone's own git configuration holds as a CI checkout leaves them."""

from __future__ import annotations

import os
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from projects import Project

from stellwerk.errors import StellwerkError
from stellwerk.planning.portion import Portion

TOKEN = "basic eC1hY2Nlc3MtdG9rZW46c2VjcmV0"  # x-access-token:secret


class GitServer(BaseHTTPRequestHandler):
    """Git's own HTTP backend behind a door that asks for TOKEN."""

    projects: Path
    refused: list[str]

    def do_GET(self):  # the handler's own way to name it
        self.answer(b"")

    def do_POST(self):
        self.answer(self.rfile.read(int(self.headers["Content-Length"])))

    def answer(self, body: bytes) -> None:
        if self.headers.get("Authorization") != TOKEN:
            self.refused.append(self.path)
            self.send_response(401)
            self.send_header("WWW-Authenticate", "Basic")
            self.end_headers()
            return
        path, _, query = self.path.partition("?")
        environ = {
            **os.environ,
            "GIT_PROJECT_ROOT": str(self.projects),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "REMOTE_USER": "ci",
        }
        said = subprocess.run(["git", "http-backend"], env=environ, input=body, capture_output=True, check=True).stdout
        head, _, content = said.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        self.send_response(int(fields.pop("Status", "200").split()[0]))
        for name, value in fields.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server(tmp_path):
    """The address of the folder `served`; `refused` are the requests that came without the token."""
    folder = tmp_path / "served"
    folder.mkdir()
    handler = type("Handler", (GitServer,), {"projects": folder, "refused": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as listening:
        thread = threading.Thread(target=listening.serve_forever)
        thread.start()
        listening.url, listening.refused = f"http://127.0.0.1:{listening.server_address[1]}", handler.refused
        yield listening
        listening.shutdown()
        thread.join()


@pytest.fixture
def checkout(small, server, tmp_path, monkeypatch):
    """A shallow clone whose local configuration holds the token, as actions/checkout leaves it."""
    monkeypatch.setenv("GIT_TERMINAL_PROMPT", "0")
    small.workspace.render(check=False, force=(), directory=small.root)
    small.repo.git("add", "models")
    small.repo.git("commit", "--quiet", "--message", "render")
    small.workspace.snapshot("sales", because="the start", push=False)
    bare = tmp_path / "served" / "project.git"
    small.repo.git("clone", "--quiet", "--bare", str(small.root), str(bare))
    small.repo.git("-C", str(bare), "config", "http.receivepack", "true")
    folder = tmp_path / "checkout"
    header = f"http.{server.url}/.extraheader=AUTHORIZATION: {TOKEN}"
    small.repo.git("clone", "--quiet", "--depth=1", "--config", header, f"{server.url}/project.git", str(folder))
    return Project(type(small.repo)(folder))


def test_the_credentials_of_the_clone_fetch_and_push_with_several_jobs_at_once_too(checkout, server, small):
    outcome = checkout.reconcile(jobs=2, portion=Portion(render=False, training=True, place="", models=("demand",)))
    assert (outcome.problems, outcome.pushed) == ((), "main to origin")
    assert server.refused == []
    small.repo.git("fetch", "--quiet", str(small.root.parent / "served/project.git"), "main")
    assert small.repo.log("FETCH_HEAD")[0].startswith("train: demand v1")


def test_without_credentials_the_error_says_that_access_is_refused(checkout, server):
    before = checkout.repo.head()
    checkout.repo.git("config", "--local", "--unset", f"http.{server.url}/.extraheader")
    with pytest.raises(StellwerkError) as caught:
        checkout.reconcile(portion=Portion(render=False))
    assert caught.value.exit_code == 1
    assert (checkout.repo.head(), bool(server.refused)) == (before, True)
    assert checkout.workspace.jobs(base=None, trainings=None, removals=None).training[""]  # from what is here
