"""Tables that fit the terminal: columns shrink from the widest, and their texts lose the middle."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from stellwerk.report.terminal import cells, elide, pad

GAP = 2
NARROWEST = 6

Style = Callable[[str], str]


def _plain(text: str) -> str:
    return text


def table_width(rows: Sequence[Sequence[str]]) -> int:
    """The cells that a row takes where nothing is shortened."""
    widths = [max(map(cells, column)) for column in zip(*rows, strict=True)]
    return sum(widths) + GAP * (len(widths) - 1)


def column_widths(rows: Sequence[Sequence[str]], *, width: int) -> tuple[int, ...]:
    """The width of each column so that a row takes at most `width` cells; no column falls below NARROWEST."""
    widths = [max(cells(text) for text in column) for column in zip(*rows, strict=True)]
    room = width - GAP * (len(widths) - 1)
    while sum(widths) > room and max(widths) > NARROWEST:
        widest = widths.index(max(widths))
        widths[widest] = max(NARROWEST, widths[widest] - (sum(widths) - room), _second(widths))
    return tuple(widths)


def _second(widths: list[int]) -> int:
    """What the widest column may shrink to before another one is the widest."""
    largest, *others = sorted(widths, reverse=True)
    return min(largest - 1, others[0]) if others else 0


def table(
    rows: Sequence[Sequence[str]],
    *,
    width: int,
    head: Style | None = None,
    styles: Sequence[Sequence[Style | None]] = (),
) -> list[str]:
    """The rows as lines, the first in `head`'s style. `styles` colours the cells of the other rows."""
    if not rows:
        return []
    widths = column_widths(rows, width=width)
    lines = []
    for number, row in enumerate(rows):
        inks = styles[number - 1] if number and styles else [None if number else head] * len(row)
        shown = []
        for text, room, ink in zip(row, widths, inks, strict=True):
            short = elide(text, room)
            shown.append((ink or _plain)(short) + pad(short, room)[len(short) :])
        lines.append((" " * GAP).join(shown).rstrip())
    return lines
