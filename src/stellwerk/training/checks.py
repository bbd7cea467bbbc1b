"""Checks of a package's function, and the commands that teams and controls declare. No thresholds here."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from stellwerk.adapters.child import Isolation
from stellwerk.adapters.process import ProcessResult, run
from stellwerk.errors import StellwerkError, TrainingFailed
from stellwerk.metrics.catalogue import CLASSIFICATION
from stellwerk.model.records import CheckResult
from stellwerk.training.jobs import Surroundings, environment_python
from stellwerk.training.masked import surroundings
from stellwerk.training.package import REQUIREMENTS, read_contract, verify_package
from stellwerk.training.predictions import predict_package
from stellwerk.training.probing import fitting, probe
from stellwerk.training.service_log import told_in
from stellwerk.training.serving import Served, not_served, running
from stellwerk.training.snapshot import read_snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pandas as pd

    from stellwerk.model.declared import CommandCheck
    from stellwerk.training.contract import Contract
    from stellwerk.training.predictions import Predictions

MOST_ROWS = 500
DETAIL = 500
_NOT_PASSED_ON = ("STELLWERK_", "GIT_", "PYTHONPATH", "PYTHONHOME")


class Serving(Struct, frozen=True, kw_only=True):
    """How a package is served for a check. `personal` are columns that its log must not show.

    `meanwhile` is called with the service's URL while it runs.
    """

    served: Served
    personal: tuple[str, ...] = ()
    meanwhile: Callable[[str], None] | None = None


def function_check(
    package: Path,
    *,
    sha256: str,
    rows_file: Path,
    root: Path,
    masked: tuple[Path, ...] = (),
    environ: Mapping[str, str] | None = None,
    timeout: float = 600,
    serving: Serving | None = None,
) -> tuple[CheckResult, ...]:
    """Whether the package works: it is the recorded one, loads in a clean process and predicts the first 500 rows.

    With `serving` its service is started too, where that can be done here; else the detail says why not.
    `rows_file` ends in its format (`.csv`, `.jsonl`, `.parquet`); `root` is the repository.
    Asked of the predictions: one per row, none missing or infinite, probabilities within 0..1, and for a
    classification only classes that the rows' own target has, where they have one. StellwerkError where `serving`
    is asked with rows of which the signature takes none, or that lack columns: they say nothing about the package.
    """
    try:
        verify_package(package, sha256)
        contract = read_contract(package)
    except StellwerkError as error:
        return (CheckResult(name="digest", passed=False, detail=error.message),)
    digest = CheckResult(name="digest", passed=True, detail=f"sha256 {sha256[:12]}")
    try:
        hidden = (*masked, rows_file)
        environ = os.environ if environ is None else environ
        around = surroundings(root, masked=hidden, environ=environ, timeout=timeout)
        snapshot = read_snapshot(rows_file, rows_file.suffix.removeprefix("."))
        some = snapshot.rows.head(MOST_ROWS)
    except StellwerkError as error:
        return digest, CheckResult(name="function", passed=False, detail=_short(error.message))
    asked = snapshot.types.head(MOST_ROWS)
    if serving is not None and contract.format != "command":
        refuse_strange(asked, contract)
    try:
        predictions = predict_package(package, some, sha256=sha256, around=around)
    except StellwerkError as error:
        return digest, CheckResult(name="function", passed=False, detail=_short(error.message))
    detail = f"{len(some)} predictions for {len(some)} rows in {predictions.finished.process.duration:.1f} s"
    reason = not_served(package) if serving is not None else ""
    if reason:
        detail += f"; not served: {reason}"
    function = CheckResult(name="function", passed=True, detail=detail)
    classes = _known_classes(contract, snapshot.types, predictions)
    found = (digest, function) if classes is None else (digest, function, classes)
    if serving is None or reason:
        return found
    return found + _service(package, asked, predictions, sha256=sha256, around=around, serving=serving)


def refuse_strange(rows: pd.DataFrame, contract: Contract) -> None:
    """StellwerkError where the signature takes none of the rows."""
    hint = "make them anew: stellwerk stand-in DATASET --rows 2000, then stellwerk snapshot"
    lacking = [name for name in contract.columns if name not in rows.columns]
    if lacking:
        raise StellwerkError(f"the rows that stand in for the data lack the columns {', '.join(lacking)}", hint=hint)
    requests, _, strange = fitting(rows, contract.requests)
    if not requests:
        why = ", ".join(f"{name} {message}" for name, message in strange.items())
        raise StellwerkError(
            f"not one of the {len(rows)} rows that stand in for the data is what the package's signature takes: {why}",
            hint=hint,
        )


def _service(
    package: Path,
    rows: pd.DataFrame,
    predictions: Predictions,
    *,
    sha256: str,
    around: Surroundings,
    serving: Serving,
) -> tuple[CheckResult, ...]:
    """Whether the package's service answers what it should and refuses the rest, and what it logs meanwhile."""
    contract = read_contract(package)
    try:
        with running(package, sha256=sha256, served=serving.served, around=around) as service:
            answers = predictions.answers.tolist()
            found = probe(service, contract, rows, answers, sha256=sha256, personal=serving.personal)
            if serving.meanwhile is not None:
                serving.meanwhile(service.url)
    except TrainingFailed as error:
        return (failed("service", error),)
    except StellwerkError as error:
        return (CheckResult(name="service", passed=False, detail=_short(error.message)),)
    how = "differently each time" if found.random else "as the package does"
    words = [f"answered {found.rows} rows {how}", found.example]
    if found.unfit:
        words.append(f"left out {found.unfit} rows that the signature does not take: {found.why}")
    words.append(f"refused {found.hostile} hostile requests")
    if service.lent:
        words.append("its packages are Stellwerk's own, the model's environment has none")
    detail = "; ".join(found.problems or words)
    results = (CheckResult(name="service", passed=not found.problems, detail=_short(detail)),)
    if not serving.personal:
        return results
    told = told_in(service.log, rows, serving.personal, found.marks)
    said = ", ".join(f"{count} values of {name}" for name, count in told.items())
    detail = f"its log holds {said}, which is personal" if told else f"holds no value of {', '.join(serving.personal)}"
    return (*results, CheckResult(name="service log", passed=not told, detail=_short(detail)))


