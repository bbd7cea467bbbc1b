"""Render the first `mlops.yaml` of a project. Pure."""

from __future__ import annotations

import json
import re
from importlib.resources import files

PLAIN = re.compile(r"[A-Za-z_][\w./-]*", re.ASCII)
RESERVED = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})  # YAML 1.1 editors included


def render_scaffold(datasets: tuple[tuple[str, str], ...]) -> str:
    """The text, with the datasets (name, path) already declared."""
    import jinja2

    environment = jinja2.Environment(
        block_start_string="[%",
        block_end_string="%]",
        variable_start_string="[[",
        variable_end_string="]]",
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701 - YAML, whose scalars are quoted by `_scalar`
    )
    template = environment.from_string(files("stellwerk.render").joinpath("mlops.yaml.j2").read_text("utf-8"))
    return template.render(datasets=[(_scalar(name), _scalar(path)) for name, path in datasets])


def _scalar(text: str) -> str:
    """Text as a YAML scalar: plain where that is safe, else as JSON writes it, which YAML reads the same."""
    return text if PLAIN.fullmatch(text) and text.lower() not in RESERVED else json.dumps(text, ensure_ascii=False)
