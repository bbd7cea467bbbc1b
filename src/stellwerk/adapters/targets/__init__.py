"""Deploy targets, one module each. Every target is idempotent and says what it saw."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from stellwerk.adapters.targets.command import CommandTarget
from stellwerk.adapters.targets.local import LocalTarget
from stellwerk.errors import StellwerkError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from stellwerk.model.declared import DeployTarget
    from stellwerk.model.ports import DeployPort


def target_for(target: DeployTarget, *, root: Path, environ: Mapping[str, str] | None = None) -> DeployPort:
    """The adapter of a declared target. Paths and commands are relative to the repository's root.

    `environ` is what commands inherit (None: this process's environment).
    """
    match target.target:
        case "local":
            return LocalTarget(root)
        case "command":
            return CommandTarget(root, environ=os.environ if environ is None else environ)
        case other:
            raise StellwerkError(f"there is no deploy target {other!r}", hint="use `local` or `command`")
