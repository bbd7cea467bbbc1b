"""`strategy.matrix`: the combinations of its vectors, without `exclude`, joined with `include` by GitHub's rules."""

from __future__ import annotations

from itertools import product
from typing import Any

from .values import as_text, compare

LARGEST = 256  # jobs of one matrix


class MatrixError(Exception):
    """A matrix that GitHub refuses: the job fails."""


def expand(matrix: Any) -> list[dict[str, Any]]:
    """The values of every job, in order."""
    if not isinstance(matrix, dict):
        raise MatrixError("the matrix is no map")
    vectors = {key: value for key, value in matrix.items() if key not in {"include", "exclude"}}
    for key, values in vectors.items():
        if not isinstance(values, list) or not values:
            raise MatrixError(f"Matrix vector '{key}' does not contain any values")
    include, exclude = (_entries(matrix, key) for key in ("include", "exclude"))
    if not vectors and not include:
        raise MatrixError("Matrix must define at least one vector")
    combinations = [dict(zip(vectors, values, strict=True)) for values in product(*vectors.values())] if vectors else []
    kept = [found for found in combinations if not any(_matches(found, entry) for entry in exclude)]
    originals = [dict(found) for found in kept]
    added = []
    for entry in include:
        fits = [
            place
            for place, original in enumerate(originals)
            if all(key not in original or _same(original[key], value) for key, value in entry.items())
        ]
        for place in fits:
            kept[place].update(entry)
        if not fits:
            added.append(dict(entry))
    kept += added
    if len(kept) > LARGEST:
        raise MatrixError(f"the matrix has {len(kept)} jobs, more than {LARGEST}")
    return kept


def label(values: dict[str, Any]) -> str:
    """What GitHub appends to the job's name."""
    texts = [as_text(value) for value in values.values() if not isinstance(value, list | dict)]
    return f" ({', '.join(texts)})" if texts else ""


def _entries(matrix: dict[str, Any], key: str) -> list[dict[str, Any]]:
    entries = matrix.get(key) or []
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise MatrixError(f"`{key}` of a matrix is a list of maps")
    return entries


def _matches(found: dict[str, Any], entry: dict[str, Any]) -> bool:
    return all(key in found and _same(found[key], value) for key, value in entry.items())


def _same(left: Any, right: Any) -> bool:
    return left == right if isinstance(left, list | dict) else compare("==", left, right)
