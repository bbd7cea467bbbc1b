"""The first lines of a story: a repository with its workflow files, and commits of people."""

from __future__ import annotations

import os
import subprocess
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .github import GitHub
from .machine import Machine
from .repository import Settings

_PERSON = {
    f"GIT_{role}_{part}": f"{part}@example.com" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")
}


def attempt(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Git as a person, in a clone; it may fail."""
    environment = {**_PERSON, **os.environ}
    return subprocess.run(
        ["git", *words], cwd=folder, env=environment, capture_output=True, encoding="utf-8", check=False
    )


def git(folder: Path, *words: str) -> str:
    """The output of git, which must not fail."""
    done = attempt(folder, *words)
    assert done.returncode == 0, f"git {' '.join(words)} ended with {done.returncode}: {done.stderr}{done.stdout}"
    return done.stdout.strip()


def commit(folder: Path, files: Mapping[str, str], message: str = "change", *, branch: str = "") -> str:
    """Write dedented files and commit them, on a new branch if one is named; the commit's id.

    A name like `ci.yml` without a folder is a workflow.
    """
    if branch:
        git(folder, "checkout", "--quiet", "-B", branch)
    for name, text in files.items():
        path = folder / (f".github/workflows/{name}" if name.endswith(".yml") and "/" not in name else name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", message)
    return git(folder, "rev-parse", "HEAD")


def begin(folder: Path, files: Mapping[str, str], machine: Machine, **settings: Any) -> tuple[GitHub, Path]:
    """A forge with these files on `main`, and ada's clone of it. Her push was not yet looked at."""
    github = GitHub(folder, machine=machine, settings=Settings(**settings))
    clone = github.clone("ada")
    commit(clone, files, branch="main")
    git(clone, "push", "--quiet", "origin", "HEAD:main")
    return github, clone
