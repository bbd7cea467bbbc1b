"""The simulated forge's side of a repository: a bare one with settings, secrets, tokens, pull requests and push rules.

A clone that carries no credentials reads a public repository and pushes to none; of a private one it sees nothing.
Credentials are what `actions/checkout` persists: a push option that names a token and, where the repository is private,
the address under which it is found.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .permissions import READ

BOT = "github-actions[bot]"
_COMMITTER = {"NAME": "GitHub", "EMAIL": "noreply@github.com"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """`reviewers` makes every job that names it wait; `branches` are patterns of refs that may deploy, () for all."""

    secrets: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    reviewers: tuple[str, ...] = ()
    branches: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """An installed GitHub App. Its pushes are those of `SLUG[bot]` and start workflows."""

    id: str
    private_key: str
    slug: str
    permissions: Mapping[str, str] = field(default_factory=lambda: {"contents": "write", "pull-requests": "write"})

    @property
    def identity(self) -> str:
        return f"{self.slug}[bot]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """`protected`: branch pattern -> identities that may push there. `default_permissions`: of workflows that ask nothing."""

    protected: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    environments: Mapping[str, Environment] = field(default_factory=dict)
    apps: tuple[App, ...] = ()
    default_permissions: Mapping[str, str] = field(default_factory=lambda: READ)
    default_branch: str = "main"
    private: bool = True
    approval_holds_group: bool = True  # a job that waits for its approval is already in its concurrency group


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """`starts`: whether what it pushes starts workflows; never that of a job's own token."""

    value: str
    identity: str
    permissions: Mapping[str, str]
    starts: bool


@dataclass(slots=True, kw_only=True)
class PullRequest:
    """`fork` is the full name of the repository its head is in, '' for this one."""

    number: int
    title: str
    body: str
    author: str
    head: str
    base: str
    fork: str = ""
    state: str = "open"
    merged: bool = False
    labels: tuple[str, ...] = ()


