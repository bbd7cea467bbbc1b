"""Text for YAML that others read: one way to write a scalar, and Jinja set up for it. Pure."""

from __future__ import annotations

import functools
import json
import re
from importlib.resources import files
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

PLAIN = re.compile(r"[A-Za-z_][\w./-]*(?: [\w./-]+)*", re.ASCII)
RESERVED = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})  # YAML 1.1 editors included
_HIDDEN = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\u200b-\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")


def scalar(text: str) -> str:
    """Text as a YAML scalar: plain where that is safe, else as JSON writes it, which YAML reads the same."""
    if PLAIN.fullmatch(text) and text.lower() not in RESERVED:
        return text
    return _HIDDEN.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(text, ensure_ascii=False))


def template(name: str, filters: dict[str, Callable[[Any], str]]) -> Any:
    """The compiled template of that file beside this one. What it asks for and is not given is an error."""
    return _compiled(name, tuple(sorted(filters.items())))


@functools.cache
def _compiled(name: str, filters: tuple[tuple[str, Callable[[Any], str]], ...]) -> Any:
    import jinja2

    environment = jinja2.Environment(
        block_start_string="[%",
        block_end_string="%]",
        variable_start_string="[[",
        variable_end_string="]]",
        comment_start_string="[#",
        comment_end_string="#]",
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701 - YAML, whose scalars are quoted by `scalar`
    )
    environment.filters.update({"scalar": scalar, **dict(filters)})
    return environment.from_string(files("stellwerk.render").joinpath(name).read_text("utf-8"))
