"""Run a model's notebook from a fresh kernel in a job folder, on stand-in rows, and its own functions at the end."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from msgspec import Struct

from stellwerk.data.frames import write_rows
from stellwerk.errors import StellwerkError
from stellwerk.notebooks.document import FUNCTIONS, read_notebook
from stellwerk.notebooks.magics import plain
from stellwerk.training.jobs import WORKER, environment_python, job_folder, run_in_job
from stellwerk.training.measuring import task_of
from stellwerk.training.package import copy_code
from stellwerk.training.predictions import DECIDED, PREDICTED
from stellwerk.training.smoke import learned, written_in

if TYPE_CHECKING:
    import pandas as pd

    from stellwerk.notebooks.document import Cell, Notebook
    from stellwerk.training.contract import StageParams
    from stellwerk.training.jobs import Finished, Surroundings
    from stellwerk.training.smoke import Written
    from stellwerk.training.snapshot import Snapshot

NEEDED = ("nbclient", "nbformat", "ipykernel")
MAY_RAISE = "raises-exception"  # Jupyter's own tag
PROOF = -1
HOST = WORKER.with_name("notebook_host.py")
PROVE = WORKER.with_name("notebook_prove.py")
_BEGIN = """import importlib.util as _found, sys as _sys
_spec = _found.spec_from_file_location("stellwerk_prove", {path!r})
_sys.modules["stellwerk_prove"] = _found.module_from_spec(_spec)
_spec.loader.exec_module(_sys.modules["stellwerk_prove"])
_sys.modules["stellwerk_prove"].begin({order!r})
del _found, _sys, _spec"""
_END = "__import__('sys').modules['stellwerk_prove'].prove({order!r}, globals())"


class NotebookRun(Struct, frozen=True, kw_only=True):
    """A notebook that ran to its end. `problem` says in words why its functions gave no predictions."""

    cells: int
    seconds: float
    isolation: str
    written: Written | None
    problem: str = ""


def refuse_without_jupyter(path: str) -> None:
    """StellwerkError where Jupyter's parts are not here; that says nothing of the notebook at `path`."""
    lacking = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if lacking:
        message = f"a notebook is proven by running it, and Jupyter is not here: pip install {' '.join(lacking)}"
        raise StellwerkError(message, where=path)


def run_notebook(
    path: str, stage: StageParams, snapshot: Snapshot, *, every_row: Snapshot, root: Path, around: Surroundings
) -> NotebookRun:
    """Run every code cell of the notebook at `path`, then prepare, train and predict on `snapshot`'s rows.

    `every_row` are the rows that lie where the dataset's file does. StellwerkError names the cell that failed, never
    ended or killed its kernel.
    """
    refuse_without_jupyter(path)
    notebook = read_notebook(path, (root / path).read_bytes())
    requirements = None if stage.code.requirements is None else root / stage.code.requirements
    python = environment_python(requirements, around)
    with job_folder() as job:
        copy_code(root, (*stage.code.files, path), job / "code")
        _lay_data(stage, every_row, job)
        order = _order(notebook, stage, snapshot, job=job, around=around)
        cells = _cells(notebook, str(order))
        told = {
            "python": str(python),
            "home": str(job / "home"),
            "code": str(job / "code"),
            "cwd": str((job / "code" / path).parent),
            "out": str(job / "out"),
            "cells": cells,
        }
        (job / "notebook.json").write_text(json.dumps(told), encoding="utf-8")
        command = [sys.executable, "-u", str(HOST), str(job / "notebook.json")]
        finished = run_in_job(command, job=job, cwd=job / "code", around=around)
        _refuse_bad_end(notebook, stage, finished, job=job, around=around)
        proof = _json(job / "out" / "proof.json")
        ran = proof.get("status") == "ok"
        return NotebookRun(
            cells=len(cells) - 2,
            seconds=finished.process.duration,
            isolation=finished.process.isolation,
            written=written_in(job / "out") if ran else None,
            problem="" if ran else str(proof.get("message", "the kernel did not predict")),
        )


def _write_learning_rows(rows: pd.DataFrame, stage: StageParams, into: Path) -> None:
    """The rows as a training gets them: features and target."""
    include, exclude = stage.features.include, (*stage.features.exclude,)
    target = stage.code.target
    names = [str(name) for name in rows.columns]
    kept = [n for n in names if n == target or (n not in exclude and (not include or n in include))]
    write_rows(rows[kept], into, stage.code.data_format)


def _lay_data(stage: StageParams, every_row: Snapshot, job: Path) -> None:
    """Stand-in rows where the dataset's file lies in the repository."""
    place = job / "code" / stage.data_path
    place.parent.mkdir(parents=True, exist_ok=True)
    write_rows(every_row.rows, place, stage.code.data_format)


