"""Run a notebook's test cells as pytest tests, each function a test of its own, and say in which cell one failed."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from stellwerk.errors import StellwerkError
from stellwerk.model.records import CheckResult
from stellwerk.notebooks.convert import convert
from stellwerk.notebooks.document import read_notebook
from stellwerk.training.checks import failed
from stellwerk.training.jobs import Surroundings, environment_python, job_folder, run_in_job
from stellwerk.training.package import copy_code

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from stellwerk.notebooks.convert import CellLine
    from stellwerk.training.contract import StageParams
    from stellwerk.training.jobs import Finished

TESTS = "notebook tests"
HEAD = 2  # lines of a sealed file above its text
PYTEST = ("-m", "pytest", "-q", "-c", "/dev/null", "--rootdir", ".", "-p", "no:cacheprovider", "--tb=short")
_SECTION = re.compile(r"^_{3,} (.+?) _{3,}$", re.MULTILINE)
_NO_TESTS = 5


def run_tests(
    path: str, tests: str, stage: StageParams, *, local: frozenset[str], root: Path, around: Surroundings
) -> CheckResult | None:
    """The test cells of the notebook at `path`, which are the file `tests`; None where it has none.

    `local` are the importable names at the top of the repository.
    """
    try:
        document = read_notebook(path, (root / path).read_bytes())
        if not any(cell.tested for cell in document.cells):
            return None
        places = convert(document, model="", local=local).test_lines
        number = {cell.id: cell.number for cell in document.cells}
        requirements = None if stage.code.requirements is None else root / stage.code.requirements
        python = environment_python(requirements, around)
        with job_folder() as job:
            copy_code(root, (*stage.code.files, tests), job / "code")
            command = [str(python), *PYTEST, tests]
            finished = run_in_job(command, job=job, cwd=job / "code", around=around)
    except StellwerkError as error:
        return failed(TESTS, error)
    return _told(finished, PurePosixPath(tests).name, places, number, around)


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
