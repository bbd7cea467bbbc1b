"""What `render` did: one line per file, then what it left alone and how that differs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stellwerk.report.plan_text import wait_lines
from stellwerk.report.terminal import Ink
from stellwerk.report.words import action_words

if TYPE_CHECKING:
    from stellwerk.model.views import Rendered


def rendered_text(rendered: Rendered, *, color: bool, width: int) -> str:
    """'' where every generated file is as it should be."""
    words = [action_words(render) for render in rendered.renders]
    lines = [f"{word.symbol} {word.text}" for word in words]
    return "\n".join([*lines, *wait_lines(rendered.left, ink=Ink(color=color), width=width)])
