"""Push as a compare-and-swap, and the branches of promotions. What a refusal means is told by comparing refs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stellwerk.errors import PushLostError, StellwerkError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stellwerk.adapters.git.read import GitReader
    from stellwerk.adapters.git.write import GitWriter

PROMOTIONS = "refs/heads/stellwerk/promote/"


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
    return f"refs/remotes/{remote}/{_short(ref)}"


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

    def fetch(self) -> str | None:
        """Fetch; returns the commit of our ref at the remote (None: it has none). Raises StellwerkError."""
        import git

        if self.remote is None:
            return None
        promotions = self.writer.reader.branches(PROMOTIONS)
        pushed = {ref: commit for ref, commit in promotions.items() if commit == self._remote_commit(ref)}
        try:
            self.writer.repo.git.fetch("--quiet", "--prune", self.remote, *self._wanted())
        except git.GitCommandError as error:
            raise StellwerkError(
                f"the remote cannot be reached: {last_words(error)}",
                where=self.remote,
                hint="check the network and your access, or work without it: --no-push",
            ) from error
        self._follow(pushed)
        return self._remote_commit(self.writer.ref)

    def _wanted(self) -> list[str]:
        """All branches, also where the clone follows only one, and our ref where it is no branch."""
        ref = self.writer.ref
        wanted = [f"+refs/heads/*:refs/remotes/{self.remote}/*"]
        if not ref.startswith("refs/heads/"):
            wanted.append(f"+{ref}*:{self._tracking(ref)}*")  # with a star it may be absent
        return wanted

    def _follow(self, pushed: Mapping[str, str]) -> None:
        """Promotion branches that were pushed are the remote's: rebuilt or deleted there, they are so here."""
        for ref, commit in pushed.items():
            there = self._remote_commit(ref)
            if there is None:
                self.writer.repo.git.update_ref("-d", ref, commit)
            elif there != commit:
                self.writer.repo.git.update_ref(ref, there, commit)

    def push(self) -> str:
        """Push what the remote lacks. Raises PushLostError (another run was faster) or StellwerkError (refused)."""
        if self.remote is None:
            return ""
        pushed = []
        tip = self.writer.tip()
        if tip and tip != self._remote_commit(self.writer.ref):
            self._push(self.writer.ref, tip, force=False)
            pushed.append(_short(self.writer.ref))
        for ref, commit in self.writer.reader.branches(PROMOTIONS).items():
            if commit != self._remote_commit(ref):
                self._push(ref, commit, force=True)
                pushed.append(_short(ref))
        return f"{', '.join(pushed)} to {self.remote}" if pushed else ""

    def _push(self, ref: str, commit: str, *, force: bool) -> None:
        import git

        known = self._remote_commit(ref)
        options = [f"--force-with-lease={ref}:{known or ''}"] if force else []
        try:
            self.writer.repo.git.push("--quiet", *options, self.remote, f"{commit}:{ref}")
        except git.GitCommandError as error:
            self._explain(ref, known, last_words(error), error)
        self._remember(ref, commit)

    def _explain(self, ref: str, known: str | None, words: str, error: Exception) -> None:
        """Tell a lost race from a refusal from a dead remote, by what the remote's ref is now."""
        import git

        try:
            listed = str(self.writer.repo.git.ls_remote(self.remote, ref))
        except git.GitCommandError as dead:
            raise StellwerkError(
                f"the remote cannot be reached: {last_words(dead)}",
                where=self.remote or "",
                hint="nothing is lost: the commits are on your branch; run again when it answers",
            ) from error
        there = listed.split(maxsplit=1)[0] if listed else None
        if there != known:
            raise PushLostError(
                f"{_short(ref)} moved at {self.remote} while this run was working",
                where=self.remote or "",
                hint="run it again: it starts from what is there now",
            ) from error
        raise StellwerkError(
            f"{self.remote} refused the push to {_short(ref)}: {words}",
            where=self.remote or "",
            hint="is the branch protected? Then declare `records: {ref: stellwerk/records}` in mlops.yaml",
        ) from error

    def _remote_commit(self, ref: str) -> str | None:
        return self.writer.reader.commit_of(self._tracking(ref))

    def _tracking(self, ref: str) -> str:
        return tracking_ref(self.remote or "", ref)

    def _remember(self, ref: str, commit: str) -> None:
        self.writer.repo.git.update_ref(self._tracking(ref), commit)


def _short(ref: str) -> str:
    return ref.removeprefix("refs/heads/")


def last_words(error: Exception) -> str:
    """The telling line of a git failure."""
    text = str(getattr(error, "stderr", "") or error).replace("stderr: '", "").rstrip("'")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    telling = [line for line in lines if line.startswith(("remote:", "fatal:", "error:", "! "))]
    return (telling or lines or ["git said nothing"])[0]
