"""How a trained model is written to a file and read again, in the model's own environment.

skops where the environment has it and the model holds nothing but types that skops trusts: such a file runs no code
when it is loaded. Else joblib, or pickle where the code needs no joblib: those run what they hold, so they are loaded
only after their digest was compared. ONNX where that is declared; `onnx_convert.py` writes it. Imports nothing of
Stellwerk.
"""

from __future__ import annotations

import importlib.util
import io
import json
import pickle
import sys
import zipfile
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

NAMES = {"skops": "model.skops", "joblib": "model.joblib", "pickle": "model.pkl", "onnx": "model.onnx"}
COLUMNS, CLASSES = "stellwerk.columns", "stellwerk.classes"  # metadata of an ONNX model: JSON lists
SCHEMA = "schema.json"
NAMED = 3  # types named in a reason
LONGEST = 200  # characters of a reason that others worded


def save(model: Any, folder: Path) -> tuple[str, str]:
    """Write it; (format, why that one). PicklingError, AttributeError or TypeError where it cannot be written."""
    if "joblib" not in sys.modules:
        (folder / NAMES["pickle"]).write_bytes(pickle.dumps(model, protocol=5))
        return "pickle", "the model's code does not import scikit-learn or joblib"
    found, why = (
        as_skops(model) if "sklearn" in sys.modules else (None, "the model's code does not import scikit-learn")
    )
    if found is not None:
        (folder / NAMES["skops"]).write_bytes(found)
        return "skops", why
    import joblib

    joblib.dump(model, folder / NAMES["joblib"])
    return "joblib", why


def load(folder: Path) -> Any:
    """The model in that folder. Its digest must have been compared before."""
    if (folder / NAMES["onnx"]).is_file():
        return OnnxModel((folder / NAMES["onnx"]).read_bytes())
    if (folder / NAMES["skops"]).is_file():
        import skops.io

        return skops.io.load(folder / NAMES["skops"], trusted=[])
    if (folder / NAMES["joblib"]).is_file():
        import joblib

        return joblib.load(folder / NAMES["joblib"])
    return pickle.loads((folder / NAMES["pickle"]).read_bytes())  # noqa: S301 - its digest was compared before


class OnnxModel:
    """An ONNX model that is asked as one of scikit-learn is: `predict`, and `predict_proba` of a classifier.

    The first output is the predictions, the second the probabilities of `classes_`. One thread, so that the same rows
    get the same bits. Rows are a frame, of which each input takes the column of its name, or numbers for its one input.
    """

    def __init__(self, data: bytes) -> None:
        import numpy as np
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        said = self._session.get_modelmeta().custom_metadata_map
        self._inputs = [(one.name, one.type) for one in self._session.get_inputs()]
        self._outputs = [one.name for one in self._session.get_outputs()]
        columns = json.loads(said[COLUMNS]) if COLUMNS in said else [name for name, _ in self._inputs]
        self._columns: list[str] = [str(name) for name in columns]
        if COLUMNS in said:
            self.feature_names_in_ = np.array(self._columns, dtype=object)
        if CLASSES in said:
            self.classes_ = np.array(json.loads(said[CLASSES]))

    def __getattr__(self, name: str) -> Any:
        message = f"an ONNX model has predict, predict_proba and classes_ of a classifier, and no {name}"
        raise AttributeError(message)

    def predict(self, rows: Any) -> Any:
        """One value for each row."""
        import numpy as np

        found = np.asarray(self._session.run(self._outputs[:1], self._feed(rows))[0])
        if found.ndim == 2 and found.shape[1] == 1:  # noqa: PLR2004 - a single column is a column
            found = found[:, 0]
        classes = self.__dict__.get("classes_")
        return found if classes is None or found.dtype.kind == classes.dtype.kind else found.astype(classes.dtype)

    def predict_proba(self, rows: Any) -> Any:
        """Rows × classes."""
        if len(self._outputs) == 1:
            raise AttributeError("this ONNX model has one output, and no probabilities")
        return self._session.run(self._outputs[1:2], self._feed(rows))[0]

    def _feed(self, rows: Any) -> dict[str, Any]:
        import numpy as np

        named = hasattr(rows, "columns")
        if named and (missing := [name for name in self._columns if name not in rows.columns]):
            if "feature_names_in_" in self.__dict__ or len(self._inputs) > 1:
                raise ValueError(f"the rows lack the columns {', '.join(missing)}")
            return {self._inputs[0][0]: np.asarray(rows).astype(NUMPY[self._inputs[0][1]])}
        if not named:
            rows = np.asarray(rows)
        if len(self._inputs) == 1:
            ((name, kind),) = self._inputs
            part = rows[self._columns].to_numpy() if named else rows
            return {name: _values(part, kind)}
        parts = [rows[[name]].to_numpy() if named else rows[:, [at]] for at, name in enumerate(self._columns)]
        return {name: _values(part, kind) for part, (name, kind) in zip(parts, self._inputs, strict=True)}


