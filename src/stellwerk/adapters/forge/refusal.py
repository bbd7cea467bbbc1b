"""What a forge may answer instead of doing what it was asked, in words a person can act on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stellwerk.errors import StellwerkError

if TYPE_CHECKING:
    from github import GithubException

UNAUTHORIZED, FORBIDDEN, NOT_FOUND, GONE, INVALID, TOO_MANY = 401, 403, 404, 410, 422, 429
SERVER_ERROR = 500


class ForgeError(StellwerkError):
    """The forge did not do what it was asked. What git and DVC hold stands; the next run asks again.

    `status` is the HTTP status of a refusal, 0 where there was none.
    """

    def __init__(self, message: str, *, where: str = "", hint: str = "", status: int = 0) -> None:
        super().__init__(message, where=where, hint=hint)
        self.status = status


class ForgeDown(ForgeError):  # noqa: N818 - a state of the forge, no mistake of ours
    """The forge cannot be asked now: it is down, out of reach, or its rate limit is used up."""


def words_of(error: GithubException) -> str:
    """GitHub's own words: the message and every detail, of a REST answer or a GraphQL one."""
    data: Any = error.data
    if not isinstance(data, dict):
        return str(data or f"status {error.status}").strip()[:300]
    details = [_detail(entry) for entry in data.get("errors") or ()]
    message = str(data.get("message") or "").strip()
    if not message and not details:
        message = str(data.get("data") or f"status {error.status}").strip()[:300]
    return ": ".join(filter(None, (message, "; ".join(filter(None, details)))))


def _detail(entry: Any) -> str:
    if not isinstance(entry, dict):
        return str(entry)
    if entry.get("message"):
        return str(entry["message"])
    value = f" {entry['value']!r}" if entry.get("value") else ""
    return f"{entry.get('field', entry.get('resource', ''))}{value} is {entry.get('code', 'invalid')}"


def graphql_types(error: GithubException) -> frozenset[str]:
    """The kinds of the errors of a GraphQL answer (`FORBIDDEN`, `RATE_LIMITED`, ...)."""
    data: Any = error.data
    entries = (data.get("errors") or ()) if isinstance(data, dict) else ()
    return frozenset(str(entry.get("type", "")) for entry in entries if isinstance(entry, dict))


def refusal(error: GithubException, *, doing: str, needs: str, where: str, sees: bool | None = None) -> ForgeError:
    """The error of a refused request. `doing`: "open an issue"; `needs`: the permission it takes ("issues: write").

    `sees`: after a 404, whether the token sees the repository at all; a forge says the same of what is not there and
    of what it keeps from us.
    """
    words = words_of(error)
    status = error.status
    kinds = graphql_types(error)
    if kinds & {"FORBIDDEN", "INSUFFICIENT_SCOPES"}:
        status = FORBIDDEN
    message, hint = f"GitHub refuses to {doing}: {words}", ""
    if status == UNAUTHORIZED:
        message = f"GitHub does not know the token that should {doing}: {words}"
        hint = "the token in GITHUB_TOKEN is wrong, expired or revoked: make a new one, or use the job's own"
    elif status == FORBIDDEN and "not permitted to create or approve pull requests" in words:
        hint = (
            "allow it in the settings of the repository (Actions, General, Workflow permissions), or use a GitHub App:"
            " workflows: {identity: github-app}"
        )
    elif status == FORBIDDEN and "archived" in words:
        hint = "the repository is archived; unarchive it, or declare no forge"
    elif status == FORBIDDEN and (error.headers or {}).get("x-github-sso", "").startswith("required"):
        hint = "authorise the token for the organisation's single sign-on"
    elif status == FORBIDDEN:
        hint = f"the token lacks a right: give the job {_permissions(error, needs)}"
        hint += "; on a pull request from a fork there is no such token, and the job's summary holds the report"
    elif status == NOT_FOUND and sees is False:
        message = f"GitHub shows no repository {where} to this token: {words}"
        hint = f"the name in GITHUB_REPOSITORY is wrong, or the token is not for it: it needs {needs} there"
    elif status == NOT_FOUND:
        message = f"GitHub cannot {doing}: {words}"
        hint = f"it is not there any more, or the token may only read: give the job {_permissions(error, needs)}"
    return ForgeError(message, where=where, hint=hint, status=status)


def not_github(doing: str, answer: str, *, where: str) -> ForgeError:
    """The error of an answer that GitHub does not give: of another address, or of what stands between."""
    return ForgeError(
        f"the answer to {doing} is not GitHub's: {answer}",
        where=where,
        hint="GITHUB_API_URL must lead to GitHub's API itself; what leads elsewhere is not followed",
    )


def _permissions(error: GithubException, needs: str) -> str:
    accepted = (error.headers or {}).get("x-accepted-github-permissions")
    if not accepted:
        return f"`permissions: {{{needs}}}`"
    wanted = [part.strip().replace("=", ": ").replace("_", "-") for part in accepted.replace(";", ",").split(",")]
    return " or ".join(f"`permissions: {{{part}}}`" for part in dict.fromkeys(wanted) if part)
