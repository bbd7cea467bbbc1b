"""Prove that a notebook's module is what the notebook becomes, and predicts what the notebook predicts."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
from array import array
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from stellwerk.errors import StellwerkError
from stellwerk.model.records import CheckResult
from stellwerk.render.seal import edited, ours
from stellwerk.training.checks import failed
from stellwerk.training.notebook_run import run_notebook
from stellwerk.training.notebook_tests import run_tests
from stellwerk.training.smoke import first_rows, train_and_predict
from stellwerk.training.snapshot import read_snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from stellwerk.training.contract import StageParams
    from stellwerk.training.jobs import Surroundings
    from stellwerk.training.smoke import Smoke, Written

SOURCE, RUNS, EQUIVALENCE = "generated source", "notebook runs", "equivalence"


class NotebookSource(Struct, frozen=True, kw_only=True):
    """A model's notebook. `tolerance` None asks for the same bits.

    `texts` are the files it becomes by their paths; `tests` is where its tests lie, if it has some. `local` are the
    importable names at the top of the repository, as the conversion got them.
    """

    model: str
    path: str
    module: str
    tests: str
    texts: Mapping[str, str]
    tolerance: float | None = None
    local: frozenset[str] = frozenset()


def in_sync(notebook: NotebookSource, root: Path) -> CheckResult:
    """Whether the module and the tests that lie at `root` are what the notebook becomes. Line ends do not count."""
    wrong = [_difference(notebook, path, root) for path in (notebook.module, notebook.tests)]
    words = [word for word in wrong if word]
    names = " and ".join(sorted(notebook.texts))
    detail = "; ".join(words) or f"{names} {'is' if len(notebook.texts) == 1 else 'are'} what {notebook.path} becomes"
    return CheckResult(name=SOURCE, passed=not words, detail=detail)


def _difference(notebook: NotebookSource, path: str, root: Path) -> str:
    """What is wrong with the file and what to do; '' where nothing is."""
    wanted = notebook.texts.get(path)
    found = (root / path).read_bytes().decode(errors="replace") if (root / path).is_file() else None
    convert = f"stellwerk notebook convert {notebook.model}"
    if found is not None and wanted is not None and found.replace("\r\n", "\n") == wanted:
        return ""
    if not notebook.texts:
        return f"{notebook.path} cannot be converted: stellwerk validate" if path == notebook.module else ""
    if found is None:
        return "" if wanted is None else f"{path} is missing: {convert}"
    if wanted is None:
        return (
            f"{path} is left over, {notebook.path} has no test cell any more: stellwerk render" if ours(found) else ""
        )
    if edited(found) or not ours(found):
        force = f"stellwerk render --force {path}"
        return f"{path} is not what {notebook.path} becomes: change the notebook instead, then {force}"
    return f"{path} was made from another state of {notebook.path}: {convert}"


def prove_notebook(
    notebook: NotebookSource,
    stage: StageParams,
    *,
    rows_file: Path,
    root: Path,
    around: Surroundings,
    smoke: Smoke | StellwerkError | None = None,
) -> tuple[CheckResult, ...]:
    """Run the notebook, its tests, and compare its predictions with its module's. Each failure says what to do.

    `smoke` is what training and predicting with the module came to, where that was done already. What the declared
    format of the model's file makes of a number is not the module's doing: that is left out of the comparison.
    """
    if stage.format is not None:
        stage, smoke = msgspec.structs.replace(stage, format=None), None
    try:
        results = _runs(notebook, stage, rows_file, root=root, around=around, smoke=smoke)
    except StellwerkError as error:
        results = [failed(RUNS, error)]
    tests = run_tests(notebook.path, notebook.tests, stage, local=notebook.local, root=root, around=around)
    return (*results, *([tests] if tests else []))


def _runs(
    notebook: NotebookSource,
    stage: StageParams,
    rows_file: Path,
    *,
    root: Path,
    around: Surroundings,
    smoke: Smoke | StellwerkError | None,
) -> list[CheckResult]:
    every = read_snapshot(rows_file, rows_file.suffix.removeprefix("."))
    some = first_rows(every)
    run = run_notebook(notebook.path, stage, some, every_row=every, root=root, around=around)
    held = "" if run.isolation == "namespace" else "; in a folder of its own, without namespaces to confine it"
    detail = f"{run.cells} cells from a fresh kernel in {run.seconds:.1f} s{held}"
    found = [CheckResult(name=RUNS, passed=True, detail=detail)]
    if run.written is None:
        return [*found, CheckResult(name=EQUIVALENCE, passed=False, detail=f"in the notebook: {run.problem}")]

    def again() -> Written:
        return train_and_predict(stage, some, root=root, around=around).written

    try:
        if isinstance(smoke, StellwerkError):
            raise smoke
        written = again() if smoke is None else smoke.written
        found.append(compare(run.written, written, again, tolerance=notebook.tolerance))
    except StellwerkError as error:
        result = failed(EQUIVALENCE, error)
        detail = f"the notebook predicts, its module does not: {result.detail}"
        found.append(msgspec.structs.replace(result, detail=detail))
    return found


def compare(theirs: Written, ours: Written, again: Callable[[], Written], *, tolerance: float | None) -> CheckResult:
    """The notebook's predictions with its module's, bit for bit or up to `tolerance`.

    Where they differ the module predicts `again`, to tell chance from a difference.
    """
    digests = f"notebook {_digest(theirs)}, module {_digest(ours)}"
    count = len(next(iter(_columns(ours).values())))
    if _digest(ours) == _digest(theirs):
        return CheckResult(name=EQUIVALENCE, passed=True, detail=f"the same {count} predictions; {digests}")
    apart = _apart(theirs, ours)
    if tolerance is not None and apart is not None and apart <= tolerance:
        detail = f"{count} predictions at most {apart:g} apart, {tolerance:g} is declared; {digests}"
        return CheckResult(name=EQUIVALENCE, passed=True, detail=detail)
    repeated = again()
    between = 0.0 if _digest(repeated) == _digest(ours) else _apart(repeated, ours)
    if between is None or between > (tolerance or 0.0):
        detail = (
            "training is not deterministic: two runs of the module predict differently. Take the seed,"
            " train(frame, seed=0), and give it to all that draws: random_state=seed, np.random.default_rng(seed),"
            f" torch.manual_seed(seed); {digests}, module again {_digest(repeated)}"
        )
        return CheckResult(name=EQUIVALENCE, passed=False, detail=detail)
    far = "" if apart is None else f", at most {apart:g} apart"
    detail = (
        f"the module does not predict what the notebook does{far}: a cell that does not ship changes what its functions"
        f" see; {digests}"
    )
    return CheckResult(name=EQUIVALENCE, passed=False, detail=detail)


def _digest(written: Written) -> str:
    """Of the bits of the numbers, as float64; of their JSON for labels."""
    digest = hashlib.sha256()
    for name, column in _columns(written).items():
        numbers = _numbers(column)
        digest.update(name.encode() + b"\0")
        digest.update(json.dumps(column).encode() if numbers is None else array("d", numbers).tobytes())
    return digest.hexdigest()[:16]


def _columns(written: Written) -> dict[str, list[str]]:
    """Those of predictions.csv, then those of decisions.csv."""
    found = {}
    for kind, text in (("", written.predictions), ("decision ", written.decisions)):
        rows = list(csv.reader(io.StringIO(text or "")))
        for index, name in enumerate(rows[0] if rows else ()):
            found[f"{kind}{name}"] = [row[index] if row else "" for row in rows[1:]]
    return found


def _numbers(column: list[str]) -> list[float] | None:
    """None where they are not numbers; what is missing is one that is not."""
    try:
        return [float(text) if text else math.nan for text in column]
    except ValueError:
        return None


def _apart(one: Written, other: Written) -> float | None:
    """The largest difference between two numbers; None where other things differ than numbers."""
    first, second = _columns(one), _columns(other)
    if first.keys() != second.keys():
        return None
    most = 0.0
    for name, column in first.items():
        if column == second[name]:
            continue
        left, right = _numbers(column), _numbers(second[name])
        if left is None or right is None or len(left) != len(right):
            return None
        for a, b in zip(left, right, strict=True):
            if math.isnan(a) != math.isnan(b):
                return None
            if a != b and not math.isnan(a):
                most = max(most, abs(a - b))
    return most