def command_check(
    check: CommandCheck,
    *,
    root: Path,
    variables: Mapping[str, str],
    environ: Mapping[str, str],
    python: Path | None = None,
) -> CheckResult:
    """Run a declared command in the repository at `root`; exit code 0 passes. `python` is the one it finds.

    It is reviewed, trusted code: it keeps this process's environment (credentials included) apart from git's and our
    own variables, and sees the repository. `variables` name what is checked: STELLWERK_PACKAGE and so on.
    """
    env = {name: value for name, value in environ.items() if not name.startswith(_NOT_PASSED_ON)} | dict(variables)
    folder = (python or Path(sys.executable)).parent
    env["PATH"] = f"{folder}:{env.get('PATH', '/usr/bin:/bin')}"
    with tempfile.TemporaryDirectory(prefix="stellwerk-check-") as scratch:
        log = Path(scratch) / "log.txt"
        result = run(
            check.command, cwd=root, env=env, timeout=check.timeout, log=log, isolation=Isolation(namespace=False)
        )
    return CheckResult(
        name=check.name, passed=result.code == 0 and result.killed_by is None, detail=_ending(result, check)
    )


def package_python(package: Path, around: Surroundings) -> Path:
    """The interpreter of the package's own environment; TrainingFailed where it cannot be made."""
    wanted = read_contract(package).code.requirements is not None
    return environment_python(package / REQUIREMENTS if wanted else None, around)


def failed(name: str, error: StellwerkError) -> CheckResult:
    """An error as a failed check: what went wrong, and for the model's own code the end of what it printed."""
    log = error.log.strip().splitlines()[-3:] if isinstance(error, TrainingFailed) else []
    return CheckResult(name=name, passed=False, detail=_short(" | ".join([error.message, *log])))


def _known_classes(contract: Contract, types: pd.DataFrame, predictions: Predictions) -> CheckResult | None:
    from stellwerk.metrics.scored import label_text

    target = contract.code.target
    if contract.task != CLASSIFICATION or target not in types.columns:
        return None
    known = {label_text(value) for value in types[target].dropna().unique().tolist()}
    unknown = sum(label_text(_number(value)) not in known for value in predictions.answers.tolist())
    detail = f"{unknown} of {len(predictions.answers)} predictions are classes the target never is" if unknown else ""
    return CheckResult(name="classes", passed=not unknown, detail=detail)


def _number(text: object) -> object:
    """A class written as a number, so that 1.0 is 1."""
    try:
        return float(str(text))
    except ValueError:
        return text


def _ending(result: ProcessResult, check: CommandCheck) -> str:
    if result.killed_by == "timeout":
        return f"took longer than {check.timeout} seconds"
    lines = [line.strip() for line in result.log_tail.splitlines() if line.strip()]
    last = _short(lines[-1]) if lines else "it printed nothing"
    return last if result.code == 0 else _short(f"exited with {result.code}: {last}")


def _short(text: str) -> str:
    return text if len(text) <= DETAIL else f"{text[: DETAIL - 1]}…"
