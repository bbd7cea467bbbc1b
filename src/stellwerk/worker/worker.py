"""Run a model's Python source in the model's own environment: `python worker.py job.json`.

One file that imports nothing of Stellwerk, and of third parties only what the model's environment has: pandas, and
joblib where it is there. The job says what to do (`op`: train | predict | metric | serve) and where to write the
result, a JSON object with `status` (`ok` | `failed`), and for failures `kind`, `message` and `trace`: the calls inside
the model's own files. Everything else printed goes to the log.
"""

from __future__ import annotations

import importlib.util
import inspect
import json
import os
import pickle
import platform
import random
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from importlib.metadata import Distribution
    from types import ModuleType

Job = Mapping[str, Any]
MOST_COMPARED = 10_000  # about as many rows are predicted twice, where a model is written as ONNX


class FailedError(Exception):
    """The model's code did not do what the contract asks. `kind` is one of the stage's failure kinds."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True)
class Source:
    """The model's module and the name of its file, for messages."""

    module: ModuleType
    path: str

    def function(self, name: str) -> Callable[..., Any] | None:
        found = getattr(self.module, name, None)
        return found if callable(found) else None


def refuse_masked(masked: Sequence[str]) -> None:
    """Where nothing hides the held-out data, refuse at least what Python itself opens by name.

    Not a wall: code that means to can get around an audit hook. The record says `isolation: directory` for that.
    """
    visible = [path for path in masked if os.path.isfile(path) or (os.path.isdir(path) and os.listdir(path))]
    if not visible:
        return

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event not in ("open", "os.listdir", "os.scandir") or not isinstance(arguments[0], str | bytes):
            return
        path = os.path.realpath(os.fsdecode(arguments[0]))
        for hidden in visible:
            if path == hidden or path.startswith(hidden + os.sep):
                message = f"{path} is hidden from the model's code: it may hold the held-out rows"
                raise PermissionError(message)

    sys.addaudithook(hook)


