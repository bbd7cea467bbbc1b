"""Makes texts that match a declared pattern, by number: the n-th of them, without trying.

What is understood: literals, classes, `.`, groups, alternation, and repeats; `*` and `+` are taken to at most EIGHT.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NoReturn

from msgspec import Struct

from stellwerk.errors import StellwerkError

if TYPE_CHECKING:
    from collections.abc import Callable

EIGHT = 8
LONGEST = 200  # repeats of one thing
VISIBLE = "".join(chr(code) for code in range(33, 127))
DIGITS = "0123456789"
WORD = "".join(sign for sign in VISIBLE if sign.isalnum()) + "_"
_CLASSES = {
    "d": DIGITS,
    "w": WORD,
    "s": " ",
    "D": "".join(sign for sign in VISIBLE if sign not in DIGITS),
    "W": "".join(sign for sign in VISIBLE if sign not in WORD),
    "S": VISIBLE,
}
_CONTROL = {"t": "\t", "n": "\n", "r": "\r", "f": "\f", "v": "\v"}
_COUNTED = re.compile(r"\{(\d*)(,?)(\d*)\}")


class Texts(Struct, frozen=True):
    """`size` texts; `nth(i)` is the i-th, 0 <= i < size. Two numbers may give the same text (`a?a?`)."""

    size: int
    nth: Callable[[int], str]


def texts_of(pattern: str, where: str = "") -> Texts:
    """The texts a pattern describes. StellwerkError where it uses more than is understood here."""
    reader = _Reader(pattern.removeprefix("^").removeprefix(r"\A"), pattern, where)
    found = reader.alternatives()
    if reader.at < len(reader.text):
        reader.refuse("a `)` without `(`")
    return found


def _one_of(signs: str) -> Texts:
    return Texts(len(signs), signs.__getitem__)


def _in_a_row(parts: list[Texts]) -> Texts:
    size = 1
    for part in parts:
        size *= part.size

    def nth(number: int) -> str:
        found = []
        for part in reversed(parts):
            number, rest = divmod(number, part.size)
            found.append(part.nth(rest))
        return "".join(reversed(found))

    return parts[0] if len(parts) == 1 else Texts(size, nth)


def _either(options: list[Texts]) -> Texts:
    def nth(number: int) -> str:
        for option in options:
            if number < option.size:
                return option.nth(number)
            number -= option.size
        raise IndexError(number)

    return options[0] if len(options) == 1 else Texts(sum(option.size for option in options), nth)


class _Reader:
    """Reads a pattern from the left."""

    __slots__ = ("at", "pattern", "text", "where")

    def __init__(self, text: str, pattern: str, where: str) -> None:
        self.text, self.pattern, self.where, self.at = text, pattern, where, 0

    def refuse(self, what: str) -> NoReturn:
        raise StellwerkError(
            f"no values can be made up for the pattern {self.pattern!r}: {what} is not understood here",
            where=self.where,
            hint="declare the pattern with literals, [classes], (a|b) and counted repeats such as {2,4} only,"
            " or declare `allowed` values",
        )

    def _take(self, sign: str) -> bool:
        found = self.text.startswith(sign, self.at)
        self.at += len(sign) if found else 0
        return found

    def _next(self) -> str:
        if self.at >= len(self.text):
            self.refuse("its end, where something is still open,")
        self.at += 1
        return self.text[self.at - 1]

    def alternatives(self) -> Texts:
        options = [self._row()]
        while self._take("|"):
            options.append(self._row())
        return _either(options)

    def _row(self) -> Texts:
        parts: list[Texts] = []
        while self.at < len(self.text) and self.text[self.at] not in "|)":
            if self.text[self.at :] in {"$", r"\Z"}:  # a whole value is compared, so its end is here anyway
                self.at = len(self.text)
            else:
                parts.append(self._repeated(self._atom()))
        return _in_a_row(parts or [Texts(1, lambda _: "")])

    def _atom(self) -> Texts:
        sign = self._next()
        if sign == "(":
            if self._take("?") and not self._take(":"):
                self.refuse(f"`(?{self.text[self.at : self.at + 1]}`")
            found = self.alternatives()
            if not self._take(")"):
                self.refuse("a `(` without `)`")
            return found
        if sign == "[":
            return _one_of(self._class())
        if sign == ".":
            return _one_of(VISIBLE)
        if sign == "\\":
            return _one_of(self._escaped())
        if sign in "^$*+?":
            self.refuse(f"`{sign}` at this place")
        return _one_of(sign)

    def _escaped(self) -> str:
        sign = self._next()
        if sign in _CLASSES:
            return _CLASSES[sign]
        if sign in _CONTROL:
            return _CONTROL[sign]
        if sign.isalnum():
            self.refuse(f"`\\{sign}`")
        return sign

    def _class(self) -> str:
        unwanted = self._take("^")
        signs: dict[str, None] = {}
        first = True
        while first or not self._take("]"):
            low = self._class_sign()
            first = False
            if len(low) == 1 and self.text.startswith("-", self.at) and self.text[self.at + 1 : self.at + 2] != "]":
                self.at += 1
                high = self._class_sign()
                if len(high) != 1 or ord(high) - ord(low) not in range(10_000):
                    self.refuse(f"the range `{low}-{high[:1]}`")
                signs.update(dict.fromkeys(map(chr, range(ord(low), ord(high) + 1))))
            else:
                signs.update(dict.fromkeys(low))
        found = "".join(sign for sign in VISIBLE if sign not in signs) if unwanted else "".join(signs)
        if not found:
            self.refuse("a class without any visible ASCII character")
        return found

    def _class_sign(self) -> str:
        sign = self._next()
        return self._escaped() if sign == "\\" else sign

    def _repeated(self, part: Texts) -> Texts:
        counted = _COUNTED.match(self.text, self.at)
        if self._take("?"):
            least, most = 0, 1
        elif self._take("*"):
            least, most = 0, EIGHT
        elif self._take("+"):
            least, most = 1, EIGHT
        elif counted and (counted[1] or counted[3]):
            self.at = counted.end()
            least = int(counted[1] or 0)
            most = int(counted[3]) if counted[3] else least + EIGHT if counted[2] else least
        else:
            return part
        if self.at < len(self.text) and self.text[self.at] in "?*+{":
            self.refuse(f"`{self.text[self.at]}` after a repeat")
        if not least <= most <= LONGEST:
            self.refuse(f"a repeat of {least} to {most} times")
        return _either([_in_a_row([part] * count or [Texts(1, lambda _: "")]) for count in range(least, most + 1)])
