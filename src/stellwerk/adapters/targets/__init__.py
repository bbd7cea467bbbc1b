"""Deploy targets, one module each. Every target is idempotent and says what it saw."""

from __future__ import annotations

from stellwerk.model.declared import DeployTarget
from stellwerk.model.ports import DeployPort
from pathlib import Path


def target_for(target: DeployTarget, *, root: Path) -> DeployPort:
    """The adapter of a declared target. Paths and commands are relative to the repository's root."""
    raise NotImplementedError
