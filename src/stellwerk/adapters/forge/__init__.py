"""Forges: where people read what a run found. GitHub through its interface, or none, which prints.

Git and DVC hold everything that counts; a forge only shows it. So an error here loses nothing: the next run shows it.
"""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

from stellwerk.adapters.forge.none import NoForge
from stellwerk.adapters.forge.patience import Patience
from stellwerk.adapters.forge.refusal import ForgeDown as ForgeDown
from stellwerk.adapters.forge.refusal import ForgeError as ForgeError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from stellwerk.model.ports import Forge


def open_forge(
    environ: Mapping[str, str],
    say: Callable[[str], None],
    name: str | None = None,
    *,
    patience: Patience | None = None,
) -> Forge:
    """The forge called `name` ("github", "none"); None: GitHub inside of GitHub Actions, else none. Asks nothing yet.

    `say` prints what `none` would have asked for. ForgeError where a variable is missing or PyGithub is not installed.
    """
    match name or ("github" if environ.get("GITHUB_ACTIONS") == "true" else "none"):
        case "none":
            return NoForge(say)
        case "github":
            from stellwerk.adapters.forge.github import GitHub

            if patience is None:
                patience = Patience(sleep=time.sleep, now=time.time, jitter=random.Random())  # noqa: S311  it only spreads
            return GitHub.from_environment(environ, patience=patience)
        case other:
            raise ForgeError(f"there is no forge {other!r}", hint="use `github` or `none`")
