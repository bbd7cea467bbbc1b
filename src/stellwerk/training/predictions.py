"""Predict rows with a package, in a clean process from a copy whose digest was checked."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from stellwerk.data.frames import write_rows
from stellwerk.errors import StellwerkError, TrainingFailed
from stellwerk.training.jobs import Finished, Surroundings, end_of, environment_python, job_folder, shell, work
from stellwerk.training.package import REQUIREMENTS, lay_out, read_contract, verify_package

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt
    import pandas as pd

    from stellwerk.training.contract import Contract

PREDICTED, DECIDED = "predictions.csv", "decisions.csv"
SUFFIX = {"csv": "csv", "jsonl": "jsonl", "parquet": "parquet"}


class Predictions(Struct, frozen=True, kw_only=True, eq=False):
    """One value per row, in the rows' order: numbers for regression, the classes as text for classification.

    `probability` is that of the contract's `positive` class; `decisions` is what the model's `decide` made of it.
    """

    answers: npt.NDArray[Any]
    probability: npt.NDArray[np.float64] | None
    decisions: pd.DataFrame | None
    finished: Finished


def predict_package(
    package: Path, rows: pd.DataFrame, *, sha256: str, around: Surroundings, keep: Path | None = None
) -> Predictions:
    """Predict `rows` (as `data.frames` reads them; the target is left out here, other columns are not needed).

    Into the folder `keep` go the files that were written, as they are.
    StellwerkError where the package is not the recorded one. TrainingFailed where the model's code fails, gives
    another number of predictions than rows, or one that is missing, infinite or no number.
    """
    with job_folder() as job:
        copy = job / "home" / "package"
        shutil.copytree(package, copy, symlinks=True)
        verify_package(copy, sha256)
        contract = read_contract(copy)
        lay_out(copy, job, contract)
        requirements = package / REQUIREMENTS if contract.code.requirements is not None else None
        python = environment_python(requirements, around)
        data = job / f"rows.{SUFFIX[contract.code.data_format]}"
        write_rows(_inputs(rows, contract), data, contract.code.data_format)
        if contract.format == "command":
            finished = shell("predict", contract.code, job=job, python=python, data=data, around=around)
        else:
            finished = work(
                "predict", contract.code, job=job, python=python, details=_order(contract, job, data), around=around
            )
        try:
            predictions = _read(job, contract, finished, count=len(rows))
        except TrainingFailed as error:
            error.log = error.log or end_of(finished)
            raise
        if keep is not None:
            for path in filter(None, (_plain_file(job, name) for name in (PREDICTED, DECIDED))):
                shutil.copyfile(path, keep / path.name)
        return predictions


def _inputs(rows: pd.DataFrame, contract: Contract) -> pd.DataFrame:
    missing = [name for name in contract.columns if name not in rows.columns]
    if missing:
        message = f"the rows to predict lack the columns {', '.join(missing)}"
        raise StellwerkError(message, hint="the model was trained with them; add them, or exclude them and train again")
    return rows[list(contract.columns)]


def _order(contract: Contract, job: Path, data: Path) -> dict[str, Any]:
    return {
        "data": {"path": str(data), "format": contract.code.data_format},
        "dtypes": dict(contract.columns),
        "task": contract.task,
        "positive": contract.positive,
        "predictions": str(job / "out" / PREDICTED),
        "decisions": str(job / "out" / DECIDED),
    }


def _read(job: Path, contract: Contract, finished: Finished, *, count: int) -> Predictions:
    frame = _read_csv(job, PREDICTED)
    if frame is None:
        raise _bad("no predictions were written to STELLWERK_PREDICTIONS")
    names = list(frame.columns)
    if names not in (["prediction"], ["prediction", "probability"]):
        raise _bad(
            f"the predictions' header is {','.join(names)[:200]}; `prediction` or `prediction,probability` is asked"
        )
    if len(frame) != count:
        raise _bad(f"{len(frame)} predictions for {count} rows")
    probability = _numbers(frame["probability"], "probabilities") if "probability" in names else None
    if probability is not None and ((probability < 0) | (probability > 1)).any():
        raise _bad(f"{int(((probability < 0) | (probability > 1)).sum())} probabilities lie outside 0..1")
    if contract.task == "regression":
        values = _numbers(frame["prediction"], "predictions")
    else:
        missing = int(frame["prediction"].isin(["", "nan", "NaN", "None", "<NA>"]).sum())
        if missing:
            raise _bad(f"{missing} of {count} predictions are missing")
        values = frame["prediction"].to_numpy(dtype=object)
    decisions = _typed_csv(job, DECIDED) if finished.said.get("decisions") else None
    if decisions is not None and len(decisions) != count:
        raise _bad(f"{len(decisions)} decisions for {count} rows")
    return Predictions(answers=values, probability=probability, decisions=decisions, finished=finished)


def _bad(message: str) -> TrainingFailed:
    return TrainingFailed(message, kind="bad-output")


def _numbers(column: pd.Series, what: str) -> npt.NDArray[np.float64]:
    import numpy as np
    import pandas as pd

    numbers = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64)
    wrong = int((~np.isfinite(numbers)).sum())
    if wrong:
        raise _bad(f"{wrong} of {len(numbers)} {what} are missing, infinite or no number")
    return numbers


def _plain_file(job: Path, name: str) -> Path | None:
    """A file the model's process wrote; links are not followed, they would be read with our rights."""
    path = job / "out" / name
    return path if path.is_file() and not path.is_symlink() and path.parent.resolve() == job / "out" else None


def _read_csv(job: Path, name: str) -> pd.DataFrame | None:
    import pandas as pd

    path = _plain_file(job, name)
    if path is None:
        return None
    try:
        return pd.read_csv(path, dtype=str, keep_default_na=False, skip_blank_lines=False)
    except (ValueError, UnicodeDecodeError) as error:
        raise _bad(f"{name} is not readable as CSV: {error}") from error


def _typed_csv(job: Path, name: str) -> pd.DataFrame | None:
    import pandas as pd

    path = _plain_file(job, name)
    return None if path is None else pd.read_csv(path)
