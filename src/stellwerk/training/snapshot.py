"""The rows of a dataset's file, and the facts that tell it from any other."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from msgspec import Struct

from stellwerk.data.frames import read_rows, typed

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd


CHUNK = 1 << 20


class Snapshot(Struct, frozen=True, kw_only=True, eq=False):
    """The rows of a dataset (csv: as text) and the facts about their file; `types` is what pandas makes of them."""

    rows: pd.DataFrame
    types: pd.DataFrame
    md5: str
    sha256: str
    size: int


def read_snapshot(path: Path, data_format: str) -> Snapshot:
    """The rows of the file, with its MD5 (DVC's name for it) and SHA-256 in hex, and its size in bytes."""
    rows = read_rows(path, data_format)
    md5, sha256 = hashlib.md5(usedforsecurity=False), hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            md5.update(chunk)
            sha256.update(chunk)
    return Snapshot(
        rows=rows,
        types=typed(rows, data_format),
        md5=md5.hexdigest(),
        sha256=sha256.hexdigest(),
        size=path.stat().st_size,
    )
