"""Text for a terminal: harmless, measured in cells, and coloured only where asked."""

from __future__ import annotations

import unicodedata

from msgspec import Struct

UNBOUNDED = 10_000  # the width of a pipe: nothing is wrapped or shortened

_JOINERS = "\u200c\u200d"  # needed by some scripts and emoji; they change no direction and hide nothing
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def clean(text: str) -> str:
    """The text on one line, with control, direction and surrogate characters shown as escapes."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_visible(character) for character in text)


def clean_lines(text: str) -> str:
    """As `clean`, but line ends stay and tabs become spaces."""
    return "\n".join(clean(line.expandtabs(4)) for line in text.splitlines())


def _visible(character: str) -> str:
    if unicodedata.category(character) not in _HIDDEN or character in _JOINERS:
        return character
    return character.encode("unicode_escape").decode("ascii")


def cells(text: str) -> int:
    """How many terminal cells the text takes; wide East Asian characters take two, combining marks none."""
    if text.isascii():
        return len(text)
    return sum(_cell(character) for character in text)


def _cell(character: str) -> int:
    if unicodedata.combining(character) or character in _JOINERS:
        return 0
    return 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1


def elide(text: str, width: int) -> str:
    """The text in at most `width` cells, its middle replaced by `…` where it is longer."""
    if cells(text) <= width:
        return text
    if width < 1:
        return ""
    room = width - 1
    head = _take(text, room - room // 2)
    tail = _take(text[::-1], room // 2)[::-1]
    return f"{head}…{tail}"


def _take(text: str, width: int) -> str:
    used = 0
    for index, character in enumerate(text):
        used += _cell(character)
        if used > width:
            return text[:index]
    return text


def pad(text: str, width: int) -> str:
    """The text followed by spaces up to `width` cells."""
    return text + " " * (width - cells(text))


def wrap(text: str, *, width: int, indent: int = 0) -> list[str]:
    """The words of one line broken into lines of at most `width` cells, each led by `indent` spaces."""
    lead = " " * indent
    room = max(width - indent, 20)
    lines: list[str] = []
    line = ""
    for word in text.split(" "):
        longer = f"{line} {word}" if line else word
        if line and cells(longer) > room:
            lines.append(lead + line)
            line = word
        else:
            line = longer
    return [*lines, lead + line] if line else lines


def hang(text: str, *, width: int, indent: int) -> tuple[str, list[str]]:
    """The text wrapped for a place `indent` cells from the left: what stands there, and the lines below it."""
    first, *rest = wrap(text, width=width, indent=indent) or [" " * indent]
    return first[indent:], rest


class Ink(Struct, frozen=True, kw_only=True):
    """ANSI styles, or none. Colour never carries a meaning that the words do not."""

    color: bool

    def _styled(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.color and text else text

    def bold(self, text: str) -> str:
        """The text emphasised."""
        return self._styled("1", text)

    def dim(self, text: str) -> str:
        """The text in the background."""
        return self._styled("2", text)

    def red(self, text: str) -> str:
        """The text in red."""
        return self._styled("31", text)

    def green(self, text: str) -> str:
        """The text in green."""
        return self._styled("32", text)

    def yellow(self, text: str) -> str:
        """The text in yellow."""
        return self._styled("33", text)

    def cyan(self, text: str) -> str:
        """The text in cyan."""
        return self._styled("36", text)
