"""What is asked of a repository once: what it allows, and who we are in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from stellwerk.adapters.forge.refusal import ForgeDown, ForgeError, not_github

if TYPE_CHECKING:
    from stellwerk.adapters.forge.exchange import Exchange

WHO = "query { viewer { login } }"
METHODS = ("merge", "squash", "rebase")


class Facts(Struct, frozen=True, kw_only=True):
    """`auto_merge` None: GitHub does not tell this token."""

    name: str  # owner/name
    owner: str
    issues: bool
    auto_merge: bool | None
    merge_method: str  # the first of METHODS that the repository allows


class Repository:
    """Facts about the repository of an exchange, asked for when first needed."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self._facts: Facts | None = None
        self._login: str | None = None

    def facts(self) -> Facts:
        """What the repository allows; ForgeError where it has another name by now: redirections are not followed."""
        if self._facts is None:
            found = self.exchange.get("", doing="look at the repository", needs="metadata: read")
            asked = self.exchange.repository
            if "full_name" not in found:
                raise not_github("look at the repository", str(found)[:100], where=asked)
            if found["full_name"].casefold() != asked.casefold():
                raise ForgeError(
                    f"the repository {asked} is now {found['full_name']}",
                    where=asked,
                    hint=f"set GITHUB_REPOSITORY to {found['full_name']}",
                )
            allowed = {
                "merge": found.get("allow_merge_commit"),
                "squash": found.get("allow_squash_merge"),
                "rebase": found.get("allow_rebase_merge"),
            }
            self._facts = Facts(
                name=found["full_name"],
                owner=found["owner"]["login"],
                issues=bool(found["has_issues"]),
                auto_merge=found.get("allow_auto_merge"),
                merge_method=next((method for method in METHODS if allowed[method] is not False), "merge"),
            )
        return self._facts

    def is_ours(self, user: object) -> bool:
        """Whether the user of a JSON answer is who the token acts for. Bots' logins end in `[bot]` in some answers."""
        if self._login is None:
            self._login = self._ask_who()
        if not isinstance(user, dict):
            return False
        if not self._login:
            return bool(user.get("type") == "Bot")
        return str(user["login"]).removesuffix("[bot]") == self._login

    def _ask_who(self) -> str:
        """Our login; "" where the server does not tell a bot who it is, as older Enterprise Servers."""
        try:
            data = self.exchange.graphql(WHO, {}, doing="ask who the token acts for", needs="metadata: read")
        except ForgeDown:
            raise
        except ForgeError:
            return ""
        return str(data["viewer"]["login"]).removesuffix("[bot]")
