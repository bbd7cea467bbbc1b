"""The stand-in for actions/checkout: the refspecs, depths and branches that the action fetches and checks out.

Credentials stand in the clone's own configuration while the job lasts, unless `persist-credentials` is false.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from .repository import Repository

if TYPE_CHECKING:
    from .actions import ActionCall

INPUTS = (
    "repository ref token ssh-key persist-credentials=true path clean=true filter sparse-checkout fetch-depth=1 "
    "fetch-tags=false show-progress=true lfs=false submodules=false set-safe-directory=true"
)
_NOT_SIMULATED = ("ssh-key", "filter", "sparse-checkout")
_SHA = re.compile(r"[0-9a-f]{40}")


def check_out(call: ActionCall) -> None:
    """Fetch and check out what `ref` names: without it the very commit of the run."""
    from .actions import ActionError

    given = call.job.given
    repository, inputs = given.repository, call.inputs
    if other := [name for name in _NOT_SIMULATED if inputs[name]]:
        raise ActionError(f"not simulated of actions/checkout: {other}")
    if inputs["repository"] not in {"", repository.name}:
        raise ActionError(f"Repository not found: {inputs['repository']}; only {repository.name} is simulated")
    workspace = call.job.folders.workspace
    folder = (workspace / inputs["path"]).resolve()
    if not folder.is_relative_to(workspace.resolve()):
        raise ActionError(f"Repository path '{folder}' is not under '{workspace}'")
    token = inputs["token"] or given.token.value
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / ".git").exists():
        _clean(call, folder)
    else:
        for path in folder.iterdir():  # the action empties the folder first
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        call.run("git", "init", "--quiet", "--initial-branch=main", str(folder), cwd=folder)
        call.run("git", "remote", "add", "origin", repository.url, cwd=folder)
        call.run("git", "config", "--local", "gc.auto", "0", cwd=folder)
    credentials = _credentials(repository, token)
    for key, value in credentials.items():
        call.ask("git", "config", "--local", key, value, cwd=folder)
    _fetch(call, folder)
    if call.flag("persist-credentials"):
        call.after("actions/checkout", lambda later: _forget(later, folder, credentials))
    else:
        _forget(call, folder, credentials)
    call.output("commit", call.ask("git", "rev-parse", "HEAD", cwd=folder) or "")
    call.output("ref", inputs["ref"] or given.event.ref)


def _credentials(repository: Repository, token: str) -> dict[str, str]:
    known = repository.token(token)
    if known is not None and known.permissions.get("contents", "none") == "none":
        return {}
    return repository.credentials(token)


def _fetch(call: ActionCall, folder: Path) -> None:
    event, depth = call.job.given.event, int(call.inputs["fetch-depth"] or "1")
    asked = call.inputs["ref"]
    sha = event.sha if not asked else asked if _SHA.fullmatch(asked) else ""
    ref = asked if asked and not sha else "" if asked else event.ref
    everything = ["+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*"]
    words = ["git", "-c", "protocol.version=2", "fetch", "--quiet", "--prune", "--no-recurse-submodules"]
    if not call.flag("fetch-tags") and depth > 0:
        words.append("--no-tags")
    if depth > 0:
        call.run(*words, f"--depth={depth}", "origin", *_refspecs(ref, sha), cwd=folder)
    else:
        call.run(*words, "origin", *everything, cwd=folder)
        pulled = ref.startswith("refs/pull/")
        if pulled or (sha and call.ask("git", "cat-file", "-e", f"{sha}^{{commit}}", cwd=folder) is None):
            call.run(*words, "origin", *_refspecs(ref, sha), cwd=folder)
    _switch(call, folder, ref, sha)


def _refspecs(ref: str, sha: str) -> list[str]:
    """What to ask the remote for; a commit wins over where its ref points meanwhile."""
    if ref.startswith("refs/heads/"):
        return [f"+{sha or ref}:refs/remotes/origin/{ref.removeprefix('refs/heads/')}"]
    if ref.startswith("refs/pull/"):
        return [f"+{sha or ref}:refs/remotes/pull/{ref.removeprefix('refs/pull/')}"]
    if ref.startswith("refs/tags/"):
        return [f"+{sha or ref}:{ref}"]
    if sha:
        return [sha]
    return [f"+refs/heads/{ref}*:refs/remotes/origin/{ref}*", f"+refs/tags/{ref}*:refs/tags/{ref}*"]


def _switch(call: ActionCall, folder: Path, ref: str, sha: str) -> None:
    from .actions import ActionError

    force = ("git", "checkout", "--quiet", "--force")
    if not ref:
        call.run(*force, sha, cwd=folder)
    elif ref.startswith("refs/pull/"):
        call.run(*force, f"refs/remotes/pull/{ref.removeprefix('refs/pull/')}", cwd=folder)
    elif ref.startswith("refs/tags/"):
        call.run(*force, ref, cwd=folder)
    else:
        name = ref.removeprefix("refs/heads/")
        if call.ask("git", "rev-parse", "--verify", "--quiet", f"refs/remotes/origin/{name}", cwd=folder) is not None:
            call.run(*force, "-B", name, f"refs/remotes/origin/{name}", cwd=folder)
        elif call.ask("git", "rev-parse", "--verify", "--quiet", f"refs/tags/{name}", cwd=folder) is not None:
            call.run(*force, f"refs/tags/{name}", cwd=folder)
        else:
            raise ActionError(f"A branch or tag with the name '{name}' could not be found")


def _clean(call: ActionCall, folder: Path) -> None:
    if call.flag("clean"):
        call.run("git", "clean", "-ffdx", "--quiet", cwd=folder)
        call.ask("git", "reset", "--hard", "--quiet", "HEAD", cwd=folder)
    call.ask("git", "checkout", "--quiet", "--detach", cwd=folder)


def _forget(call: ActionCall, folder: Path, credentials: dict[str, str]) -> None:
    for key in credentials:
        call.ask("git", "config", "--local", "--unset-all", key, cwd=folder)