NUMPY = {
    "tensor(double)": "float64",
    "tensor(float)": "float32",
    "tensor(int64)": "int64",
    "tensor(int32)": "int32",
    "tensor(bool)": "bool",
    "tensor(string)": "object",
}


def _values(part: Any, kind: str) -> Any:
    import pandas as pd

    if kind == "tensor(string)":
        if pd.isna(part).any():
            raise ValueError("ONNX has no text without a value: fill the gaps in prepare()")
        return part.astype(str).astype(object)
    return part.astype(NUMPY[kind])


def as_skops(model: Any) -> tuple[bytes | None, str]:
    """The bytes of a skops file, or None; and why."""
    if importlib.util.find_spec("skops") is None:
        return None, "the model's environment has no skops"
    import skops.io

    try:
        data = skops.io.dumps(model)
        foreign = sorted(skops.io.get_untrusted_types(data=data))
    except Exception as error:  # noqa: BLE001 - it refuses what it does not know in many ways; joblib is next
        return None, f"skops cannot write the model ({type(error).__name__}: {error})"[:LONGEST]
    if foreign:
        more = f" and {len(foreign) - NAMED} more" if len(foreign) > NAMED else ""
        return None, f"skops does not trust {', '.join(foreign[:NAMED])}{more}"[:LONGEST]
    return steady(data), "skops trusts every type of the model"


def steady(data: bytes) -> bytes:
    """The same skops file without what differs from one process to the next: times, and numbers of objects."""
    numbers: dict[str, str] = {}
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        schema = renumbered(json.loads(archive.read(SCHEMA)), numbers)
        files = {renamed(name, numbers): timeless(archive.read(name)) for name in archive.namelist() if name != SCHEMA}
    files[SCHEMA] = json.dumps(schema, indent=2).encode()
    return packed(files)


def renumbered(value: Any, numbers: dict[str, str]) -> Any:
    """Objects are numbered as they come, and the files of arrays, which are named by them, alike."""
    if isinstance(value, list):
        return [renumbered(part, numbers) for part in value]
    if not isinstance(value, dict):
        return value
    result: dict[str, Any] = {}
    for key, part in value.items():
        if key == "__id__" and isinstance(part, int):
            result[key] = int(numbers.setdefault(str(part), str(len(numbers) + 1)))
        elif key == "file" and isinstance(part, str):
            result[key] = renamed(part, numbers)
        else:
            result[key] = renumbered(part, numbers)
    return result


def renamed(name: str, numbers: dict[str, str]) -> str:
    stem, dot, ending = name.partition(".")
    return numbers.setdefault(stem, str(len(numbers) + 1)) + dot + ending if stem.isdigit() else name


def timeless(data: bytes) -> bytes:
    """An archive inside the archive (sparse matrices are) without its times; anything else as it is."""
    if not data.startswith(b"PK\x03\x04"):
        return data
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return packed({name: archive.read(name) for name in archive.namelist()})


def packed(files: dict[str, bytes]) -> bytes:
    result = io.BytesIO()
    with zipfile.ZipFile(result, "w") as archive:
        for name in sorted(files):
            archive.writestr(zipfile.ZipInfo(name), files[name])  # dated 1980, as an archive is at least
    return result.getvalue()
