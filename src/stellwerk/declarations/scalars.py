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
_OCTAL = re.compile(r"0o[0-7]+\Z", re.ASCII)
_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]+\Z", re.ASCII)
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
    if _INTEGER.match(text):
        return int(_bounded(text))
    if _FLOAT.match(text):
        number = float(text)
        if math.isinf(number):
            message = f"{text} is too large for a number"
            raise UnsupportedNumberError(message)
        return number
    if _OCTAL.match(text):
        return int(_bounded(text), 8)
    if _HEXADECIMAL.match(text):
        return int(_bounded(text), 16)
    if _NOT_FINITE.match(text):
        message = f"{text} is not a finite number"
        raise UnsupportedNumberError(message)
    return text


def _bounded(text: str) -> str:
    if len(text) > _MAX_DIGITS:
        message = f"a number of {len(text)} digits is too long"
        raise UnsupportedNumberError(message)
    return text
