"""Push as a compare-and-swap, and the branches of promotions.

Every ref is pushed with the commit the remote is believed to have (its lease), so nothing is overwritten, and nothing
that was deleted comes back. What a failure means is told by comparing refs; `refusal` asks further where none moved.
"""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

from stellwerk.adapters.git.objects import LOOSE
from stellwerk.adapters.git.refusal import ask, explain, last_words, unreachable
from stellwerk.adapters.git.remote_names import (
    PROMOTIONS,
    PUBLISHED,
    all_promotions,
    branch_name,
    own_promotions,
    published_ref,
    tracking_ref,
)
from stellwerk.adapters.git.write import AGAIN
from stellwerk.errors import PushLostError, StellwerkError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from stellwerk.adapters.git.read import GitReader
    from stellwerk.adapters.git.write import GitWriter

BREATH = 0.5  # seconds; a server that is busy with another push may refuse this one before its ref has moved


def deepen(reader: GitReader, remote: str | None, *commits: str | None) -> None:
    """Fetch the rest of a shallow clone's history where these commits have none in common here.

    Raises StellwerkError where that cannot be done.
    """
    known = [commit for commit in commits if commit]
    if len(known) < len(commits) or not reader.shallow or reader.text("merge-base", *known, check=False):
        return
    if remote is not None:
        reader.text("fetch", "--quiet", "--no-auto-maintenance", "--unshallow", remote, check=False)
    still = reader.text("rev-parse", "--is-shallow-repository") == "true"
    if still and not reader.text("merge-base", *known, check=False):
        raise StellwerkError(
            "this clone is shallow: what the branch and the records have in common is not here",
            where=str(reader.root),
            hint="git fetch --unshallow (in CI: fetch-depth: 0), then run it again",
        )


class RefCommitter:
    """`reconcile.world.Committer` on one ref: commits, and proposals on promotion branches."""

    def __init__(self, writer: GitWriter) -> None:
        self.writer = writer

    def tip(self) -> str | None:
        return self.writer.tip()

    def commit(self, changes: Mapping[str, bytes | None], message: str) -> str:
        return self.writer.commit(changes, message)

    def propose(self, branch: str, changes: Mapping[str, bytes | None], message: str) -> str:
        ref = f"refs/heads/{branch}"
        commit = self.writer.write_commit(self.writer.tip(), changes, message)
        self.writer.move(ref, commit, expected=self.writer.reader.commit_of(ref), message="propose")
        return commit


