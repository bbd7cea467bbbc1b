"""The head of a generated file: what it comes from, and the hash of the rest, by which an edit is told. Pure."""

from __future__ import annotations

import hashlib
import re

MLOPS = "mlops.yaml"
PROJECT = "mlops.yaml and environments/"
SEAL = "# stellwerk: sha256="
_HEADER = re.compile(
    r"# Rendered by stellwerk from [^\n]{1,100}\. Do not edit: change [^\n]{1,100} and run `stellwerk render`\.\n"
)


def sealed(body: str, source: str = MLOPS) -> str:
    """A generated file: our header with what it is made from, the hash of the rest, the rest."""
    header = f"# Rendered by stellwerk from {source}. Do not edit: change {source} and run `stellwerk render`.\n"
    return f"{header}{SEAL}{_digest(body)}\n{body}"


def ours(text: str) -> bool:
    """Whether the text carries our header."""
    return _HEADER.match(_unix(text)) is not None


def edited(text: str) -> bool:
    """Whether a text with our header was changed after it was rendered. Line ends do not count."""
    unix = _unix(text)
    header = _HEADER.match(unix)
    if header is None:
        return False
    seal, _, body = unix[header.end() :].partition("\n")
    return seal != SEAL + _digest(body)


def _digest(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()


def _unix(text: str) -> str:
    return text.replace("\r\n", "\n")
