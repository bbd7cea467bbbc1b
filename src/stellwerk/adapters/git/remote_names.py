"""What remotes and the refs of promotions are called, here and there; pushing them is in `remote`.

On the way of every plan, so it imports nothing heavy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stellwerk.adapters.git.read import GitReader

PROMOTIONS = "refs/heads/stellwerk/promote/"
PUBLISHED = "refs/stellwerk/published/"  # what this clone pushed of them; `git fetch` moves only the tracking refs


def find_remote(reader: GitReader, branch: str | None) -> str | None:
    """The remote the branch goes to: its own, else `origin`, else the only one; None where there is none."""
    own = reader.text("config", f"branch.{branch}.remote", check=False) if branch else ""
    remotes = reader.text("remote").splitlines()
    if own in remotes:
        return own
    if "origin" in remotes:
        return "origin"
    return remotes[0] if len(remotes) == 1 else None


def tracking_ref(remote: str, ref: str) -> str:
    """Where this repository keeps what it last saw of a branch (or of all below a prefix) at the remote."""
    return f"refs/remotes/{remote}/{branch_name(ref)}"


def local_proposals(reader: GitReader, remote: str | None) -> dict[str, str]:
    """The promotion branches that are here and were not pushed from here as they are; the others are the remote's."""
    return own_promotions(reader.branches(PROMOTIONS, PUBLISHED), remote)


def own_promotions(refs: Mapping[str, str], remote: str | None) -> dict[str, str]:
    """Those of the promotion branches that were not pushed from here as they are."""
    return {
        ref: commit
        for ref, commit in refs.items()
        if ref.startswith(PROMOTIONS) and (remote is None or refs.get(published_ref(remote, ref)) != commit)
    }


def all_promotions(refs: Mapping[str, str]) -> dict[str, str]:
    """The promotion branches among the refs."""
    return {ref: commit for ref, commit in refs.items() if ref.startswith(PROMOTIONS)}


def published_ref(remote: str, ref: str) -> str:
    """Where this clone keeps what it pushed of a promotion branch."""
    return f"{PUBLISHED}{remote}/{branch_name(ref)}"


def branch_name(ref: str) -> str:
    """How people name a branch."""
    return ref.removeprefix("refs/heads/")