def load_source(code: Path, path: str) -> Source:
    """Import the file under its own name, so that what it defines can be pickled and found again."""
    file = code / path
    sys.path[0] = str(file.parent)  # instead of this file's folder
    sys.path.insert(1, str(code))
    name = file.stem
    if name in sys.modules or name in sys.stdlib_module_names:
        name = f"model_{name}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None or not file.is_file():
        raise FailedError("raised", f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return Source(module=module, path=path)


def read_rows(path: str, kind: str) -> Any:
    """The rows with the types pandas infers."""
    import pandas as pd

    if kind == "parquet":
        return pd.read_parquet(path)
    if kind == "jsonl":
        return pd.read_json(path, lines=True)
    return pd.read_csv(path, low_memory=False)  # a type must not depend on where a chunk of the file ends


def set_seeds(seed: int) -> None:
    random.seed(seed)
    if importlib.util.find_spec("numpy") is not None:
        import numpy as np

        np.random.seed(seed % 2**32)  # noqa: NPY002 - the generator that most libraries draw from


def train_arguments(source: Source, train: Callable[..., Any], params: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """The keyword arguments of `train`, the seed among them if it asks for one. A mismatch names both sides."""
    accepted = list(inspect.signature(train).parameters.values())[1:]
    names = [p.name for p in accepted if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    arguments = dict(params)
    if "seed" in names:
        arguments.setdefault("seed", seed)
    takes_any = any(p.kind is p.VAR_KEYWORD for p in accepted)
    unknown = [] if takes_any else sorted(set(arguments) - set(names))
    if unknown:
        takes = ", ".join(names) or "none"
        message = f"{source.path}: train() does not take the declared params {', '.join(unknown)}; it takes: {takes}"
        raise FailedError("raised", message)
    missing = [p.name for p in accepted if p.name in names and p.default is p.empty and p.name not in arguments]
    if missing:
        given = ", ".join(sorted(params)) or "none"
        message = (
            f"{source.path}: train() needs {', '.join(missing)}, which the declared params lack; they are: {given}"
        )
        raise FailedError("raised", message)
    return arguments


def prepared(source: Source, frame: Any) -> Any:
    prepare = source.function("prepare")
    if prepare is None:
        return frame
    result = prepare(frame)
    if result is None or not hasattr(result, "columns"):
        raise FailedError(
            "raised", f"{source.path}: prepare() must return a frame, it returned {type(result).__name__}"
        )
    return result


def train(job: Job) -> dict[str, Any]:
    source = load_source(Path(job["code"]), job["source"])
    function = source.function("train")
    if function is None:
        raise FailedError("no-model", f"{source.path} defines no function train(frame, **params)")
    frame = read_rows(job["data"]["path"], job["data"]["format"])
    dtypes = {str(name): str(frame[name].dtype) for name in frame.columns if name != job["target"]}
    arguments = train_arguments(source, function, job["params"], job["seed"])
    set_seeds(job["seed"])
    model = function(prepared(source, frame), **arguments)
    if model is None:
        raise FailedError("no-model", f"{source.path}: train() returned None; return the trained model")
    saved = (
        save_onnx(model, source, job, dtypes)
        if job.get("format") == "onnx"
        else save(model, Path(job["model"]), source)
    )
    return {"dtypes": dtypes, **saved, "packages": packages()}


def save(model: Any, folder: Path, source: Source) -> dict[str, str]:
    """How it was saved (`format`), and `why` so."""
    try:
        kind, why = neighbour("model_file").save(model, folder)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        message = f"{source.path}: the {type(model).__name__} that train() returned cannot be saved: {error}"
        raise FailedError("bad-output", message) from error
    return {"format": kind, "why": why}


def save_onnx(model: Any, source: Source, job: Job, dtypes: Mapping[str, str]) -> dict[str, str]:
    """As `save`, where ONNX is declared. The file is compared with the model on rows that it was trained on."""
    convert, files = neighbour("onnx_convert"), neighbour("model_file")
    rows = read_rows(job["data"]["path"], job["data"]["format"])
    raw = as_trained(rows.iloc[:: max(1, len(rows) // MOST_COMPARED)].reset_index(drop=True), dtypes)

    def ask(asked: Any) -> tuple[Any, Any, Any]:
        values, _, frame = answers(source, asked, raw, {"seed": job["seed"], "task": None})
        try:
            return values, asked.predict_proba(frame) if hasattr(asked, "classes_") else None, frame
        except Exception:  # noqa: BLE001 - the model's own predict() may well pass it other columns
            return values, None, frame

    try:
        why = convert.save(
            model, Path(job["model"]), ask=ask, load=files.OnnxModel, names=(files.COLUMNS, files.CLASSES)
        )
    except convert.RefusedError as error:
        raise FailedError(error.kind, f"{source.path}: {error}") from error
    return {"format": "onnx", "why": why}


def neighbour(name: str) -> ModuleType:
    """A file beside this one, under a name that no file of the model's has."""
    known = f"stellwerk_{name}"
    if known not in sys.modules:
        spec = importlib.util.spec_from_file_location(known, Path(__file__).with_name(f"{name}.py"))
        if spec is None or spec.loader is None:
            raise ImportError(name)
        sys.modules[known] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[known])
    return sys.modules[known]


def as_trained(frame: Any, dtypes: Mapping[str, str]) -> Any:
    """Columns in training's order and, where the values allow it, of training's types."""
    missing = [name for name in dtypes if name not in frame.columns]
    if missing:
        raise FailedError("bad-output", f"the rows to predict lack the columns {', '.join(missing)}")
    frame = frame[list(dtypes)].copy()
    for name, wanted in dtypes.items():
        if str(frame[name].dtype) != wanted:
            try:
                frame[name] = frame[name].astype(wanted)
            except (ValueError, TypeError):
                continue  # an integer column with gaps stays float: the model sees what pandas makes of it
    return frame


def prepared_to_predict(source: Source, frame: Any) -> Any:
    rows = len(frame)
    result = prepared(source, frame)
    if len(result) != rows:
        message = f"{source.path}: prepare() made {len(result)} rows of {rows}; rows to predict must all be kept"
        raise FailedError("bad-output", message)
    order = list(result.index)
    if order != list(range(rows)) and set(order) == set(range(rows)):
        raise FailedError("bad-output", f"{source.path}: prepare() changed the order of the rows to predict")
    return result


def predict(job: Job) -> dict[str, Any]:
    import pandas as pd

    source = load_source(Path(job["code"]), job["source"])
    model = neighbour("model_file").load(Path(job["model"]))
    raw = as_trained(read_rows(job["data"]["path"], job["data"]["format"]), job["dtypes"])
    values, probability, frame = answers(source, model, raw, job)
    columns = {"prediction": values} if probability is None else {"prediction": values, "probability": probability}
    pd.DataFrame(columns).to_csv(job["predictions"], index=False)
    decisions = decided(source, values, frame)
    if decisions is not None:
        decisions.to_csv(job["decisions"], index=False)
    return {"rows": len(values), "decisions": [] if decisions is None else [str(name) for name in decisions.columns]}


def answers(source: Source, model: Any, raw: Any, job: Job) -> tuple[Any, Any, Any]:
    """Predictions for rows of training's types, the probability of `positive` or None, and the prepared frame.

    `job` says seed, task and positive class. This is how a check predicts, and how a service does.
    """
    import pandas as pd

    set_seeds(job["seed"])
    frame = prepared_to_predict(source, raw.copy())
    own = source.function("predict")
    answer = own(model, frame) if own is not None else model.predict(frame)
    if isinstance(answer, pd.DataFrame):
        if "prediction" not in answer.columns:
            raise FailedError("bad-output", f"{source.path}: predict() returned a frame without a column prediction")
        values = exact(answer["prediction"].to_numpy())
        probability = exact(answer["probability"].to_numpy()) if "probability" in answer.columns else None
    else:
        values = exact(column_of(answer, source))
        probability = exact(probability_of(model, frame, job, own_predict=own is not None))
    if len(values) != len(raw):
        raise FailedError("bad-output", f"{source.path}: {len(values)} predictions for {len(raw)} rows")
    return values, probability, frame


def exact(values: Any) -> Any:
    """Numbers of single precision as the doubles they are: a file would hold fewer digits than a service answers."""
    short = values is not None and values.dtype.kind == "f" and values.dtype.itemsize < 8  # noqa: PLR2004 - bytes
    return values.astype("float64") if short else values


def column_of(answer: Any, source: Source) -> Any:
    import numpy as np

    values = np.asarray(answer)
    if values.ndim == 2 and values.shape[1] == 1:  # noqa: PLR2004 - a single column is a column
        values = values[:, 0]
    if values.ndim != 1:
        raise FailedError(
            "bad-output", f"{source.path}: predictions have the shape {values.shape}; one value per row is asked"
        )
    return values


def probability_of(model: Any, frame: Any, job: Job, *, own_predict: bool) -> Any:
    """The probability of `positive` for two classes, where the model can tell."""
    if job["task"] != "classification" or not hasattr(model, "predict_proba") or not hasattr(model, "classes_"):
        return None
    classes = [label_text(label) for label in model.classes_]
    positive = label_text(job["positive"])
    if positive not in classes or len(classes) != 2:  # noqa: PLR2004 - binary
        return None
    try:
        return model.predict_proba(frame)[:, classes.index(positive)]
    except Exception as error:  # the model's own predict() may well pass it other columns
        if not own_predict:
            raise
        if "op" in job:  # a service logs nothing that a row may have said
            print(f"no probability: model.predict_proba(frame) raised {type(error).__name__}: {error}")
        return None


def label_text(label: Any) -> str:
    """A class as text: 1, 1.0 and numpy's own numbers are the same one."""
    plain = label.item() if hasattr(label, "item") else label
    return str(int(plain)) if isinstance(plain, float) and plain.is_integer() else str(plain)


def decided(source: Source, values: Any, frame: Any) -> Any:
    """What the model's `decide` makes of the predictions; None where it has none."""
    function = source.function("decide")
    if function is None:
        return None
    result = function(values, frame)
    if not hasattr(result, "columns") or len(result) != len(values):
        raise FailedError("bad-output", f"{source.path}: decide() must return a frame with one row per prediction")
    return result


def serve(job: Job) -> dict[str, Any]:
    """Answer requests until this process is ended; `serve.py` says how."""
    sys.path.extend(job["imports"])
    service = neighbour("serve")
    sys.modules["stellwerk_worker"] = sys.modules[__name__]
    found: dict[str, Any] = service.serve_job(job, sys.modules[__name__])
    return found


def metric(job: Job) -> dict[str, Any]:
    """A team's own metric, `module:function`, called as function(truth, prediction) on each group of rows.

    It is given further columns (`probability`, what `decide` returned) that it names as arguments.
    """
    module, _, name = job["function"].partition(":")
    source = load_source(Path(job["code"]), metric_file(Path(job["code"]), module, job["source"]))
    function = source.function(name)
    if function is None:
        raise FailedError("raised", f"{source.path} defines no function {name}(truth, prediction)")
    rows = read_rows(job["data"]["path"], "csv")
    takes = inspect.signature(function).parameters
    extra = [column for column in rows.columns if column in takes and column not in ("truth", "prediction")]
    values: list[dict[str, Any]] = []
    for group in job["groups"]:
        part = rows.iloc[group].reset_index(drop=True)
        try:
            value = function(part["truth"], part["prediction"], **{column: part[column] for column in extra})
            values.append({"value": float(value), "problem": ""})
        except Exception as error:  # noqa: BLE001 - one group's failure is not another's
            values.append({"value": None, "problem": explained(error, job)[1]})
    return {"values": [v if v["value"] is None or v["value"] - v["value"] == 0 else NOT_FINITE for v in values]}


NOT_FINITE = {"value": None, "problem": "it gave no finite number"}


def metric_file(code: Path, module: str, source: str | None) -> str:
    """The module beside the model's source, or from the top of the repository."""
    path = module.replace(".", "/") + ".py"
    beside = (Path(source).parent / path).as_posix() if source else path
    return beside if (code / beside).is_file() else path


def packages() -> dict[str, str]:
    """Distribution -> version of the third-party packages that are imported now.

    `importlib.metadata.packages_distributions` answers the same, but parses every file list of the environment.
    """
    wanted = {name.partition(".")[0] for name in sys.modules} - sys.stdlib_module_names
    found = {}
    for distribution, top in installed():
        if wanted.intersection(top):
            found[distribution.metadata["Name"]] = distribution.version
    return dict(sorted(found.items()))


@cache
def installed() -> tuple[tuple[Distribution, frozenset[str]], ...]:
    """All distributions with their top-level names. A template asks before it forks: two files of each are read."""
    from importlib.metadata import distributions

    found = []
    for distribution in distributions():
        top = (distribution.read_text("top_level.txt") or "").split() or listed_in(distribution)
        found.append((distribution, frozenset(top)))
    return tuple(found)


def listed_in(distribution: Distribution) -> set[str]:
    """The top-level names among a distribution's files."""
    record = distribution.read_text("RECORD") or distribution.read_text("SOURCES.txt") or ""
    return {line.partition(",")[0].partition("/")[0].removesuffix(".py") for line in record.splitlines()}


def trace_of(error: BaseException, code: Path) -> list[str]:
    """The calls inside the model's own files, outermost first, as `path:line in function: text`."""
    lines = []
    for call in traceback.extract_tb(error.__traceback__):
        file = Path(os.path.realpath(call.filename))
        if file.is_relative_to(code.resolve()):
            place = file.relative_to(code.resolve()).as_posix()
            lines.append(f"{place}:{call.lineno} in {call.name}: {call.line or ''}".rstrip(": "))
    if isinstance(error, SyntaxError) and error.filename:
        lines.append(f"{Path(error.filename).name}:{error.lineno}: {(error.text or '').strip()}")
    return lines


def explained(error: BaseException, job: Job) -> tuple[str, str]:
    """(kind, message) of whatever went wrong."""
    code = Path(job["code"])
    if isinstance(error, FailedError):
        return error.kind, str(error)
    if isinstance(error, ModuleNotFoundError):
        where = job["requirements"] or "an environment without `requirements:`"
        message = f"{error.msg}; the model runs in the environment of {where}: add {error.name} there"
        return "environment", message
    if isinstance(error, SystemExit):
        return "no-model" if job["op"] == "train" else "raised", f"the code called sys.exit({error.code!r})"
    trace = trace_of(error, code)
    where = f" ({trace[-1].split(': ')[0]})" if trace else ""
    return "raised", f"{type(error).__name__}: {error}{where}"


def main() -> int:
    with open(sys.argv[1], encoding="utf-8") as file:
        job = json.load(file)
    operations = {"train": train, "predict": predict, "metric": metric, "serve": serve}
    result: dict[str, Any]
    try:
        refuse_masked(job["masked"])
        result = {"status": "ok", **operations[job["op"]](job)}
    except BaseException as error:  # noqa: BLE001 - SystemExit of the model's code included
        kind, message = explained(error, job)
        traceback.print_exception(error)
        result = {"status": "failed", "kind": kind, "message": message, "trace": trace_of(error, Path(job["code"]))}
    result["python"] = platform.python_version()
    partial = f"{job['result']}.part"
    with open(partial, "w", encoding="utf-8") as file:
        json.dump(result, file)
    os.replace(partial, job["result"])
    sys.stdout.flush()
    sys.stderr.flush()
    return 0 if result["status"] == "ok" else 1


if __name__ == "__main__":
    sys.exit(main())
