"""The scalars of the YAML 1.2 core schema: `yes`, `on`, `1:30` and dates are text, `0o17` is a number."""

from __future__ import annotations

import math
import re

Scalar = str | int | float | bool | None

_WORDS: dict[str, bool | None] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True,
    "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_INTEGER = re.compile(r"[-+]?[0-9]+\Z", re.ASCII)
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z", re.ASCII)
_WHOLE_FORMS = (
    (10, _INTEGER),
    (8, re.compile(r"0o[0-7]+\Z", re.ASCII)),
    (16, re.compile(r"0x[0-9a-fA-F]+\Z", re.ASCII)),
)
_NOT_FINITE = re.compile(r"(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\Z")
_NUMBER_STARTS = frozenset("+-.0123456789")
_MAX_DIGITS = 40


class UnsupportedNumberError(ValueError):
    """A number that JSON cannot carry: infinite, not a number, or of absurd length."""


def plain_scalar(text: str) -> Scalar:
    """What an unquoted scalar means. Raises UnsupportedNumberError."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _NUMBER_STARTS:
        return text
    if _NOT_FINITE.match(text):
        raise UnsupportedNumberError(f"{text} is not a finite number")
    if _FLOAT.match(text) and not _INTEGER.match(text):
        number = float(text)
        if math.isinf(number):
            raise UnsupportedNumberError(f"{text} is too large for a number")
        return number
    return _whole(text)


def _whole(text: str) -> int | str:
    base = next((base for base, form in _WHOLE_FORMS if form.match(text)), None)
    if base is None:
        return text
    if len(text) > _MAX_DIGITS:
        raise UnsupportedNumberError(f"a number of {len(text)} digits is too long")
    return int(text, base)
