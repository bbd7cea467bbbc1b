"""One pull request for each head branch."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from stellwerk.adapters.forge.marker import Marker, check_texts, digest, read_marker
from stellwerk.adapters.forge.merging import Merging
from stellwerk.adapters.forge.refusal import INVALID, ForgeError
from stellwerk.model.ports import Thing

if TYPE_CHECKING:
    from stellwerk.adapters.forge.exchange import Exchange
    from stellwerk.adapters.forge.repository import Repository

NEEDS = "pull-requests: write"
GONE_HEAD = re.compile(r"\bhead (is invalid|sha|ref)", re.IGNORECASE)
Pull = dict[str, Any]


class Pulls:
    """A repository has at most one open pull request from one branch to another: GitHub itself sees to it."""

    def __init__(self, exchange: Exchange, repository: Repository) -> None:
        self.exchange = exchange
        self.repository = repository
        self.merging = Merging(exchange, repository)

    def keep(self, *, branch: str, base: str, title: str, body: str, merge: bool, labels: tuple[str, ...]) -> Thing:
        """As `Forge.pull_request`."""
        check_texts(f"the pull request of {branch}", title=title, body=body)
        marker = Marker(name=f"pull/{branch}", asked=digest(title, body, base), said=digest(title))
        wanted: Pull = {"title": title, "body": marker.above(body), "base": base}
        pull = self._open(branch, base)
        if pull is None:
            if (left := self._left_by_a_person(branch, title)) is not None:
                return left
            pull, thing = self._make(branch, wanted)
            if pull is None:
                return thing
        else:
            pull, thing = self._update(pull, wanted)
        if thing.change == "skipped":
            return thing
        thing = self._label(pull, labels, thing)
        return self.merging.merge(pull, thing) if merge else self.merging.hold(pull, thing)

    def _open(self, branch: str, base: str) -> Pull | None:
        pulls = self._of(branch, state="open")
        return next((pull for pull in pulls if pull["base"]["ref"] == base), pulls[0] if pulls else None)

    def _of(self, branch: str, *, state: str) -> list[Pull]:
        """The newest ones of that branch, the newest first; those of forks are others' business."""
        facts = self.repository.facts()
        pulls = self.exchange.get(
            "/pulls",
            doing=f"look for the pull request of {branch}",
            needs="pull-requests: read",
            head=f"{facts.owner}:{branch}",
            state=state,
            sort="created",
            direction="desc",
            per_page=10,
        )
        return [
            pull
            for pull in pulls
            if pull["head"]["ref"] == branch and (pull["head"]["repo"] or {}).get("full_name") == facts.name
        ]

    def _left_by_a_person(self, branch: str, title: str) -> Thing | None:
        """The last pull request, if a person closed it unmerged; it holds for what it proposed, so for its title."""
        last = next(iter(self._of(branch, state="closed")), None)
        if last is None or last["merged_at"] is not None:
            return None
        marker = read_marker(last["body"])
        if (marker.said if marker else digest(last["title"])) != digest(title):
            return None
        number = last["number"]
        closed = self.exchange.get(f"/issues/{number}", doing=f"see who closed #{number}", needs="pull-requests: read")
        who = closed.get("closed_by")
        if who is None or self.repository.is_ours(who):
            return None
        note = f"{who['login']} closed it; it stays closed until something else is proposed, or reopen it by hand"
        return Thing(number=number, url=last["html_url"], change="skipped", note=note)

    def _make(self, branch: str, wanted: Pull) -> tuple[Pull | None, Thing]:
        try:
            pull = self.exchange.make(
                "POST",
                "/pulls",
                {**wanted, "head": branch},
                look=lambda: self._open(branch, wanted["base"]),
                doing=f"open the pull request of {branch}",
                needs=NEEDS,
            )
        except ForgeError as error:
            if error.status != INVALID:
                raise
            if "already exists" in error.message and (pull := self._open(branch, wanted["base"])) is not None:
                return self._update(pull, wanted)  # another run was faster
            note = ""
            if "No commits between" in error.message:
                note = f"{branch} holds nothing that {wanted['base']} has not"
            elif GONE_HEAD.search(error.message):
                note = f"the branch {branch} is not on GitHub; somebody may have deleted it"
            if not note:
                raise
            return None, Thing(number=None, url="there is no pull request", change="skipped", note=note)
        pull, thing = self._update(pull, wanted)  # it may be another run's, found when our answer was lost
        return pull, replace(thing, change="opened") if thing.change == "unchanged" else thing

    def _update(self, pull: Pull, wanted: Pull) -> tuple[Pull, Thing]:
        thing = Thing(number=pull["number"], url=pull["html_url"], change="unchanged")
        marker, asked = read_marker(pull["body"]), read_marker(wanted["body"])
        if marker == asked and pull["base"]["ref"] == wanted["base"]:
            return pull, thing
        given = {key: value for key, value in wanted.items() if key != "base" or value != pull["base"]["ref"]}
        path = f"/pulls/{pull['number']}"
        try:
            pull = self.exchange.change("PATCH", path, given, doing=f"update #{pull['number']}", needs=NEEDS)
        except ForgeError as error:
            if error.status != INVALID:
                raise
            pull = self.exchange.get(path, doing=f"look at #{pull['number']}", needs="pull-requests: read")
            if pull["state"] == "open":
                raise
        if pull["state"] != "open":
            return pull, replace(
                thing, change="skipped", note="it was closed meanwhile", merged=bool(pull["merged_at"])
            )
        return pull, replace(thing, change="updated")

    def _label(self, pull: Pull, labels: tuple[str, ...], thing: Thing) -> Thing:
        there = {label["name"].casefold() for label in pull["labels"]}
        missing = sorted({label for label in labels if label.casefold() not in there})
        if not missing:
            return thing
        number = pull["number"]
        self.exchange.change(
            "POST", f"/issues/{number}/labels", {"labels": missing}, doing=f"label #{number}", needs=NEEDS
        )
        return replace(thing, change="updated") if thing.change == "unchanged" else thing
