"""Why a remote did not take a push, or did not answer. Called where no ref has moved.

Servers word their refusals as they like, so none of it is interpreted, only quoted. What can be told is told by trying
what changes nothing: reading the remote, rehearsing a push, rehearsing it without the hooks of this clone; and by
the status of an answer over HTTP, which is part of the protocol.
"""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from stellwerk.errors import StellwerkError

if TYPE_CHECKING:
    from stellwerk.adapters.git.write import GitWriter

KEPT = "nothing is lost: the commits are on this clone's branch; what a CI job did not push, the next run does again"
WORKFLOWS = ".github/workflows"
ACCESS = {"401": "the credentials are missing or wrong", "403": "the credentials do not allow it"}


class Answer(Struct, frozen=True, kw_only=True):
    """What a remote said when it was asked for its refs. `refs` None: it did not answer. `status`: of HTTP, or ''."""

    refs: dict[str, str] | None
    status: str
    words: str


def ask(writer: GitWriter, remote: str, *refs: str) -> Answer:
    """Ask the remote which commits these refs have."""
    tried = _try(writer, "ls-remote", "--quiet", remote, *refs)
    lines = (line.partition("\t") for line in tried.output.splitlines())
    return Answer(
        refs={ref: commit for commit, _, ref in lines} if tried.well else None,
        status=tried.status,
        words=tried.words,
    )


def unreachable(answer: Answer, remote: str) -> StellwerkError:
    """A remote that cannot even be read: gone, or it lets nobody in."""
    words, status = last_words(answer.words), answer.status
    if status in ACCESS:
        return StellwerkError(
            f"the remote refuses access (HTTP {status}): {ACCESS[status]}: {words}",
            where=remote,
            hint=f"{KEPT}; mend the credentials until this works: git ls-remote {remote}; or work without: --no-push",
        )
    said = f" (HTTP {status})" if status and status != "200" else ""
    return StellwerkError(
        f"the remote cannot be reached{said}: {words}",
        where=remote,
        hint=f"{KEPT}; check the network, the address and your access, or work without it: --no-push",
    )


def explain(writer: GitWriter, remote: str, *, ref: str, commit: str, words: str) -> StellwerkError:
    """Who refused a push to a remote that can be read and whose ref did not move."""
    name = ref.removeprefix("refs/heads/")
    push = ("push", "--dry-run", "--quiet")
    tried = _try(writer, *push, "--no-verify", remote, f"{commit}:{ref}")
    if not tried.well:
        reason = f" (HTTP {tried.status}: {ACCESS[tried.status]})" if tried.status in ACCESS else ""
        return StellwerkError(
            f"{remote} can be read but not written to{reason}: {last_words(words)}",
            where=remote,
            hint=f"{KEPT}; the credentials need to allow writing (GitHub Actions: `permissions: {{contents: write}}`)",
        )
    hook = _local_hook(writer)
    if hook is not None and not _try(writer, *push, remote, f"{commit}:{ref}").well:
        return StellwerkError(
            f"this clone's own pre-push hook refused the push to {name}: {last_words(words)}",
            where=str(hook),
            hint=f"{KEPT}; see what the hook asks for: git push --dry-run {remote} {name}",
        )
    message = f"{remote} refused the push to {name}: {last_words(words)}"
    if _brings_workflows(writer, remote, ref, commit):
        return StellwerkError(
            message,
            where=remote,
            hint=f"{KEPT}. They change files in {WORKFLOWS}, for which GitHub wants a right of its own (the token of a "
            "job has none): let a person push them; a job leaves them alone with `stellwerk reconcile --no-render`",
        )
    return StellwerkError(
        message,
        where=remote,
        hint=f"{KEPT}. A hook of the server or a protection of the branch refused it; where nobody may push to {name}, "
        "declare `records: {ref: stellwerk/records}` in mlops.yaml",
    )


def _brings_workflows(writer: GitWriter, remote: str, ref: str, commit: str) -> bool:
    """Whether the commits that the remote lacks change files that GitHub guards."""
    tip = (ask(writer, remote, ref).refs or {}).get(ref)
    if tip is None:
        return False
    return bool(writer.reader.text("diff", "--name-only", tip, commit, "--", WORKFLOWS, check=False))


def last_words(text: str) -> str:
    """The telling line of what git said on its standard error."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    telling = [line for line in lines if line.startswith(("remote:", "fatal:", "error:", "! "))]
    return (telling or lines or ["git said nothing"])[0]


def _local_hook(writer: GitWriter) -> Path | None:
    path = writer.reader.root / writer.reader.text("rev-parse", "--git-path", "hooks/pre-push")
    return path if os.access(path, os.X_OK) else None


class _Tried(Struct, frozen=True, kw_only=True):
    """How a git command went. `status`: the last one it met in HTTP, or ''."""

    well: bool
    output: str
    words: str
    status: str


def _try(writer: GitWriter, *command: str) -> _Tried:
    """Run a git command that changes nothing."""
    with tempfile.TemporaryDirectory(prefix="stellwerk-trace-") as folder:
        trace = Path(folder) / "trace"
        environ = {"GIT_TRACE_CURL": str(trace), "GIT_TRACE_CURL_NO_DATA": "1"}
        code, output, words = writer.repo.git.execute(
            ["git", *command], env=environ, with_extended_output=True, with_exceptions=False
        )
        said = trace.read_text(encoding="utf-8", errors="replace") if trace.exists() else ""
    statuses = re.findall(r"Recv header: HTTP/[\d.]+ (\d{3})", said)
    return _Tried(well=code == 0, output=str(output), words=str(words), status=statuses[-1] if statuses else "")
