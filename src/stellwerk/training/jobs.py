"""Run a model's code, once, in a job folder outside the repository that holds nothing but what it may see."""

from __future__ import annotations

import ast
import contextlib
import json
import os
import re
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

import stellwerk
from stellwerk.adapters.child import Forking, Isolation
from stellwerk.adapters.environments import cache_folder, python_for
from stellwerk.adapters.process import LOG_LIMIT, ProcessResult, run, scrubbed_environment
from stellwerk.adapters.templates import TEMPLATES
from stellwerk.errors import StellwerkError, TrainingFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from stellwerk.model.declared import Json
    from stellwerk.training.contract import Code

SETS_VARIABLES = (b"environ", b"putenv")
COMPUTE = {"numpy", "pandas", "scipy", "sklearn"}
WORKER = Path(stellwerk.__file__).parent / "worker" / "worker.py"


class Surroundings(Struct, frozen=True, kw_only=True):
    """Where and within what limits a model's process runs. `parent`: this process's environment variables.

    `masked`: paths its process must not see. `timeout` in seconds, `output_limit` in bytes.
    """

    parent: Mapping[str, str]
    timeout: float
    masked: tuple[Path, ...] = ()
    output_limit: int = LOG_LIMIT
    namespace: bool = True
    on_line: Callable[[str], None] | None = None


class Finished(Struct, frozen=True, kw_only=True):
    """A step that came to its end: how the process went, its log, and what the worker said (empty for commands)."""

    process: ProcessResult
    log: str
    said: Mapping[str, Any] = field(default_factory=dict)


@contextlib.contextmanager
def job_folder() -> Iterator[Path]:
    """A fresh folder outside the repository with `code/`, `model/` and `out/`; gone afterwards."""
    job = Path(tempfile.mkdtemp(prefix="stellwerk-job-")).resolve()
    try:
        for name in ("code", "model", "out", "home"):
            (job / name).mkdir()
        yield job
    finally:
        _remove(job)


def environment_python(requirements: Path | None, surroundings: Surroundings) -> Path:
    """The model's interpreter; TrainingFailed (`environment`) where its environment cannot be made."""
    try:
        return python_for(requirements, cache_dir=cache_folder(surroundings.parent))
    except StellwerkError as error:
        raise TrainingFailed(error.message, kind="environment", where=error.where, hint=error.hint) from error


def work(
    op: str,
    code: Code,
    *,
    job: Path,
    python: Path,
    details: Mapping[str, Json],
    around: Surroundings,
    stopped: Callable[[], bool] | None = None,
) -> Finished:
    """One operation of `worker/worker.py` on the files of the job folder. TrainingFailed says what went wrong.

    It is ended where `stopped()`, and nothing is wrong with that.
    """
    result = job / "out" / f"{op}.json"
    order: dict[str, Json] = {
        "op": op,
        "source": code.source,
        "requirements": code.requirements,
        "code": str(job / "code"),
        "model": str(job / "model"),
        "seed": code.seed,
        "target": code.target,
        "params": dict(code.params),
        "masked": [str(path.resolve()) for path in around.masked],
        "result": str(result),
        **details,
    }
    (job / f"{op}.order.json").write_text(json.dumps(order), encoding="utf-8")
    command = [str(python), "-u", str(WORKER), str(job / f"{op}.order.json")]
    forking = _forking(code, job=job, python=python, around=around)
    finished = _run(command, job=job, variables={}, python=python, around=around, forking=forking, stopped=stopped)
    if finished.process.killed_by == "stopped":
        return finished
    said = _said(result, job)
    if said is not None and said["status"] == "failed" and finished.process.killed_by is None:
        raise TrainingFailed(said["message"], kind=said["kind"], log=end_of(finished), hint=_hint(finished))
    _refuse_bad_end(finished, step=op, around=around)
    if said is None:
        message = f"the process of {code.source} ended by itself before {op} was done"
        raise TrainingFailed(message, kind="no-model" if op == "train" else "bad-output", log=end_of(finished))
    return Finished(process=finished.process, log=finished.log, said=said)


def shell(step: str, code: Code, *, job: Path, python: Path, data: Path, around: Surroundings) -> Finished:
    """One step (train | predict) of a model that is a `command`, with the documented variables."""
    if code.command is None:
        raise ValueError(code)
    (job / "params.json").write_text(json.dumps(dict(code.params), sort_keys=True), encoding="utf-8")
    variables = {
        "STELLWERK_STEP": step,
        "STELLWERK_DATA": str(data),
        "STELLWERK_MODEL": str(job / "model"),
        "STELLWERK_PARAMS": str(job / "params.json"),
        "STELLWERK_SEED": str(code.seed),
        "STELLWERK_TARGET": code.target,
        "STELLWERK_FORMAT": code.data_format,
    }
    if step == "predict":
        variables["STELLWERK_PREDICTIONS"] = str(job / "out" / "predictions.csv")
    command = code.command.train if step == "train" else code.command.predict
    finished = _run(command, job=job, variables=variables, python=python, around=around)
    _refuse_bad_end(finished, step=step, around=around)
    return finished


def end_of(finished: Finished) -> str:
    """The end of what was printed, without the job folder's name."""
    return finished.process.log_tail


def run_in_job(command: list[str], *, job: Path, cwd: Path, around: Surroundings) -> Finished:
    """Run any command on the files of the job folder, whatever its exit code; `command[0]` is an interpreter."""
    return _run(command, job=job, variables={}, python=Path(command[0]), around=around, cwd=cwd)


