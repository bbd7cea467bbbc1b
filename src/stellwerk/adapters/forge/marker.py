"""The first line of every text of ours on a forge: a comment that nobody sees and that says what the text is about.

Things are found by it, never by their titles (people edit them) or by a search index (it lags). Only the first line
counts: whatever free text stands below it cannot pass for a marker.
"""

from __future__ import annotations

import hashlib
import json
import re
from urllib.parse import quote, unquote

from msgspec import Struct

from stellwerk.adapters.forge.refusal import ForgeError
from stellwerk.model.ports import FORGE_BODY, FORGE_TITLE

LINE = re.compile(
    r"<!-- stellwerk (?P<name>\S+) (?P<asked>[0-9a-f]*)/(?P<said>[0-9a-f]*)/(?P<round>\d+)(?P<over>/over)? -->"
)
MARKER_LENGTH = 65_536 - FORGE_BODY


class Marker(Struct, frozen=True, kw_only=True):
    """`asked` and `said` are digests: of all that was asked for, and of what decides whether a thing is news."""

    name: str
    asked: str = ""
    said: str = ""
    round: int = 1  # how many times it was opened
    over: bool = False  # we closed it ourselves

    def __str__(self) -> str:
        name = quote(self.name, safe="/._:@+").replace("--", "-%2D")
        return f"<!-- stellwerk {name} {self.asked}/{self.said}/{self.round}{'/over' if self.over else ''} -->"

    def above(self, body: str) -> str:
        """The body with the marker as its first line."""
        line = str(self)
        if not self.name or len(line) >= MARKER_LENGTH:
            raise ForgeError(
                f"the marker {self.name!r} makes {len(line)} characters of 1 to {MARKER_LENGTH - 1}",
                hint="name it otherwise",
            )
        return f"{line}\n{body}"


def read_marker(text: str | None) -> Marker | None:
    """The marker of a text; None: the text is not ours."""
    match = LINE.fullmatch((text or "").partition("\n")[0].rstrip())
    if match is None:
        return None
    return Marker(
        name=unquote(match["name"]),
        asked=match["asked"],
        said=match["said"],
        round=int(match["round"]),
        over=match["over"] is not None,
    )


def below_marker(text: str | None) -> str:
    """The text without its marker."""
    return (text or "").partition("\n")[2] if read_marker(text) else text or ""


def digest(*parts: object) -> str:
    """16 hexadecimal digits of what JSON can hold; the same for the same values."""
    return hashlib.sha256(json.dumps(parts, ensure_ascii=True).encode()).hexdigest()[:16]


def same_text(one: str | None, other: str | None) -> bool:
    """Whether a forge that changes the ends of lines could have made one of the other."""
    return _plain(one) == _plain(other)


def _plain(text: str | None) -> str:
    return "\n".join((text or "").replace("\r\n", "\n").split("\n")).strip()


def check_texts(what: str, *, body: str, title: str = "-") -> None:
    """Refuse what GitHub would refuse with less clear words."""
    if not title.strip():
        raise ForgeError(f"{what} has no title", hint="give it one")
    if len(title) > FORGE_TITLE:
        raise ForgeError(
            f"the title of {what} has {len(title)} characters; {FORGE_TITLE} are allowed", hint="cut the title"
        )
    if len(body) > FORGE_BODY:
        raise ForgeError(
            f"the text of {what} has {len(body):,} characters; {FORGE_BODY:,} are allowed",
            hint="cut it before, and say where the rest is",
        )
