"""Make a git repository a DVC repository that Stellwerk can work with, without touching what people configured."""

from __future__ import annotations

from pathlib import Path


def init_dvc(root: Path, *, storage_url: str | None = None) -> tuple[str, ...]:
    """`dvc init` where needed, links instead of copies, and the remotes `storage` and `packages`; safe to repeat.

    Returns the paths that were created or changed, relative to `root`, to be committed.
    """
    raise NotImplementedError
