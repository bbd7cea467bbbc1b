"""Train on a few rows and predict them with what was trained: what a source does at all, nothing about how well."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from stellwerk.errors import StellwerkError
from stellwerk.training.package import package_digest
from stellwerk.training.predictions import DECIDED, PREDICTED, predict_package
from stellwerk.training.training import train_package

if TYPE_CHECKING:
    from stellwerk.training.contract import Contract, StageParams
    from stellwerk.training.jobs import Surroundings
    from stellwerk.training.predictions import Predictions
    from stellwerk.training.snapshot import Snapshot

MOST_ROWS = 500
KEPT_OUT = 5  # of so many rows one is kept out of the training
FEW = 50  # rows, of which none is


class Written(Struct, frozen=True, kw_only=True):
    """The texts of predictions.csv and, where the model has a `decide`, of decisions.csv."""

    predictions: str
    decisions: str | None


class Smoke(Struct, frozen=True, kw_only=True, eq=False):
    """A training on the `learned` rows of `snapshot`, and predictions of all, each made in a clean process."""

    snapshot: Snapshot
    contract: Contract
    predictions: Predictions
    written: Written


def train_and_predict(stage: StageParams, snapshot: Snapshot, *, root: Path, around: Surroundings) -> Smoke:
    """Train on most of the snapshot's rows, then predict all with the package. StellwerkError says what went wrong."""
    with tempfile.TemporaryDirectory(prefix="stellwerk-smoke-") as scratch:
        package, kept = Path(scratch) / "package", Path(scratch) / "kept"
        kept.mkdir()
        trained = train_package(stage, snapshot, learned(snapshot), root=root, into=package, around=around)
        sha256 = package_digest(package).sha256
        predictions = predict_package(package, snapshot.rows, sha256=sha256, around=around, keep=kept)
        written = written_in(kept)
    return Smoke(snapshot=snapshot, contract=trained.contract, predictions=predictions, written=written)


def learned(snapshot: Snapshot) -> Any:
    """The mask of the rows to train on: four of five, and all where they are few.

    A model that has learned its rows by heart predicts them alike however it was drawn; rows it never saw tell.
    """
    import numpy as np

    count = len(snapshot.rows)
    return np.full(count, fill_value=True) if count < FEW else np.arange(count) % KEPT_OUT != KEPT_OUT - 1


def first_rows(snapshot: Snapshot) -> Snapshot:
    """At most 500 of them."""
    rows, types = snapshot.rows.head(MOST_ROWS), snapshot.types.head(MOST_ROWS)
    return msgspec.structs.replace(snapshot, rows=rows, types=types)


def written_in(folder: Path) -> Written:
    """What a process that predicts wrote into its folder. Links are not followed."""
    texts = []
    for name in (PREDICTED, DECIDED):
        path = folder / name
        plain_file = path.is_file() and not path.is_symlink()
        texts.append(path.read_text(encoding="utf-8") if plain_file else None)
    if texts[0] is None:
        raise StellwerkError("no predictions were written")
    return Written(predictions=texts[0], decisions=texts[1])
