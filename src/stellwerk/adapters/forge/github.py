"""GitHub, and GitHub Enterprise Server, by PyGithub: it knows addresses, tokens, versions and errors of the interface.

Requests are sent one by one and answers are read as JSON: its objects would ask again behind our back for what an
answer lacks, and what is sent is to be exactly what is needed.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from stellwerk.adapters.forge.comments import Comments
from stellwerk.adapters.forge.exchange import Exchange
from stellwerk.adapters.forge.issues import Issues
from stellwerk.adapters.forge.pulls import Pulls
from stellwerk.adapters.forge.refusal import ForgeError
from stellwerk.adapters.forge.repository import Repository

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stellwerk.adapters.forge.patience import Patience
    from stellwerk.model.ports import Thing

API_VERSION = "2022-11-28"  # the one that Enterprise Servers know too
API_URL = "https://api.github.com"
TIMEOUT = 30  # seconds of silence
NAME = re.compile(r"[A-Za-z0-9-]+/[A-Za-z0-9._-]+")
LOOPBACK = ("127.0.0.1", "localhost", "::1")


class GitHub:
    """`Forge` for one repository ("owner/name"); see `model.ports`."""

    def __init__(self, *, api_url: str, repository: str, token: str, patience: Patience) -> None:
        try:
            from github import Auth, Github
        except ImportError as error:
            raise ForgeError(
                "PyGithub is not installed", where="GitHub", hint="pip install 'stellwerk[github]'"
            ) from error
        client = Github(
            base_url=api_url,
            auth=Auth.Token(token),
            api_version=API_VERSION,
            user_agent="stellwerk",
            timeout=TIMEOUT,
            retry=None,
            seconds_between_requests=None,
            seconds_between_writes=None,
        )
        exchange = Exchange(client.requester, repository=repository, patience=patience)
        facts = Repository(exchange)
        comments = Comments(exchange, facts)
        self._comments = comments
        self._pulls = Pulls(exchange, facts)
        self._issues = Issues(exchange, facts, comments)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str], *, patience: Patience) -> GitHub:
        """As GitHub Actions sets it: GITHUB_REPOSITORY, GITHUB_TOKEN and, elsewhere than github.com, GITHUB_API_URL."""
        repository = environ.get("GITHUB_REPOSITORY", "")
        if not NAME.fullmatch(repository):
            raise ForgeError(
                f"{repository!r} is no repository" if repository else "the repository is not named",
                where="GITHUB_REPOSITORY",
                hint="GitHub Actions sets it; elsewhere: export GITHUB_REPOSITORY=OWNER/NAME",
            )
        token = environ.get("GITHUB_TOKEN", "").strip()
        if not token:
            raise ForgeError(
                "there is no token for GitHub",
                where="GITHUB_TOKEN",
                hint="in a workflow: env: {GITHUB_TOKEN: '${{ github.token }}'}; elsewhere: export GITHUB_TOKEN",
            )
        api_url = environ.get("GITHUB_API_URL", "").rstrip("/") or API_URL
        parts = urlsplit(api_url)
        if not (
            parts.hostname and (parts.scheme == "https" or (parts.scheme, parts.hostname in LOOPBACK) == ("http", True))
        ):
            raise ForgeError(
                f"{api_url!r} is not an https address, and a token is not sent over any other",
                where="GITHUB_API_URL",
                hint=f"{API_URL}, or https://HOST/api/v3 of an Enterprise Server",
            )
        return cls(api_url=api_url, repository=repository, token=token, patience=patience)

    def pull_request(
        self, *, branch: str, base: str, title: str, body: str, merge: bool = False, labels: tuple[str, ...] = ()
    ) -> Thing:
        return self._pulls.keep(branch=branch, base=base, title=title, body=body, merge=merge, labels=tuple(labels))

    def comment(self, *, number: int, marker: str, body: str) -> Thing:
        return self._comments.keep(number=number, marker=marker, body=body)

    def issue(
        self, *, marker: str, title: str, body: str, labels: tuple[str, ...] = (), assignees: tuple[str, ...] = ()
    ) -> Thing:
        return self._issues.keep(marker=marker, title=title, body=body, labels=labels, assignees=assignees)

    def close_issue(self, *, marker: str, comment: str) -> Thing | None:
        return self._issues.close(marker=marker, comment=comment)

    def issues(self, *, marker_prefix: str = "") -> tuple[str, ...]:
        return self._issues.markers(marker_prefix)
