"""What `render` did: one line per file, then what it left alone and how that differs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stellwerk.report.plan_text import wait_lines
from stellwerk.report.table import table
from stellwerk.report.terminal import UNBOUNDED, Ink
from stellwerk.report.words import action_words

if TYPE_CHECKING:
    from stellwerk.model.views import Rendered
    from stellwerk.render.actions import PinnedAction


def rendered_text(rendered: Rendered, *, color: bool, width: int) -> str:
    """'' where every generated file is as it should be."""
    words = [action_words(render) for render in rendered.renders]
    lines = [f"{word.symbol} {word.text}" for word in words]
    gaps = ["", *rendered.gaps] if rendered.gaps else []
    return "\n".join([*lines, *wait_lines(rendered.left, ink=Ink(color=color), width=width), *gaps])


def actions_text(actions: tuple[PinnedAction, ...], overridden: frozenset[str]) -> str:
    """The commits that rendered workflows use, and how to take others."""
    rows = [(item.name, item.version, item.commit, "mlops.yaml" if item.name in overridden else "") for item in actions]
    return "\n".join(
        [
            *table([("action", "version", "commit", "from"), *rows], width=UNBOUNDED),
            "",
            "They come with Stellwerk and are renewed with it. To take another one now:",
            "1. Find the commit of the release's tag in the action's repository: git ls-remote REPOSITORY 'TAG^{}'",
            "2. Find the same commit beside the same version in a second place that you trust: a tag can be moved.",
            "3. Write it down and render:",
            '   workflows: {actions: {actions/checkout: "COMMIT # VERSION"}}',
        ]
    )
