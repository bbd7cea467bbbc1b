"""One comment of ours for each marker, under a pull request or an issue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from stellwerk.adapters.forge.marker import Marker, check_texts, read_marker, same_text
from stellwerk.adapters.forge.refusal import FORBIDDEN, NOT_FOUND, ForgeError
from stellwerk.model.ports import Thing

if TYPE_CHECKING:
    from stellwerk.adapters.forge.exchange import Exchange
    from stellwerk.adapters.forge.repository import Repository

NEEDS = "pull-requests: write"


class Comments:
    """Comments are ours by marker and author: anybody may write a text that begins with a marker."""

    def __init__(self, exchange: Exchange, repository: Repository) -> None:
        self.exchange = exchange
        self.repository = repository

    def keep(self, *, number: int, marker: str, body: str, needs: str = NEEDS) -> Thing:
        """The comment says `body`. Of two that were made at once the younger is deleted."""
        check_texts(f"the comment on #{number}", body=body)
        text = Marker(name=marker).above(body)
        found = self._ours(number, marker, needs)
        if found:
            return self._update(found, number, text, needs)
        try:
            made = self.exchange.make(
                "POST",
                f"/issues/{number}/comments",
                {"body": text},
                look=lambda: next(iter(self._ours(number, marker, needs)), None),
                doing=f"comment on #{number}",
                needs=needs,
            )
        except ForgeError as error:
            if error.status == FORBIDDEN and "is locked" in error.message:
                url = f"#{number} in {self.exchange.repository}"
                return Thing(number=number, url=url, change="skipped", note="its conversation is locked")
            raise
        thing = self._update(self._ours(number, marker, needs) or [made], number, text, needs)
        return replace(thing, change="opened") if thing.change == "unchanged" else thing

    def _ours(self, number: int, marker: str, needs: str) -> list[dict[str, Any]]:
        """Those with the marker, the oldest first."""
        doing = f"read the comments on #{number}"
        entries = self.exchange.pages(f"/issues/{number}/comments", doing=doing, needs=needs)
        named = [entry for entry in entries if (mark := read_marker(entry["body"])) and mark.name == marker]
        return sorted(
            (entry for entry in named if self.repository.is_ours(entry["user"])), key=lambda entry: entry["id"]
        )

    def _update(self, found: list[dict[str, Any]], number: int, text: str, needs: str) -> Thing:
        first = found[0]
        self._delete(found[1:], needs)
        if same_text(first["body"], text):
            return Thing(number=number, url=first["html_url"], change="unchanged")
        doing = f"update the comment on #{number}"
        self.exchange.change("PATCH", f"/issues/comments/{first['id']}", {"body": text}, doing=doing, needs=needs)
        return Thing(number=number, url=first["html_url"], change="updated")

    def _delete(self, comments: list[dict[str, Any]], needs: str) -> None:
        for comment in comments:
            try:
                path = f"/issues/comments/{comment['id']}"
                self.exchange.change("DELETE", path, doing="delete a comment that is there twice", needs=needs)
            except ForgeError as error:
                if error.status != NOT_FOUND:  # the other one deleted it
                    raise
