"""Requests to GitHub that meet what the world does to requests.

A refused rate limit was not carried out: wait as told and repeat. Nobody knows that of a request that the server or the
network lost, so one that makes something is repeated only after a look whether it is there.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeVar

from stellwerk.adapters.forge.patience import is_limit
from stellwerk.adapters.forge.refusal import NOT_FOUND, SERVER_ERROR, ForgeError, not_github, refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from github.Requester import Requester

    from stellwerk.adapters.forge.patience import Patience

ACCEPT = "application/vnd.github+json"
NEXT = re.compile(r'<([^>]+)>\s*;\s*rel="next"')
T = TypeVar("T")


class Exchange:
    """Requests about one repository ("owner/name"). Paths are below it: `/issues/3`, and "" for itself."""

    def __init__(self, requester: Requester, *, repository: str, patience: Patience) -> None:
        self.requester = requester
        self.repository = repository
        self.patience = patience

    def get(self, path: str, *, doing: str, needs: str, **query: str | int) -> Any:
        """What is there, as JSON."""
        return self._carry_out(lambda: self._send("GET", path, query=query)[1], doing=doing, needs=needs)

    def exists(self, path: str, *, doing: str, needs: str) -> bool:
        """Whether it is there, in a repository that the token is known to see; other refusals stay errors."""
        try:
            self.get(path, doing=doing, needs=needs)
        except ForgeError as error:
            if error.status == NOT_FOUND:
                return False
            raise
        return True

    def pages(self, path: str, *, doing: str, needs: str, **query: str | int) -> Iterator[Any]:
        """The entries of a list, page by page."""
        address, parameters = path, {"per_page": 100, **query}
        while address:
            headers, entries = self._carry_out(
                lambda address=address, parameters=parameters: self._send("GET", address, query=parameters),  # type: ignore[misc]
                doing=doing,
                needs=needs,
            )
            yield from entries
            following = NEXT.search(headers.get("link", ""))
            address, parameters = (following[1], {}) if following else ("", {})

    def change(self, verb: str, path: str, given: Any = None, *, doing: str, needs: str) -> Any:
        """Send what may be sent twice (PATCH, DELETE, labels); the answer as JSON."""
        return self._carry_out(lambda: self._send(verb, path, given=given)[1], doing=doing, needs=needs)

    def make(
        self, verb: str, path: str, given: Any, *, look: Callable[[], T | None], doing: str, needs: str
    ) -> Any | T:
        """Send what must not be carried out twice; `look` finds what an earlier try made after all."""
        return self._carry_out(lambda: self._send(verb, path, given=given)[1], doing=doing, needs=needs, look=look)

    def graphql(self, query: str, variables: Mapping[str, Any], *, doing: str, needs: str) -> Any:
        """The `data` of the answer. Only what may be sent twice."""
        return self._carry_out(
            lambda: self.requester.graphql_query(query, dict(variables))[1]["data"], doing=doing, needs=needs
        )

    def _send(
        self, verb: str, path: str, *, query: Mapping[str, str | int] | None = None, given: Any = None
    ) -> tuple[dict[str, Any], Any]:
        if verb != "GET":
            self.patience.before_write()
        url = path if path.startswith("http") else f"/repos/{self.repository}{path}"
        return self.requester.requestJsonAndCheck(verb, url, dict(query or {}) or None, {"Accept": ACCEPT}, given)

    def _carry_out(
        self, send: Callable[[], T], *, doing: str, needs: str, look: Callable[[], T | None] | None = None
    ) -> T:
        from github import GithubException

        attempt = 0
        while True:
            attempt += 1
            told = 0.0
            try:
                return send()
            except GithubException as error:
                if is_limit(error):
                    self.patience.for_limit(error, attempt=attempt, where=self.repository)
                    continue
                if error.status < SERVER_ERROR:
                    sees = self._sees_repository() if error.status == NOT_FOUND else None
                    raise refusal(error, doing=doing, needs=needs, where=self.repository, sees=sees) from error
                reason = f"status {error.status}"
                told = self.patience.told(error.headers or {}) or 0.0
            except OSError as error:  # of the connection; those of `requests` are such
                reason = type(error).__name__
            except (RuntimeError, AssertionError, KeyError, TypeError, ValueError) as error:
                raise not_github(doing, str(error), where=self.repository) from error
            self.patience.for_recovery(reason, attempt=attempt, where=self.repository, at_least=told)
            if look is not None and (found := look()) is not None:
                return found

    def _sees_repository(self) -> bool:
        from github import GithubException

        try:
            self._send("GET", "")
        except (GithubException, OSError):
            return False
        return True