class RemotePublisher:
    """`reconcile.world.Publisher` on one remote; with `remote` None nothing is pushed."""

    def __init__(self, writer: GitWriter, remote: str | None) -> None:
        self.writer = writer
        self.remote = remote

    def refs(self) -> Mapping[str, str]:
        """Our ref and the promotion branches, here, as published and as last seen at the remote."""
        return self.writer.reader.branches(self.writer.ref, PROMOTIONS, PUBLISHED, f"refs/remotes/{self.remote}/")

    def fetch(self, refs: Mapping[str, str] | None = None) -> str | None:
        """Fetch; returns the commit of our ref at the remote (None: it has none). Raises StellwerkError.

        `refs` are those of `refs()`, where they were just listed.
        """
        return self.fetched(refs).get(self._tracking(self.writer.ref)) if self.remote is not None else None

    def fetched(self, refs: Mapping[str, str] | None = None) -> Mapping[str, str]:
        """Fetch from the remote, which there must be; returns what `refs()` gives after it. Otherwise as `fetch`."""
        refs = self.refs() if refs is None else refs
        local, promotions = own_promotions(refs, self.remote), all_promotions(refs)
        pushed = {ref: at for ref, at in promotions.items() if ref not in local or at == refs.get(self._tracking(ref))}
        command = ["fetch", "--quiet", "--prune", "--no-auto-maintenance", self.remote, *self._wanted()]
        status, _, words = self.writer.repo.git.execute(
            ["git", "-c", f"fetch.unpackLimit={LOOSE}", *command], with_extended_output=True, with_exceptions=False
        )
        if status:
            remote = self.remote or ""
            answer = ask(self.writer, remote, self.writer.ref)
            here = self._remote_commit(self.writer.ref)
            if answer.refs is None:
                raise unreachable(answer, remote)
            if answer.refs.get(self.writer.ref) != here:  # else another fetch in this clone took the refs along
                raise StellwerkError(
                    f"git cannot fetch: {last_words(str(words))}", where=remote, hint=f"git fetch {remote}"
                )
        now = self.refs()
        return self.refs() if self._follow(pushed, now) else now

    def _wanted(self) -> list[str]:
        """All branches, also where the clone follows only one, and our ref where it is no branch."""
        ref = self.writer.ref
        wanted = [f"+refs/heads/*:refs/remotes/{self.remote}/*"]
        if not ref.startswith("refs/heads/"):
            wanted.append(f"+{ref}*:{self._tracking(ref)}*")  # with a star it may be absent
        return wanted

    def _follow(self, pushed: Mapping[str, str], now: Mapping[str, str]) -> bool:
        """Promotion branches that were pushed are the remote's: rebuilt or deleted there, they are so here.

        Whether one of them was another.
        """
        moved = {ref: commit for ref, commit in pushed.items() if now.get(self._tracking(ref)) != commit}
        for ref, commit in moved.items():
            self.retract(ref, commit, now.get(self._tracking(ref)))
        return bool(moved)

    def retract(self, ref: str, commit: str, instead: str | None) -> None:
        """Let a promotion branch be what the remote has, unless somebody moved it meanwhile."""
        arguments = ("-d", ref, commit) if instead is None else (ref, instead, commit)
        self.writer.reader.run("update-ref", *arguments, check=False)

    def proposals(self, refs: Mapping[str, str] | None = None) -> dict[str, str | None]:
        """The promotion branches that are here -> the commit each has at the remote, as last seen.

        `refs` are those of `refs()`, where they were just listed.
        """
        refs = self.refs() if refs is None else refs
        return {ref: refs.get(self._tracking(ref)) for ref in all_promotions(refs)}

    def there(self, refs: Mapping[str, str] | None = None) -> str | None:
        """The commit of our ref at the remote, as last seen, or as it is in these refs."""
        return self._remote_commit(self.writer.ref) if refs is None else refs.get(self._tracking(self.writer.ref))

    def unpublished(self) -> dict[str, str]:
        """The refs that the remote lacks or has otherwise -> our commit: the ref itself, and promotion branches."""
        return self._unpublished(self.refs()) if self.remote is not None else {}

    def _unpublished(self, refs: Mapping[str, str]) -> dict[str, str]:
        own = {ref: commit for ref, commit in refs.items() if ref == self.writer.ref or ref.startswith(PROMOTIONS)}
        return {ref: commit for ref, commit in own.items() if refs.get(self._tracking(ref)) != commit}

    def push(
        self,
        tip: str | None = None,
        proposals: Mapping[str, str | None] | None = None,
        fetched: Mapping[str, str] | None = None,
    ) -> str:
        """Push what the remote lacks, all or nothing where the server can; returns where to, in words.

        `tip` and `proposals` (by ref; None: not to be pushed) stand in for what the refs here are now. `fetched` are
        the refs of the fetch on which the tip was made.
        Raises PushLostError (another run was faster), or StellwerkError that says who refused and what to do.
        """
        if self.remote is None:
            return ""
        instead, refs = {**(proposals or {}), **({self.writer.ref: tip} if tip else {})}, fetched or self.refs()
        lacking = {**self._unpublished(refs), **instead}
        known = {ref: refs.get(self._tracking(ref)) for ref in lacking}
        wanted = {ref: commit for ref, commit in lacking.items() if commit is not None and commit != known[ref]}
        if not wanted:
            return ""
        behind, tip = known.get(self.writer.ref), wanted.get(self.writer.ref)
        if behind and tip and fetched is None and not self.writer.reader.ancestor(behind, tip):
            raise self._lost(self.writer.ref)  # somebody fetched meanwhile
        words = self._send(wanted, known)
        if words is not None and len(wanted) > 1:  # a server that knows no atomic push, or one ref that is refused
            for ref, commit in wanted.items():
                self._send_alone(ref, commit, known[ref])
        elif words is not None:
            ((ref, commit),) = wanted.items()
            self._insist(ref, commit, known[ref])
        return f"{', '.join(branch_name(ref) for ref in wanted)} to {self.remote}"

    def _send_alone(self, ref: str, commit: str, known: str | None) -> None:
        if self._send({ref: commit}, {ref: known}) is not None:
            self._insist(ref, commit, known)

    def _insist(self, ref: str, commit: str, known: str | None) -> None:
        """Try a refused push once more: whoever just wins a race holds the server's lock before the ref has moved."""
        time.sleep(random.uniform(0.5, 1.0) * BREATH)  # noqa: S311 jitter, no secret
        words = self._send({ref: commit}, {ref: known})
        if words is not None and self.remote is not None:
            raise explain(self.writer, self.remote, ref=ref, commit=commit, words=words)

    def _send(self, wanted: Mapping[str, str], known: Mapping[str, str | None]) -> str | None:
        """Push; None where the remote has it all, else git's words where no ref has moved. Raises as `push` does."""
        leases = [f"--force-with-lease={ref}:{known[ref] or ''}" for ref in wanted]
        atomic = ["--atomic"] if len(wanted) > 1 else []
        refs = [f"{commit}:{ref}" for ref, commit in wanted.items()]
        status, _, words = self.writer.repo.git.push(
            "--quiet", *atomic, *leases, self.remote, *refs, with_extended_output=True, with_exceptions=False
        )
        there = dict(wanted) if status == 0 else self._seen(wanted)
        arrived = {ref: commit for ref, commit in wanted.items() if there.get(ref) == commit}
        self._remember(arrived)
        for ref in wanted.keys() - arrived.keys():
            if there.get(ref) is None and known[ref] is not None and not ref.startswith(PROMOTIONS):
                raise self.deleted(ref)
            if there.get(ref) != known[ref]:
                raise self._lost(ref)
        return None if len(arrived) == len(wanted) else str(words)

    def _seen(self, refs: Iterable[str]) -> dict[str, str]:
        """What the remote has now. Raises StellwerkError where it cannot be asked."""
        answer = ask(self.writer, self.remote or "", *refs)
        if answer.refs is None:
            raise unreachable(answer, self.remote or "")
        return answer.refs

    def _lost(self, ref: str) -> PushLostError:
        return PushLostError(
            f"{branch_name(ref)} moved at {self.remote} while this run was working", where=self.remote or "", hint=AGAIN
        )

    def deleted(self, ref: str) -> StellwerkError:
        """The error of a ref that the remote had and has no more."""
        name = branch_name(ref)
        return StellwerkError(
            f"{name} was deleted at {self.remote} while this run was working",
            where=self.remote or "",
            hint=f"was it renamed? Then follow it: git switch; if it was a mistake: git push {self.remote} {name}",
        )

    def _remote_commit(self, ref: str) -> str | None:
        return self.writer.reader.commit_of(self._tracking(ref))

    def _tracking(self, ref: str) -> str:
        return tracking_ref(self.remote or "", ref)

    def _remember(self, pushed: Mapping[str, str]) -> None:
        """Note what the remote has now, as a fetch would."""
        lines = [f"update {self._tracking(ref)} {commit}\n" for ref, commit in pushed.items()]
        for ref, commit in pushed.items():
            if ref.startswith(PROMOTIONS):
                lines.append(f"update {published_ref(self.remote or '', ref)} {commit}\n")
        if lines:
            self.writer.reader.run("update-ref", "--stdin", stdin="".join(lines).encode(), check=False)