class Repository:
    """One repository of the forge; `folder` keeps the bare repository and what clones see of it."""

    def __init__(self, folder: Path, name: str, settings: Settings) -> None:
        self.name = name
        self.settings = settings
        self.bare = folder / "store" / f"{name}.git"
        self._public = folder / "public" / f"{name}.git"
        self.pull_requests: dict[int, PullRequest] = {}
        self._people: dict[str, Token] = {}
        self.bare.mkdir(parents=True)
        self.git("init", "--quiet", "--bare", "--template=", f"--initial-branch={settings.default_branch}")
        with (self.bare / "config").open("a", encoding="utf-8") as config:
            config.write("[receive]\n\tadvertisePushOptions = true\n[uploadpack]\n\tallowAnySHA1InWant = true\n")
        for path in ("harness/tokens", "harness/pushes", "hooks"):
            (self.bare / path).mkdir(parents=True)
        (self.bare / "harness/name").write_text(f"{name}\n", encoding="utf-8")
        for hook in ("pre-receive", "post-receive"):
            shutil.copyfile(Path(__file__).parent / "push_rules.sh", self.bare / "hooks" / hook)
            (self.bare / "hooks" / hook).chmod(0o755)
        self.change(settings)

    def change(self, settings: Settings) -> None:
        """Other settings from now on."""
        self.settings = settings
        lines = [f"{branch} {' '.join(allowed)}\n" for branch, allowed in settings.protected.items()]
        (self.bare / "harness/protected").write_text("".join(lines), encoding="utf-8")
        self._public.parent.mkdir(parents=True, exist_ok=True)
        self._public.unlink(missing_ok=True)
        if not settings.private:
            self._public.symlink_to(self.bare)

    @property
    def url(self) -> str:
        """What clones have as `origin`."""
        return f"file://{self._public}"

    def credentials(self, token: str) -> dict[str, str]:
        """The git configuration of a clone that may do what the token may."""
        found = {"push.pushOption": f"token={token}"}
        if self.settings.private and self.token(token) is not None:
            found[f"url.file://{self.bare}.insteadOf"] = self.url
        return found

    def git(
        self, *words: str, stdin: str | None = None, env: Mapping[str, str] | None = None, check: bool = True
    ) -> str:
        """Git in the bare repository, as the forge itself: no rule holds for it. Output without the last newline."""
        names = {f"GIT_{role}_{part}": value for role in ("AUTHOR", "COMMITTER") for part, value in _COMMITTER.items()}
        alone = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(self.bare), "GIT_CONFIG_NOSYSTEM": "1"}
        done = subprocess.run(
            ["git", "-c", "core.quotePath=false", *words],
            cwd=self.bare,
            input=stdin,
            env={**alone, **names, **(env or {})},
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        assert done.returncode == 0 or not check, f"git {' '.join(words)}: {done.stderr or done.stdout}"
        return done.stdout.removesuffix("\n")

    def commit_of(self, ref: str) -> str:
        """The id of the commit that a ref names; '' where it does not exist."""
        return self.git("rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}", check=False)

    def read(self, commit: str, path: str) -> str:
        return self.git("cat-file", "blob", f"{commit}:{path}")

    def unpack(self, commit: str, folder: Path) -> None:
        """The files of a commit, without a clone."""
        if folder.exists():
            return
        archive = folder.with_suffix(".tar")
        self.git("archive", "--format=tar", f"--output={archive}", commit)
        shutil.unpack_archive(archive, folder)
        archive.unlink()

    def workflow_files(self, commit: str) -> dict[str, str]:
        """The workflow files of a commit, by their path."""
        names = self.git("ls-tree", "--name-only", commit, ".github/workflows/").splitlines()
        return {name: self.read(commit, name) for name in names if name.endswith((".yml", ".yaml"))}

    def issue_token(self, identity: str, permissions: Mapping[str, str], *, starts: bool, kind: str = "ghs") -> Token:
        token = Token(
            value=f"{kind}_{secrets.token_hex(18)}", identity=identity, permissions=dict(permissions), starts=starts
        )
        rights = [permissions.get(name, "none") for name in ("contents", "workflows")]
        file = self._token_file(token.value)
        file.write_text("\n".join([identity, str(starts), *rights, ""]), encoding="utf-8")
        file.with_suffix(".json").write_text(json.dumps(token.permissions), encoding="utf-8")
        return token

    def token(self, value: str) -> Token | None:
        """Who a token is and what it may do; None once it was revoked. For a simulated API to ask."""
        file = self._token_file(value)
        try:
            identity, starts, *_ = file.read_text(encoding="utf-8").splitlines()
            permissions = json.loads(file.with_suffix(".json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        return Token(value=value, identity=identity, permissions=permissions, starts=starts == "True")

    def revoke(self, token: Token) -> None:
        self._token_file(token.value).unlink(missing_ok=True)

    def person(self, name: str) -> Token:
        """The token of a person with write access."""
        if name not in self._people:
            rights = {"contents": "write", "workflows": "write", "pull-requests": "write", "issues": "write"}
            self._people[name] = self.issue_token(name, rights, starts=True, kind="ghp")
        return self._people[name]

    def clone(self, folder: Path, person: str) -> Path:
        """A person's clone, with credentials."""
        configs = [f"--config={key}={value}" for key, value in self.credentials(self.person(person).value).items()]
        self.git("clone", "--quiet", *configs, f"file://{self.bare}", str(folder))
        self.git("-C", str(folder), "remote", "set-url", "origin", self.url)
        return folder

    def pushes(self) -> list[dict[str, Any]]:
        """The pushes since the last call, in their order: who, starts, before, after, ref."""
        found = []
        for file in sorted((self.bare / "harness/pushes").glob("[0-9]*")):
            who, starts, *changes = file.read_text(encoding="utf-8").splitlines()
            file.unlink()
            for change in changes:
                before, after, ref = change.split()
                found.append({"who": who, "starts": starts == "True", "before": before, "after": after, "ref": ref})
        return found

    def record_push(self, ref: str, after: str, *, who: str, starts: bool) -> None:
        """Move a ref as the forge itself (a merge by its button or its API) and remember it as a push."""
        before = self.commit_of(ref) or "0" * 40
        self.git("update-ref", ref, after, before)
        file = self.bare / f"harness/pushes/{time.time_ns()}-0"
        file.write_text(f"{who}\n{starts}\n{before} {after} {ref}\n", encoding="utf-8")

    def changed_paths(self, before: str, after: str) -> list[str]:
        return self.git("diff", "--name-only", "--no-renames", before, after).splitlines()

    def merge_commit(self, base: str, head: str, message: str, *, squash: bool = False) -> str:
        """The commit that merges head into base, or all of it in one; '' where they conflict."""
        tree = self.git("merge-tree", "--write-tree", "--no-messages", base, head, check=False)
        if len(tree.splitlines()) != 1:  # the tree, then the files in conflict
            return ""
        parents = ("-p", base) if squash else ("-p", base, "-p", head)
        return self.git("commit-tree", tree, *parents, "-m", message)

    def _token_file(self, value: str) -> Path:
        return self.bare / "harness/tokens" / (value if value.isidentifier() else "unknown")