def _order(notebook: Notebook, stage: StageParams, snapshot: Snapshot, *, job: Path, around: Surroundings) -> Path:
    data = job / f"rows.{stage.code.data_format}"
    _write_learning_rows(snapshot.rows, stage, data)
    _write_learning_rows(snapshot.rows.loc[learned(snapshot)], stage, job / f"learned.{stage.code.data_format}")
    task, positive = task_of(snapshot.types[stage.code.target], declared=stage.task, positive=stage.positive)
    tagged = {tag for cell in notebook.cells if cell.exported for tag in cell.tags}
    order = {
        "op": "train",
        "data": {"path": str(data), "format": stage.code.data_format},
        "learned": str(job / f"learned.{stage.code.data_format}"),
        "task": task,
        "positive": positive,
        "predictions": str(job / "out" / PREDICTED),
        "decisions": str(job / "out" / DECIDED),
        "notebook": PurePosixPath(notebook.path).name,
        "functions": [name for name in FUNCTIONS if name in tagged],
        "requirements": stage.code.requirements,
        "code": str(job / "code"),
        "target": stage.code.target,
        "params": dict(stage.code.params),
        "seed": stage.code.seed,
        "masked": [str(path.resolve()) for path in around.masked],
        "writable": [str((job / "code" / notebook.path).parent), str(job / "home"), str(job / "out")],
        "proof": str(job / "out" / "proof.json"),
    }
    path = job / "prove.order.json"
    path.write_text(json.dumps(order), encoding="utf-8")
    return path


def _cells(notebook: Notebook, order: str) -> list[dict[str, object]]:
    """What is run: the code cells between a beginning and an end of ours, with the numbers 0 and PROOF."""
    own = [
        {"number": cell.number, "source": _runnable(cell), "tags": [tag for tag in cell.tags if tag == MAY_RAISE]}
        for cell in notebook.cells
        if cell.kind == "code"
    ]
    first = {"number": 0, "source": _BEGIN.format(path=str(PROVE), order=order), "tags": []}
    return [first, *own, {"number": PROOF, "source": _END.format(order=order), "tags": []}]


def _runnable(cell: Cell) -> str:
    """The cell as typed; one that installs packages without its magics: the environment is the declared one."""
    made = plain(cell)
    return made.code if made.requirements and not made.problems else cell.source


def _refuse_bad_end(
    notebook: Notebook, stage: StageParams, finished: Finished, *, job: Path, around: Surroundings
) -> None:
    place = _place(notebook, job)
    if finished.process.killed_by == "timeout":
        message = f"{place} did not end within {around.timeout:g} seconds, and the kernel was ended"
        raise StellwerkError(f"{message}: make it faster, or raise `train.timeout`", where=place)
    if finished.process.killed_by is not None:
        raise StellwerkError(f"{place} printed without end, and the kernel was ended", where=place)
    said = _json(job / "out" / "notebook.json")
    if said.get("status") == "ok":
        return
    if said.get("kind") == "no-ipykernel":
        where = stage.code.requirements or ""
        message = f"the model's environment has no ipykernel: add `ipykernel` to {where or 'its requirements'}"
        hint = "or declare no `requirements`: then the notebook runs in Stellwerk's own environment"
        raise StellwerkError(message, where=where, hint=hint)
    if said.get("kind") == "died":
        message = f"{place} killed its kernel: it ended the process, or the machine ran out of memory"
        raise StellwerkError(message, where=place)
    line = f", line {said['line']}" if said.get("line") and said.get("cell", 0) != PROOF else ""
    message = str(said.get("message") or f"the run ended by itself ({finished.process.log_tail[-200:].strip()})")
    for folder in (f"{job}/code/", str(job)):
        message = message.replace(folder, "")
    if "Read-only file system" in message:
        message += " (files may be written only in the notebook's folder and in $TMPDIR)"
    raise StellwerkError(f"{place}{line}: {message}", where=f"{place}{line}")


def _place(notebook: Notebook, job: Path) -> str:
    """Where the run is, or ended."""
    now = job / "out" / "cell"
    text = now.read_text(encoding="utf-8", errors="replace") if now.is_file() and not now.is_symlink() else ""
    cell = int(text) if re.fullmatch(r"-1|\d{1,9}", text) else 0
    if cell == PROOF:
        return f"{notebook.path}: training and predicting with its functions, after the last cell,"
    return f"{notebook.path} cell {cell}" if cell else notebook.path


def _json(path: Path) -> dict[str, object]:
    if path.is_symlink() or not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
