"""Merge a pull request once its checks are green, and not before.

GitHub merges by itself what waits for *required* checks or reviews, where the repository allows auto-merge. It refuses
that for what it could merge at once; there we merge, if nothing is red or running.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from stellwerk.adapters.forge.refusal import ForgeDown, ForgeError

if TYPE_CHECKING:
    from stellwerk.adapters.forge.exchange import Exchange
    from stellwerk.adapters.forge.repository import Repository
    from stellwerk.model.ports import Thing

NEEDS = "contents: write"
LOOKS = 4  # after 1, 2, 4 seconds; a merge is worked out in the background
GREEN = ("clean", "has_hooks")
WAITING = ("blocked", "behind", "unstable", "unknown")  # auto-merge may be asked for
ENABLE = (
    "mutation($input: EnablePullRequestAutoMergeInput!)"
    " { enablePullRequestAutoMerge(input: $input) { pullRequest { number } } }"
)
DISABLE = (
    "mutation($input: DisablePullRequestAutoMergeInput!)"
    " { disablePullRequestAutoMerge(input: $input) { pullRequest { number } } }"
)
WHY_NOT = {
    "dirty": "it conflicts with its base branch",
    "draft": "it is a draft",
    "blocked": "a required check or review is missing",
    "behind": "its branch is behind the base branch, which the repository does not allow",
    "unstable": "a check is red or still running",
    "unknown": "GitHub does not yet know whether it can be merged",
}


class Merging:
    """Merges pull requests, at their present head commit only. What hinders it is a note; the next run tries again."""

    def __init__(self, exchange: Exchange, repository: Repository) -> None:
        self.exchange = exchange
        self.repository = repository

    def merge(self, pull: dict[str, Any], thing: Thing) -> Thing:
        """The same thing, merged, or with auto-merge on, or with why not in its note."""
        if pull["auto_merge"] is not None:
            return thing
        number, done = pull["number"], "updated" if thing.change == "unchanged" else thing.change
        try:
            pull = self._settled(number)
            state = pull["mergeable_state"]
            if pull["merged"]:
                return replace(thing, merged=True)
            if state in GREEN:
                return self._merge(pull, replace(thing, change=done))
            if state in WAITING and self.repository.facts().auto_merge is not False:
                return self._wait_for_checks(pull, replace(thing, change=done))
        except ForgeDown:
            raise
        except ForgeError as error:
            return replace(thing, note=f"not merged: {error.message}" + (f" ({error.hint})" if error.hint else ""))
        note = f"not merged: {WHY_NOT.get(state, f'GitHub calls it {state}')}"
        if state in WAITING:
            note += "; the repository does not allow auto-merge, so the next run tries again"
        return replace(thing, note=note)

    def hold(self, pull: dict[str, Any], thing: Thing) -> Thing:
        """Take back an auto-merge that we asked for once; a person's stays."""
        asked = pull["auto_merge"]
        if asked is None or not self.repository.is_ours(asked["enabled_by"]):
            return thing
        given = {"input": {"pullRequestId": pull["node_id"]}}
        doing = f"have #{pull['number']} no longer merged automatically"
        self.exchange.graphql(DISABLE, given, doing=doing, needs=NEEDS)
        return replace(thing, change="updated" if thing.change == "unchanged" else thing.change)

    def _settled(self, number: int) -> dict[str, Any]:
        pull: dict[str, Any] = {}
        for look in range(LOOKS):
            pull = self._look(number)
            if pull["merged"] or pull["mergeable_state"] != "unknown" or look == LOOKS - 1:
                break
            if not self.exchange.patience.a_moment(look):
                break
        return pull

    def _look(self, number: int) -> dict[str, Any]:
        pull: dict[str, Any] = self.exchange.get(
            f"/pulls/{number}", doing=f"look at #{number}", needs="pull-requests: read"
        )
        return pull

    def _merge(self, pull: dict[str, Any], thing: Thing) -> Thing:
        number = pull["number"]
        self.exchange.make(
            "PUT",
            f"/pulls/{number}/merge",
            {"sha": pull["head"]["sha"], "merge_method": self.repository.facts().merge_method},
            look=lambda: self._look(number)["merged"] or None,
            doing=f"merge #{number}",
            needs=NEEDS,
        )
        return replace(thing, merged=True, note="merged")

    def _wait_for_checks(self, pull: dict[str, Any], thing: Thing) -> Thing:
        number = pull["number"]
        asked = {
            "pullRequestId": pull["node_id"],
            "mergeMethod": self.repository.facts().merge_method.upper(),
            "expectedHeadOid": pull["head"]["sha"],
        }
        try:
            self.exchange.graphql(ENABLE, {"input": asked}, doing=f"have #{number} merged automatically", needs=NEEDS)
        except ForgeError as error:
            if "clean status" not in error.message:  # else it became green meanwhile
                raise
            return self._merge(pull, thing)
        return replace(thing, note="merged by GitHub once its required checks are green")
