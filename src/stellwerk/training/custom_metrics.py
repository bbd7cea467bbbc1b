"""A team's own metrics (`module:function`), run in the model's environment after its predictions are fixed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct, field

from stellwerk.errors import StellwerkError
from stellwerk.training.jobs import Surroundings, environment_python, job_folder, work
from stellwerk.training.package import CODE, REQUIREMENTS, copy_code, read_contract

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

    from stellwerk.metrics.judge import Evaluated
    from stellwerk.model.declared import Json

    Mask = npt.NDArray[np.bool_]

Answer = tuple[float | None, str]


class Asked(Struct, kw_only=True):
    """Notes which metric is wanted on which rows, so that all of them are computed by one process per metric."""

    masks: dict[str, list[Mask]] = field(default_factory=dict)

    def note(self, name: str, mask: Mask) -> Answer:
        masks = self.masks.setdefault(name, [])
        if not any((mask == known).all() for known in masks):
            masks.append(mask)
        return None, "noted"


def computed(
    asked: Asked, version: Evaluated, package: Path, *, root: Path, files: tuple[str, ...], around: Surroundings
) -> Callable[[str, Mask], Answer]:
    """Compute everything that was asked for. `files`: the metrics' code, relative to `root`, beside the package's."""
    answers = {
        name: _run(name, masks, version, package, root=root, files=files, around=around)
        for name, masks in asked.masks.items()
    }

    def answer(name: str, mask: Mask) -> Answer:
        for known, value in zip(asked.masks.get(name, []), answers.get(name, []), strict=True):
            if (mask == known).all():
                return value
        return None, f"{name} was not run on these rows"

    return answer


def _run(
    name: str,
    masks: list[Mask],
    version: Evaluated,
    package: Path,
    *,
    root: Path,
    files: tuple[str, ...],
    around: Surroundings,
) -> list[Answer]:
    contract = read_contract(package)
    try:
        python = environment_python(package / REQUIREMENTS if contract.code.requirements else None, around)
        with job_folder() as job:
            if (package / CODE).is_dir():
                copy_code(package / CODE, contract.code.files, job / "code")
            copy_code(root, files, job / "code")
            _write_rows(version, job / "rows.csv")
            details: dict[str, Json] = {
                "function": name,
                "data": {"path": str(job / "rows.csv"), "format": "csv"},
                "groups": [list(map(int, mask.nonzero()[0])) for mask in masks],
            }
            said = work("metric", contract.code, job=job, python=python, details=details, around=around).said
    except StellwerkError as error:
        return [(None, error.message)] * len(masks)
    return [(value["value"], value["problem"]) for value in said["values"]]


def _write_rows(version: Evaluated, path: Path) -> None:
    import pandas as pd

    data = version.scored
    columns = {"truth": data.truth, "prediction": data.prediction}
    if data.probability is not None:
        columns["probability"] = data.probability
    frame = pd.DataFrame(columns)
    if version.decisions is not None:
        frame = frame.join(version.decisions.drop(columns=list(columns), errors="ignore"))
    frame.to_csv(path, index=False)
