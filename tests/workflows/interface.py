"""GitHub's interface over the simulated forge: one set of pull requests, tokens and branches for jobs and for the interface."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import GitHub

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "forge"))

from github_answers import Answer
from github_server import REPOSITORY, GitHubServer, served
from published import Exchanged

__all__ = ["REPOSITORY", "Interface", "served"]


@dataclass
class Interface(GitHubServer):
    """What jobs find at GITHUB_API_URL. `github` is the forge that it speaks for."""

    github: GitHub | None = None

    def _answer(self, request: Exchanged, path: str, headers: dict[str, str]) -> Answer:
        """As the owner of the token, in the repository as it is now."""
        repository = self.github.repository
        word, _, value = request.headers.get("Authorization", "").partition(" ")
        known = repository.token(value) if word == "token" else None
        self.token = value if known else "nobody's"
        if known:
            self.viewer = known.identity
            self.rights = {f"{name}: {level}" for name, level in known.permissions.items()}
            if "pull-requests: write" in self.rights and self._of_pull(path):
                self.rights.add("issues: write")  # comments and labels of a pull request need one of the two
        self._look()
        return super()._answer(request, path, headers)

    def _of_pull(self, path: str) -> bool:
        comment = re.fullmatch(r"/issues/comments/(\d+)", path)
        if comment and int(comment[1]) in self.comments:
            path = self.comments[int(comment[1])]["issue_url"].partition(REPOSITORY)[2]
        issue = re.match(r"/issues/(\d+)", path)
        return path.startswith("/labels") or (issue is not None and int(issue[1]) in self.pulls)

    def _look(self) -> None:
        listed = self.github.repository.git("for-each-ref", "--format=%(refname:lstrip=2) %(objectname)", "refs/heads")
        self.branches = dict(line.split(" ") for line in listed.splitlines())
        for pull in self.pulls.values():
            if pull["state"] == "open" and pull["head"]["ref"] in self.branches:
                pull["head"]["sha"] = self.branches[pull["head"]["ref"]]

    def propose(self, head: str, *, title: str, by: str = "ada", fork: Path | None = None) -> int:
        """A person's pull request into main; its number."""
        self._look()
        return self.open_pull(head, "main", title=title, body="", by=by, fork=fork)["number"]

    def open_pull(
        self, head: str, base: str, *, title: str, body: str, by: str, fork: Path | None = None
    ) -> dict[str, Any]:
        opened = super().open_pull(head, base, title=title, body=body, by=by)
        self.github.open_pull_request(
            head, title=title, base=base, body=body, author=by, number=opened["number"], fork=fork
        )
        return opened

    def close(self, number: int, *, by: str) -> None:
        super().close(number, by=by)
        request = self.github.repository.pull_requests.get(number)
        if request is not None and request.state == "open":
            self.github.close(request, by=by)

    def merge(self, number: int, *, by: str = "") -> None:
        """As the owner of the token, or as a person by the button."""
        with self._lock:
            self.viewer = by or self.viewer
            self._look()
            self.github.merge(self.github.repository.pull_requests[number], by=self.viewer)
            super().merge(number)
