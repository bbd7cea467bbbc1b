"""Inside a notebook's kernel: what its own functions, called as the framework calls a module's, predict.

Loaded by path. `worker.py` beside it does the calling, so that both sides do the same.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

# Event of an audit hook -> how many of its arguments are paths that change.
WRITING = {"os.mkdir": 1, "os.remove": 1, "os.rmdir": 1, "os.rename": 2, "os.truncate": 1}


def worker() -> ModuleType:
    """`worker.py` as a module."""
    known = sys.modules.get("stellwerk_worker")
    if known is None:
        spec = importlib.util.spec_from_file_location("stellwerk_worker", Path(__file__).with_name("worker.py"))
        if spec is None or spec.loader is None:
            raise ImportError("worker")
        known = sys.modules["stellwerk_worker"] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(known)
    return known


def begin(path: str) -> None:
    """Before the first cell: what is hidden is hidden here too, and files are written in the notebook's folder only."""
    job = json.loads(Path(path).read_text(encoding="utf-8"))
    worker().refuse_masked(job["masked"])
    refuse_writes(job["writable"])


def refuse_writes(writable: Sequence[str]) -> None:
    """Refuse what Python itself writes outside of these folders, so that the cell that does so is named.

    Not a wall: that is the namespace, where there is one.
    """
    allowed = tuple(f"{os.path.realpath(folder)}{os.sep}" for folder in (*writable, "/dev", "/proc"))

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            if not isinstance(arguments[2], int) or not arguments[2] & (os.O_WRONLY | os.O_RDWR):
                return
            paths = arguments[:1]
        elif event in WRITING:
            paths = arguments[: WRITING[event]]
        else:
            return
        for path in paths:
            if not isinstance(path, str | bytes | os.PathLike):
                continue  # an open file
            if not os.path.realpath(os.fsdecode(path)).startswith(allowed):
                message = (
                    f"{os.fspath(path)!r} is outside of the notebook's folder, and files may be written only there"
                )
                raise PermissionError(f"{message} and in $TMPDIR")

    sys.addaudithook(hook)


def prove(path: str, names: dict[str, Any]) -> None:
    """After the last cell: prepare, train and predict with the functions as they are now."""
    job = json.loads(Path(path).read_text(encoding="utf-8"))
    try:
        result = {"status": "ok", **_predicted(job, names)}
    except BaseException as error:  # noqa: BLE001 - SystemExit of the notebook's code included
        result = {"status": "failed", "message": worker().explained(error, job)[1]}
    Path(job["proof"]).write_text(json.dumps(result), encoding="utf-8")


def _predicted(job: dict[str, Any], names: dict[str, Any]) -> dict[str, Any]:
    import pandas as pd

    w = worker()
    own = SimpleNamespace(**{name: names.get(name) for name in job["functions"]})
    source = w.Source(module=own, path=job["notebook"])
    train = source.function("train")
    if train is None:
        raise w.FailedError("no-model", f"after its last cell {job['notebook']} has no function train(frame, **params)")
    frame = w.read_rows(job["learned"], job["data"]["format"])
    dtypes = {str(name): str(frame[name].dtype) for name in frame.columns if name != job["target"]}
    arguments = w.train_arguments(source, train, job["params"], job["seed"])
    w.set_seeds(job["seed"])
    model = train(w.prepared(source, frame), **arguments)
    if model is None:
        raise w.FailedError("no-model", f"{job['notebook']}: train() returned None; return the trained model")
    raw = w.as_trained(w.read_rows(job["data"]["path"], job["data"]["format"]), dtypes)
    values, probability, prepared = w.answers(source, model, raw, job)
    columns = {"prediction": values} if probability is None else {"prediction": values, "probability": probability}
    pd.DataFrame(columns).to_csv(job["predictions"], index=False)
    decisions = w.decided(source, values, prepared)
    if decisions is not None:
        decisions.to_csv(job["decisions"], index=False)
    return {}