def _run(
    command: list[str] | str,
    *,
    job: Path,
    variables: Mapping[str, str],
    python: Path,
    around: Surroundings,
    cwd: Path | None = None,
    forking: Forking | None = None,
    stopped: Callable[[], bool] | None = None,
) -> Finished:
    env = scrubbed_environment(job / "home", declared=variables, parent=around.parent)
    env["PATH"] = f"{python.parent}:{env['PATH']}"  # `python` in a command is the model's own
    with tempfile.TemporaryDirectory(prefix="stellwerk-log-") as folder:
        log = Path(folder) / "log.txt"
        process = run(
            command,
            cwd=cwd or job / "code",
            env=env,
            timeout=around.timeout,
            log=log,
            isolation=Isolation(
                masked=(*around.masked, *_templates(around), *_other_rooms(job, python)),
                writable=(job,),
                namespace=around.namespace,
            ),
            on_line=around.on_line,
            output_limit=around.output_limit,
            forking=forking,
            stopped=stopped,
        )
        text = log.read_text(encoding="utf-8", errors="replace")
    tail = process.log_tail.replace(f"{job}/code/", "").replace(str(job), "")
    return Finished(process=_with_tail(process, tail), log=text.replace(f"{job}/code/", "").replace(str(job), ""))


def _forking(code: Code, *, job: Path, python: Path, around: Surroundings) -> Forking | None:
    """Where this run has templates and one would do what a new interpreter does.

    Not for another interpreter: its packages are imported confined only. Nor for code that sets variables, which
    libraries read when they are imported.
    """
    folders = _templates(around)
    if not folders or code.source is None or python != Path(sys.executable):
        return None
    texts = [path.read_bytes() for path in (job / "code").rglob("*.py")]
    if any(word in text for text in texts for word in SETS_VARIABLES):
        return None
    modules = preloaded((job / "code" / code.source).read_bytes())
    imports = (job / "code", (job / "code" / code.source).parent)
    return Forking(at=folders[0], modules=modules, code=imports)


def _templates(around: Surroundings) -> tuple[Path, ...]:
    """The folder of this run's templates, if it has one: a model's process must not ask them for anything."""
    folder = around.parent.get(TEMPLATES)
    return (Path(folder),) if folder else ()


def preloaded(source: bytes) -> tuple[str, ...]:
    """What a template for this code imports: just what a process of its own would.

    That is pandas, which the worker needs, and of the libraries that only compute what the outermost statements import.
    """
    try:
        body = ast.parse(source).body
    except (SyntaxError, ValueError):
        return ("pandas",)
    found = {"pandas"}
    for statement in body:
        match statement:
            case ast.Import(names=names):
                found |= {alias.name for alias in names}
            case ast.ImportFrom(module=str(module), names=names, level=0):
                found.add(module)
                if "." not in module:
                    found |= {f"{module}.{alias.name}" for alias in names}
            case _:
                pass
    return tuple(sorted(name for name in found if name.partition(".")[0] in COMPUTE))


def _other_rooms(job: Path, python: Path) -> tuple[Path, ...]:
    """Temporary folders of other runs of Stellwerk: one may train on the very rows that are held out here."""
    needed = (job, python, WORKER)
    found = (path for path in job.parent.iterdir() if re.fullmatch(r"stellwerk-\w+-\w{8}", path.name))
    return tuple(path for path in found if not any(place.is_relative_to(path) for place in needed))


def _with_tail(process: ProcessResult, tail: str) -> ProcessResult:
    import msgspec

    return msgspec.structs.replace(process, log_tail=tail)


def _said(result: Path, job: Path) -> dict[str, Any] | None:
    """What the worker wrote; None if it could not. A link is not followed: it would be read with our rights."""
    if result.is_symlink() or result.parent.resolve() != job / "out" or not result.is_file():
        return None
    try:
        said: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
    except ValueError:
        return None
    return said if said.get("status") in {"ok", "failed"} else None


def _refuse_bad_end(finished: Finished, *, step: str, around: Surroundings) -> None:
    process, log = finished.process, end_of(finished)
    if process.killed_by == "timeout":
        hint = "raise the model's `train.timeout`, or make the code faster"
        raise TrainingFailed(f"{step} took longer than {around.timeout:g} seconds", kind="timeout", log=log, hint=hint)
    if process.killed_by == "output-limit":
        message = f"{step} printed without end and was stopped"
        raise TrainingFailed(message, kind="output-limit", log=log, hint="print less: the log is kept with the version")
    if process.code > 128:  # noqa: PLR2004 - the shell's convention for signals
        try:
            name = signal.Signals(process.code - 128).name
        except ValueError:
            name = f"signal {process.code - 128}"
        hint = "SIGKILL mostly means that the machine ran out of memory" if name == "SIGKILL" else ""
        raise TrainingFailed(f"{step} was ended by {name}", kind="killed", log=log, hint=hint)
    if process.code != 0:
        last = next((line for line in reversed(log.splitlines()) if line.strip()), "it printed nothing")
        message = f"{step} exited with {process.code}: {last.strip()}"
        raise TrainingFailed(message, kind="raised", log=log, hint=_hint(finished))


def _hint(finished: Finished) -> str:
    if "Read-only file system" in finished.process.log_tail:
        return "a model may write only below its working folder, $HOME and $TMPDIR"
    return ""


def _remove(folder: Path) -> None:
    """Remove all of it; a model may leave folders without write permission."""
    for parent, folders, _ in os.walk(folder):
        for name in folders:
            path = Path(parent, name)
            if not path.is_symlink():
                path.chmod(0o700)
    shutil.rmtree(folder, ignore_errors=True)
