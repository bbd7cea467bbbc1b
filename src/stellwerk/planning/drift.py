"""How a generated file differs from what would be rendered: a unified diff of bounded size. Pure."""

from __future__ import annotations

import difflib

LINES = 40  # shown
WIDTH = 200  # of a line, in characters
COMPARED = 1_000  # lines of either side; a generated file has far fewer


def difference(path: str, present: str, wanted: str) -> str:
    """What `render --force` would do to the file: `-` lies there now, `+` is rendered. '' where the lines agree."""
    before, after = present.splitlines()[:COMPARED], wanted.splitlines()[:COMPARED]
    lines = list(
        difflib.unified_diff(before, after, f"{path} as it lies here", f"{path} as rendered", lineterm="", n=2)
    )
    cut = [line if len(line) <= WIDTH else line[:WIDTH] + "…" for line in lines[:LINES]]
    more = len(lines) - len(cut)
    return "\n".join([*cut, f"… and {more:,} more lines"] if more > 0 else cut)
