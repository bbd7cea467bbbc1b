"""One issue for each marker, among those with our label.

GitHub has nothing that makes two issues with the same marker impossible. So whoever opened one looks again, and whoever
sees two keeps the older and closes the younger: two runs at once may open two, and the later look leaves one open.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from msgspec.structs import replace

from stellwerk.adapters.forge.marker import Marker, below_marker, check_texts, digest, read_marker
from stellwerk.adapters.forge.refusal import INVALID, ForgeError
from stellwerk.model.ports import Thing

if TYPE_CHECKING:
    from stellwerk.adapters.forge.comments import Comments
    from stellwerk.adapters.forge.exchange import Exchange
    from stellwerk.adapters.forge.repository import Repository

LABEL = "stellwerk"
NEEDS = "issues: write"
MOST_ASSIGNEES = 10  # GitHub's limit
Issue = dict[str, Any]


class Issues:
    """Lists are asked for once and then kept up with what we change; a new issue is followed by a fresh look."""

    def __init__(self, exchange: Exchange, repository: Repository, comments: Comments) -> None:
        self.exchange = exchange
        self.repository = repository
        self.comments = comments
        self._listed: dict[str, dict[int, Issue]] = {}
        self._assignable: dict[str, bool] = {}

    def keep(self, *, marker: str, title: str, body: str, labels: tuple[str, ...], assignees: tuple[str, ...]) -> Thing:
        """As `Forge.issue`."""
        check_texts(f"the issue {marker}", title=title, body=body)
        if not self.repository.facts().issues:
            where = f"{self.exchange.repository} has no issues"
            return Thing(number=None, url=where, change="skipped", note="issues are turned off in the repository")
        mark = Marker(name=marker, asked=digest(title, body, labels, assignees), said=digest(title, body))
        given: Issue = {"title": title, "body": body, "labels": [LABEL, *labels], "assignees": list(assignees)}
        found = self._named(marker, "open")
        if found:
            self._close_twins(found)
            return self._update(found[0], mark, given)
        left = self._named(marker, "closed")
        if not left:
            return self._make(mark, given)
        last = left[-1]
        before = _marker(last)
        if not before.over and before.said == mark.said:
            note = "a person closed it; it is reopened when there is something new"
            return Thing(number=last["number"], url=last["html_url"], change="skipped", note=note)
        again = replace(mark, round=before.round + 1)
        return self._write(last, again, {**given, "state": "open", "state_reason": "reopened"}, change="reopened")

    def close(self, *, marker: str, comment: str) -> Thing | None:
        """As `Forge.close_issue`. The comment comes first: an issue is never closed without it."""
        found = self._named(marker, "open")
        if not found:
            return None
        self._close_twins(found)
        issue = found[0]
        before = _marker(issue)
        number = issue["number"]
        self.comments.keep(number=number, marker=f"over/{before.round}/{marker}", body=comment, needs=NEEDS)
        self._close(issue, replace(before, over=True), below_marker(issue["body"]), reason="completed")
        return Thing(number=number, url=issue["html_url"], change="closed")

    def markers(self, prefix: str) -> tuple[str, ...]:
        """As `Forge.issues`."""
        if not self.repository.facts().issues:
            return ()
        names = {_marker(issue).name for issue in self._list("open").values()}
        return tuple(sorted(name for name in names if name and name.startswith(prefix)))

    def _list(self, state: str, *, fresh: bool = False) -> dict[int, Issue]:
        if fresh or state not in self._listed:
            query = {"labels": LABEL, "state": state, "sort": "created", "direction": "asc"}
            doing = f"list the {state} issues"
            issues = self.exchange.pages("/issues", doing=doing, needs="issues: read", **query)
            self._listed[state] = {issue["number"]: issue for issue in issues if "pull_request" not in issue}
        return self._listed[state]

    def _named(self, marker: str, state: str, *, fresh: bool = False) -> list[Issue]:
        """Those with the marker, the oldest first."""
        issues = self._list(state, fresh=fresh)
        return [issue for _, issue in sorted(issues.items()) if _marker(issue).name == marker]

    def _make(self, mark: Marker, given: Issue) -> Thing:
        self._ensure_label()
        assignees, note = self._can_be_assigned(given["assignees"])
        made = self.exchange.make(
            "POST",
            "/issues",
            {**given, "body": mark.above(given["body"]), "assignees": assignees},
            look=lambda: next(iter(self._named(mark.name, "open", fresh=True)), None),
            doing="open an issue",
            needs=NEEDS,
        )
        if LABEL not in _names(made):  # GitHub drops labels silently where the token may not set them
            path = f"/issues/{made['number']}/labels"
            doing = f"label #{made['number']}, without which it is not found again"
            self.exchange.change("POST", path, {"labels": [LABEL]}, doing=doing, needs=NEEDS)
        self._named(mark.name, "open", fresh=True)
        self._list("open").setdefault(made["number"], made)
        twins = self._named(mark.name, "open")
        self._close_twins(twins)
        thing = self._update(twins[0], mark, given)
        return replace(thing, change="opened", note=note) if thing.change == "unchanged" else thing

    def _update(self, issue: Issue, mark: Marker, given: Issue) -> Thing:
        before = _marker(issue)
        if before.asked == mark.asked:
            return Thing(number=issue["number"], url=issue["html_url"], change="unchanged")
        return self._write(issue, replace(mark, round=before.round), given, change="updated")

    def _write(self, issue: Issue, mark: Marker, given: Issue, *, change: Any) -> Thing:
        """Labels and assignees that a person added stay."""
        here = [user["login"] for user in issue["assignees"]]
        new = [login for login in given["assignees"] if login.casefold() not in {name.casefold() for name in here}]
        assignees, note = self._can_be_assigned(new, room=MOST_ASSIGNEES - len(here))
        labels = list(dict.fromkeys([*_names(issue), *given["labels"]]))
        changed = {**given, "body": mark.above(given["body"]), "labels": labels, "assignees": [*here, *assignees]}
        self._patch(issue, changed, doing=f"update issue #{issue['number']}")
        return Thing(number=issue["number"], url=issue["html_url"], change=change, note=note)

    def _close_twins(self, found: list[Issue]) -> None:
        for twin in found[1:]:
            mark = Marker(name=f"duplicate/{found[0]['number']}")
            text = f"The same as #{found[0]['number']}.\n\n{below_marker(twin['body'])}"
            self._close(twin, mark, text, reason="not_planned")

    def _close(self, issue: Issue, mark: Marker, body: str, *, reason: str) -> None:
        given = {"state": "closed", "state_reason": reason, "body": mark.above(body)}
        self._patch(issue, given, doing=f"close issue #{issue['number']}")

    def _patch(self, issue: Issue, given: Issue, *, doing: str) -> None:
        number = issue["number"]
        after = self.exchange.change("PATCH", f"/issues/{number}", given, doing=doing, needs=NEEDS)
        for issues in self._listed.values():
            issues.pop(number, None)
        if after["state"] in self._listed:
            self._listed[after["state"]][number] = after

    def _ensure_label(self) -> None:
        if self._has_label():
            return
        given = {"name": LABEL, "color": "1f6feb", "description": "Written and found again by Stellwerk"}
        look = lambda: self._has_label() or None  # noqa: E731
        try:
            self.exchange.make("POST", "/labels", given, look=look, doing="make our label", needs=NEEDS)
        except ForgeError as error:
            if error.status != INVALID or not self._has_label():  # else another run was faster
                raise

    def _has_label(self) -> bool:
        return self.exchange.exists(f"/labels/{LABEL}", doing="look for our label", needs="issues: read")

    def _can_be_assigned(self, logins: list[str], *, room: int = MOST_ASSIGNEES) -> tuple[list[str], str]:
        """Those who can, and words about the others. One whom GitHub does not know makes it refuse the whole issue."""
        for login in logins:
            if login not in self._assignable:
                path = f"/assignees/{quote(login, safe='')}"
                self._assignable[login] = self.exchange.exists(path, doing=f"look for {login}", needs="issues: read")
        able = [login for login in dict.fromkeys(logins) if self._assignable[login]]
        unknown = [login for login in dict.fromkeys(logins) if not self._assignable[login]]
        notes = [f"cannot be assigned here, so left out: {', '.join(unknown)}"] if unknown else []
        if len(able) > room:
            notes.append(f"GitHub assigns {MOST_ASSIGNEES} at most, so left out: {', '.join(able[room:])}")
        return able[:room], "; ".join(notes)


def _marker(issue: Issue) -> Marker:
    """Its marker; a nameless one where a person put our label on an issue of their own."""
    return read_marker(issue["body"]) or Marker(name="")


def _names(issue: Issue) -> list[str]:
    return [label if isinstance(label, str) else label["name"] for label in issue["labels"]]
