"""Prove that a notebook's module predicts what the notebook predicts; run its test cells, each a test of its own."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import re
from array import array
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from stellwerk.errors import StellwerkError
from stellwerk.model.records import CheckResult
from stellwerk.notebooks.convert import convert
from stellwerk.notebooks.document import read_notebook
from stellwerk.training.checks import failed
from stellwerk.training.jobs import Surroundings, environment_python, job_folder, run_in_job, work
from stellwerk.training.notebook_run import (
    asking,
    refuse_without_jupyter,
    run_notebook,
    write_learning_rows,
    written_in,
)
from stellwerk.training.package import copy_code
from stellwerk.training.snapshot import Snapshot, read_snapshot

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stellwerk.notebooks.convert import CellLine
    from stellwerk.training.contract import StageParams
    from stellwerk.training.jobs import Finished
    from stellwerk.training.notebook_run import Written

RUNS, TESTS, EQUIVALENCE = "notebook runs", "notebook tests", "equivalence"
MOST_ROWS = 500
HEAD = 2  # lines of a sealed file above its text
PYTEST = ("-m", "pytest", "-q", "-c", "/dev/null", "--rootdir", ".", "-p", "no:cacheprovider", "--tb=short")
_SECTION = re.compile(r"^_{3,} (.+?) _{3,}$", re.MULTILINE)
_NO_TESTS = 5


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NotebookSource:
    """A model's notebook. `tests` is the path of its generated tests; `tolerance` None asks for the same bits.

    `local` are the importable names at the top of the repository, as the conversion got them.
    """

    path: str
    tests: str
    tolerance: float | None = None
    local: frozenset[str] = frozenset()


def prove_notebook(
    notebook: NotebookSource, stage: StageParams, *, rows_file: Path | None, root: Path, around: Surroundings
) -> tuple[CheckResult, ...]:
    """Run the notebook, its tests, and compare its predictions with its module's. Each failure says what to do."""
    results = []
    try:
        refuse_without_jupyter()
        if rows_file is None:
            message = "there are no stand-in data to run it on: declare a `stand_in` of its data, and take a snapshot"
            results.append(CheckResult(name=RUNS, passed=False, detail=message))
        else:
            results += _runs(notebook, stage, rows_file, root=root, around=around)
    except StellwerkError as error:
        results.append(failed(RUNS, error))
    tests = _tests(notebook, stage, root=root, around=around)
    return (*results, *([tests] if tests else []))


def _runs(
    notebook: NotebookSource, stage: StageParams, rows_file: Path, *, root: Path, around: Surroundings
) -> list[CheckResult]:
    every = read_snapshot(rows_file, rows_file.suffix.removeprefix("."))
    some = dataclasses.replace(every, rows=every.rows.head(MOST_ROWS), types=every.types.head(MOST_ROWS))
    run = run_notebook(notebook.path, stage, some, every_row=every, root=root, around=around)
    held = "" if run.isolation == "namespace" else "; in a folder of its own, without namespaces to confine it"
    detail = f"{run.cells} cells from a fresh kernel in {run.seconds:.1f} s{held}"
    found = [CheckResult(name=RUNS, passed=True, detail=detail)]
    if run.written is None:
        return [*found, CheckResult(name=EQUIVALENCE, passed=False, detail=f"in the notebook: {run.problem}")]
    try:
        found.append(_equivalence(notebook, stage, some, run.written, root=root, around=around))
    except StellwerkError as error:
        result = failed(EQUIVALENCE, error)
        detail = f"the notebook predicts, its module does not: {result.detail}"
        found.append(dataclasses.replace(result, detail=detail))
    return found


def _equivalence(
    notebook: NotebookSource,
    stage: StageParams,
    rows: Snapshot,
    theirs: Written,
    *,
    root: Path,
    around: Surroundings,
) -> CheckResult:
    """The module predicts in clean processes; a second time where it differs, to tell chance from a difference."""
    ours = _module_predicts(stage, rows, root=root, around=around)
    digests = f"notebook {_digest(theirs)}, module {_digest(ours)}"
    count = len(rows.rows)
    if _digest(ours) == _digest(theirs):
        return CheckResult(name=EQUIVALENCE, passed=True, detail=f"the same {count} predictions; {digests}")
    apart = _apart(theirs, ours)
    if notebook.tolerance is not None and apart is not None and apart <= notebook.tolerance:
        detail = f"{count} predictions at most {apart:g} apart, {notebook.tolerance:g} is declared; {digests}"
        return CheckResult(name=EQUIVALENCE, passed=True, detail=detail)
    again = _module_predicts(stage, rows, root=root, around=around)
    if _digest(again) != _digest(ours):
        detail = (
            "training is not deterministic: two runs of the module predict differently. Take the seed,"
            " train(frame, seed=0), and give it to all that draws: random_state=seed, np.random.default_rng(seed),"
            f" torch.manual_seed(seed); {digests}, module again {_digest(again)}"
        )
        return CheckResult(name=EQUIVALENCE, passed=False, detail=detail)
    far = "" if apart is None else f", at most {apart:g} apart"
    detail = (
        f"the module does not predict what the notebook does{far}: a cell that does not ship changes what its functions"
        f" see; {digests}"
    )
    return CheckResult(name=EQUIVALENCE, passed=False, detail=detail)


