"""No forge: what would have been asked for is printed, and nothing is found again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stellwerk.model.ports import Thing

if TYPE_CHECKING:
    from collections.abc import Callable

NOWHERE = "no forge is declared"


class NoForge:
    """`Forge` that says what it would have asked for, a text at a time."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.say = say

    def pull_request(
        self, *, branch: str, base: str, title: str, body: str, merge: bool = False, labels: tuple[str, ...] = ()
    ) -> Thing:
        then = ", merged once its checks are green" if merge else ""
        return self._say(f"pull request from {branch} into {base}{then}: {title}{_labelled(labels)}", body)

    def comment(self, *, number: int, marker: str, body: str) -> Thing:
        return self._say(f"comment {marker} on #{number}", body)

    def issue(
        self, *, marker: str, title: str, body: str, labels: tuple[str, ...] = (), assignees: tuple[str, ...] = ()
    ) -> Thing:
        people = f" for {', '.join(assignees)}" if assignees else ""
        return self._say(f"issue {marker}{people}: {title}{_labelled(labels)}", body)

    def close_issue(self, *, marker: str, comment: str) -> Thing | None:
        """None: there is none open that it knows of, so nothing is said either."""

    def issues(self, *, marker_prefix: str = "") -> tuple[str, ...]:  # noqa: ARG002  there are none with any
        return ()

    def _say(self, what: str, body: str) -> Thing:
        self.say(f"{what}\n{body}".rstrip() + "\n")
        return Thing(number=None, url=NOWHERE, change="skipped", note="printed")


def _labelled(labels: tuple[str, ...]) -> str:
    return f" [{', '.join(labels)}]" if labels else ""
