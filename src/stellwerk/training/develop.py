"""Judge a model's source before a version exists: its unit tests, and a smoke training on stand-in rows.

Quality is not judged: stand-in rows say nothing about it.
"""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from stellwerk.errors import StellwerkError
from stellwerk.model.records import CheckResult
from stellwerk.training.checks import failed
from stellwerk.training.contract import StageParams, decode_params
from stellwerk.training.jobs import Finished, Surroundings, environment_python, job_folder, run_in_job
from stellwerk.training.masked import surroundings
from stellwerk.training.measuring import point_measurements
from stellwerk.training.notebook_proof import in_sync, prove_notebook
from stellwerk.training.notebook_run import refuse_without_jupyter
from stellwerk.training.package import copy_code
from stellwerk.training.smoke import Smoke, first_rows, learned, train_and_predict
from stellwerk.training.snapshot import read_snapshot

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stellwerk.model.records import Measurement
    from stellwerk.training.notebook_proof import NotebookSource

UNIT_TESTS = "unit tests"
SMOKE = "smoke training"
PYTEST = ("-m", "pytest", "-q", "-c", "/dev/null", "--rootdir", ".", "-p", "no:cacheprovider")
UNITTEST = ("-m", "unittest", "discover", "-p", "test_*.py", "-s")
_NO_TESTS = 5


def check_source(
    root: Path,
    params: Mapping[str, Any],
    *,
    rows_file: Path | None,
    folder: str | None = None,
    masked: tuple[Path, ...] = (),
    environ: Mapping[str, str] | None = None,
    notebook: NotebookSource | None = None,
) -> tuple[CheckResult, ...]:
    """Run the model's tests, and train on at most 500 rows of a stand-in, each where there is one.

    `params` are those of the stage. `rows_file` ends in its format. `folder` is the model's (`models/<model>`); without
    it the folder of its source, unless that is the top of the repository. Both checks run in the model's environment
    and in a job folder, at most as long as a training may take; neither changes the repository at `root`.
    A `notebook` is run too, its tests as well, and its predictions are compared with those of the smoke training.
    StellwerkError where that cannot be done here at all: that says nothing about the source.
    """
    stage = decode_params(params, where=folder or "")
    folder = folder or str(PurePosixPath(stage.code.source or ".").parent)
    hidden = (*masked, *([rows_file] if rows_file else []))
    environ = os.environ if environ is None else environ
    around = surroundings(root, masked=hidden, environ=environ, timeout=stage.timeout)
    results = []
    tests = find_tests(root, folder) if folder != "." else ()
    if notebook is not None:
        refuse_without_jupyter(notebook.path)
        if rows_file is None:
            message = "there are no stand-in rows to run the notebook on"
            raise StellwerkError(
                message,
                where=notebook.path,
                hint="declare a `stand_in` of its data, then: stellwerk snapshot STAND_IN --because TEXT",
            )
        results.append(in_sync(notebook, root))
        if not results[0].passed:
            return tuple(results)
        tests = tuple(path for path in tests if path != notebook.tests)
        if not any(re.fullmatch(r"test_.*\.py|.*_test\.py", PurePosixPath(path).name) for path in tests):
            tests = ()
    if tests:
        results.append(_unit_tests(stage, tests, root=root, folder=folder, around=around))
    if rows_file is not None:
        smoke = _try(stage, rows_file, root=root, around=around)
        results += _smoke_results(smoke, stage)
        if notebook is not None:
            results += prove_notebook(notebook, stage, rows_file=rows_file, root=root, around=around, smoke=smoke)
    return tuple(results)


def find_tests(root: Path, folder: str) -> tuple[str, ...]:
    """Every file below `<folder>/tests/` and every `<folder>/test_*.py`, relative to `root`; empty without a test."""
    beside = sorted((root / folder).glob("test_*.py"))
    below = [
        path
        for path in sorted((root / folder / "tests").rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    ]
    if not beside and not any(re.fullmatch(r"test_.*\.py|.*_test\.py", path.name) for path in below):
        return ()
    return tuple(path.relative_to(root).as_posix() for path in (*beside, *below))


def _unit_tests(
    stage: StageParams, tests: tuple[str, ...], *, root: Path, folder: str, around: Surroundings
) -> CheckResult:
    """With pytest where the model's environment has it, else with unittest."""
    requirements = None if stage.code.requirements is None else root / stage.code.requirements
    try:
        python = environment_python(requirements, around)
        with job_folder() as job:
            copy_code(root, (*stage.code.files, *tests), job / "code")
            where = job / "code" / folder
            finished = run_in_job([str(python), *PYTEST, "."], job=job, cwd=where, around=around)
            if "No module named pytest" not in finished.log:
                return _judged(finished, around, none="pytest finds no test in these files")
            start = "tests" if (where / "tests").is_dir() else "."
            finished = run_in_job([str(python), *UNITTEST, start], job=job, cwd=where, around=around)
            none = "pytest is not in the model's environment, and unittest finds no test: add pytest to `requirements:`"
            return _judged(finished, around, none=none)
    except StellwerkError as error:
        return failed(UNIT_TESTS, error)


def _judged(finished: Finished, around: Surroundings, *, none: str) -> CheckResult:
    process = finished.process
    if process.killed_by is not None:
        detail = (
            f"took longer than {around.timeout:g} seconds" if process.killed_by == "timeout" else "printed without end"
        )
        return CheckResult(name=UNIT_TESTS, passed=False, detail=detail)
    if process.code == _NO_TESTS or re.search(r"^(Ran 0 tests|NO TESTS RAN)", finished.log, re.MULTILINE):
        return CheckResult(name=UNIT_TESTS, passed=False, detail=none)
    lines = [line.strip("= ") for line in finished.log.splitlines() if line.strip()]
    wrong = [line for line in lines if re.match(r"FAILED |FAIL: |ERROR:? ", line)][:3]
    last = next((line for line in reversed(lines) if re.search(r"passed|failed|error|^Ran ", line)), "")
    detail = " | ".join([*wrong, last] if process.code else [last])
    return CheckResult(name=UNIT_TESTS, passed=process.code == 0, detail=detail[:500])


def _try(stage: StageParams, rows_file: Path, *, root: Path, around: Surroundings) -> Smoke | StellwerkError:
    try:
        snapshot = first_rows(read_snapshot(rows_file, rows_file.suffix.removeprefix(".")))
        return train_and_predict(stage, snapshot, root=root, around=around)
    except StellwerkError as error:
        return error


def _smoke_results(smoke: Smoke | StellwerkError, stage: StageParams) -> list[CheckResult]:
    """Whether it trains and predicts, and what it would measure there; the values are for people, no limit is asked."""
    if isinstance(smoke, StellwerkError):
        return [failed(SMOKE, smoke)]
    try:
        values = point_measurements(smoke.contract, smoke.snapshot.types[stage.code.target], smoke.predictions)
    except StellwerkError as error:
        return [failed(SMOKE, error)]
    count, used = len(smoke.snapshot.rows), int(learned(smoke.snapshot).sum())
    seen = f"{count} stand-in rows and predicted them"
    if used < count:
        seen = f"{used} of {count} stand-in rows, predicted all"
    passed = CheckResult(name=SMOKE, passed=True, detail=f"trained on {seen}")
    return [passed, *(_smoke_metric(name, value) for name, value in values.items())]


def _smoke_metric(name: str, value: Measurement) -> CheckResult:
    detail = "on stand-in rows, most of which it was trained on"
    return CheckResult(name=f"smoke {name}", passed=True, measured=value, detail=detail)