def _module_predicts(stage: StageParams, rows: Snapshot, *, root: Path, around: Surroundings) -> Written:
    """Train and predict with the module, each in a clean process of the model's environment."""
    requirements = None if stage.code.requirements is None else root / stage.code.requirements
    python = environment_python(requirements, around)
    with job_folder() as job:
        copy_code(root, stage.code.files, job / "code")
        write_learning_rows(rows, stage, job / f"rows.{stage.code.data_format}")
        details = json.loads(json.dumps(asking(stage, rows, job)))
        trained = work("train", stage.code, job=job, python=python, details={"data": details["data"]}, around=around)
        details["dtypes"] = trained.said["dtypes"]
        work("predict", stage.code, job=job, python=python, details=details, around=around)
        return written_in(job)


def _digest(written: Written) -> str:
    """Of the bits of the numbers, as float64; of their JSON for labels. Decisions as they were written."""
    digest = hashlib.sha256()
    for name, column in _columns(written).items():
        numbers = _numbers(column)
        digest.update(name.encode() + b"\0")
        digest.update(json.dumps(column).encode() if numbers is None else array("d", numbers).tobytes())
    digest.update((written.decisions or "").encode())
    return digest.hexdigest()[:16]


def _columns(written: Written) -> dict[str, list[str]]:
    import csv
    import io

    rows = list(csv.reader(io.StringIO(written.predictions)))
    return {name: [row[index] if row else "" for row in rows[1:]] for index, name in enumerate(rows[0])}


def _numbers(column: list[str]) -> list[float] | None:
    try:
        return [float(text) for text in column]
    except ValueError:
        return None


def _apart(one: Written, other: Written) -> float | None:
    """The largest difference between two predictions; None where they are no numbers of the same rows."""
    first, second = _columns(one), _columns(other)
    if first.keys() != second.keys() or one.decisions != other.decisions:
        return None
    most = 0.0
    for name, column in first.items():
        left, right = _numbers(column), _numbers(second[name])
        if left is None or right is None or len(left) != len(right):
            return None
        for a, b in zip(left, right, strict=True):
            if math.isnan(a) != math.isnan(b):
                return None
            if a != b and not math.isnan(a):
                most = max(most, abs(a - b))
    return most


def _tests(notebook: NotebookSource, stage: StageParams, *, root: Path, around: Surroundings) -> CheckResult | None:
    """The test cells as pytest tests; None without one."""
    try:
        document = read_notebook(notebook.path, (root / notebook.path).read_bytes())
        if not any(cell.tested for cell in document.cells):
            return None
        if not (root / notebook.tests).is_file():
            detail = f"{notebook.tests} is missing: stellwerk notebook convert"
            return CheckResult(name=TESTS, passed=False, detail=detail)
        places = convert(document, model="", local=notebook.local).test_lines
        number = {cell.id: cell.number for cell in document.cells}
        requirements = None if stage.code.requirements is None else root / stage.code.requirements
        python = environment_python(requirements, around)
        with job_folder() as job:
            copy_code(root, (*stage.code.files, notebook.tests), job / "code")
            command = [str(python), *PYTEST, notebook.tests]
            finished = run_in_job(command, job=job, cwd=job / "code", around=around)
    except StellwerkError as error:
        return failed(TESTS, error)
    return _told(finished, PurePosixPath(notebook.tests).name, places, number, around)


def _told(
    finished: Finished,
    name: str,
    places: tuple[CellLine | None, ...],
    number: Mapping[str, int],
    around: Surroundings,
) -> CheckResult:
    """What pytest said; failures with the cell's line of which the lines of the file `name` are made."""
    none = ""
    if "No module named pytest" in finished.log:
        none = "pytest is not in the model's environment: add pytest to `requirements:`"
    if finished.process.killed_by is not None:
        none = f"did not end within {around.timeout:g} seconds"
    if finished.process.code == _NO_TESTS:
        none = "its `test` cells define no test: pytest collects functions `def test_...():`"
    if none:
        return CheckResult(name=TESTS, passed=False, detail=none)
    lines = [line.strip("= ") for line in finished.log.splitlines() if line.strip()]
    last = next((line for line in reversed(lines) if re.search(r"passed|failed|error", line)), "")
    if finished.process.code == 0:
        return CheckResult(name=TESTS, passed=True, detail=last)
    wrong = []
    for title, text in _sections(finished.log):
        found = [int(line) for line in re.findall(rf"{re.escape(name)}:(\d+): ", text)]
        inside = [line - HEAD - 1 for line in found if 0 <= line - HEAD - 1 < len(places)]
        place = next((places[index] for index in reversed(inside) if places[index] is not None), None)
        said = next((line[1:].strip() for line in text.splitlines() if line.startswith("E ")), "")
        where = "" if place is None else f"cell {number.get(place.cell_id, '?')}, line {place.line}: "
        wrong.append(f"{where}{title}: {said}")
    return CheckResult(name=TESTS, passed=False, detail=" | ".join([*wrong[:5], last])[:500])


def _sections(log: str) -> list[tuple[str, str]]:
    """Title and text of each failure that pytest shows."""
    parts = _SECTION.split(log.partition("short test summary")[0])
    return list(zip(parts[1::2], parts[2::2], strict=True))
