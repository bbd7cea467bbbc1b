"""Fetch what a dataset's declared `source` offers now, beside the dataset; the caller checks it and moves it over."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from stellwerk.model.declared import Dataset


def fetch_source(dataset: Dataset, root: Path, *, into: Path, timeout: float = 3600) -> Path:
    """Write a fresh copy of the dataset to a new file inside the folder `into` and return it.

    Without a declared source (or with the dataset's own path as `file`) the dataset's own file is returned.
    """
    raise NotImplementedError


def put_in_place(fetched: Path, dataset: Dataset, root: Path) -> None:
    """Move a fetched and checked file over the dataset, atomically. Does nothing where it is the dataset itself."""
    raise NotImplementedError
