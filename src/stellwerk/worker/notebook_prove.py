"""Inside a notebook's kernel: what its own functions, called as the framework calls a module's, predict.

Loaded by path. `worker.py` beside it does the calling, so that both sides do the same.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any


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
    """Before the first cell: what is hidden is hidden here too."""
    worker().refuse_masked(json.loads(Path(path).read_text(encoding="utf-8"))["masked"])


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
    frame = w.read_rows(job["data"]["path"], job["data"]["format"])
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
