"""The rows of a dataset's file, and the facts that tell it from any other."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stellwerk.data.frames import read_rows, typed

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Snapshot:
    """The rows of a dataset (csv: as text) and the facts about their file; `types` is what pandas makes of them."""

    rows: pd.DataFrame
    types: pd.DataFrame
    sha256: str
    size: int


def read_snapshot(path: Path, data_format: str) -> Snapshot:
    """The rows of the file, with its SHA-256 (hex) and size in bytes."""
    rows = read_rows(path, data_format)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Snapshot(rows=rows, types=typed(rows, data_format), sha256=digest, size=path.stat().st_size)
