"""Writes a trained model as ONNX, where `format: onnx` is declared, and only if the file predicts as the model does.

What scikit-learn trained is converted by skl2onnx, in double precision where ONNX can, else in single. What is ONNX
already (its bytes, or onnx.ModelProto) is taken as it is: then nothing is known to compare it with, and the file is all
that is ever asked. Runs in the model's own environment; imports nothing of Stellwerk.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

NEEDED = ("onnx", "onnxruntime")
CONVERTER = "skl2onnx"
EXTRA = "stellwerk[onnx]"
CLOSE = 1e-5  # of the largest prediction; single precision has seven digits
SHOWN = 160  # characters of what others say

Answers = tuple[Any, Any, Any]  # predictions, probabilities of all classes or None, the prepared frame


class RefusedError(Exception):
    """It cannot be written as ONNX. `kind` is one of the stage's failure kinds."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def save(
    model: Any, folder: Path, *, ask: Callable[[Any], Answers], load: Callable[[bytes], Any], names: tuple[str, str]
) -> str:
    """Write `model.onnx`; why it is this one. RefusedError says what cannot be written, or how it differs.

    `ask` predicts rows of the training data with a model; `load` is what will load the file; `names` are the metadata
    in which it looks for columns and classes.
    """
    refuse_without(NEEDED)
    own = own_bytes(model)
    if own is not None:
        ask(load(checked(own)))
        (folder / "model.onnx").write_bytes(own)
        return "declared; train() returned ONNX itself"
    refuse_strangers(model)
    refuse_without((CONVERTER,))
    expected = ask(model)
    problems = []
    for how, inputs in ladder(model, expected[2]):
        try:
            data = converted(model, inputs, names)
            problem = difference(expected, ask(load(data)))
            if not problem:
                (folder / "model.onnx").write_bytes(data)
                return f"declared; converted by {CONVERTER} in {how}, predicts as the trained model within {CLOSE:g}"
        except Exception as error:  # noqa: BLE001 - each library refuses in ways of its own; the next form may do
            problem = f"{type(error).__name__}: {' '.join(str(error).split())}"[:SHOWN]
        problems.append(f"in {how}: {problem}")
    said = "; ".join(dict.fromkeys(problems))
    message = (
        f"the {type(model).__name__} that train() returned cannot be written as ONNX, which `format` declares: {said}. "
        "Return ONNX's own bytes, or take `format` away"
    )
    raise RefusedError("bad-output", message)


def refuse_without(packages: tuple[str, ...]) -> None:
    lacking = [name for name in packages if importlib.util.find_spec(name) is None]
    if lacking:
        message = f"`format: onnx` needs {', '.join(lacking)} in the model's environment: add to its `requirements`"
        raise RefusedError("environment", f"{message}, or without these: pip install '{EXTRA}'")


def refuse_strangers(model: Any) -> None:
    estimator = getattr(sys.modules.get("sklearn.base"), "BaseEstimator", None)
    if estimator is None or not isinstance(model, estimator):
        message = (
            f"`format: onnx` is declared, and the {type(model).__name__} that train() returned is neither ONNX nor a "
            "scikit-learn estimator: return one of these, or take `format` away"
        )
        raise RefusedError("bad-output", message)


def own_bytes(model: Any) -> bytes | None:
    """The bytes of what is ONNX already."""
    if isinstance(model, bytes | bytearray):
        return bytes(model)
    proto = getattr(sys.modules.get("onnx"), "ModelProto", None)
    if proto is not None and isinstance(model, proto):
        return bytes(model.SerializeToString(deterministic=True))
    return None


def checked(data: bytes) -> bytes:
    import onnx

    try:
        onnx.checker.check_model(data)
    except Exception as error:
        words = " ".join(str(error).split())[:SHOWN]
        raise RefusedError("bad-output", f"the bytes that train() returned are no ONNX model: {words}") from error
    return data


def ladder(model: Any, frame: Any) -> Iterator[tuple[str, list[tuple[str, Any]]]]:
    """How the model's inputs may be declared, the most exact first: in words, and as skl2onnx has it."""
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType, Int64TensorType, StringTensorType

    floats = {"double precision": DoubleTensorType, "single precision": FloatTensorType}
    first = model.steps[0][1] if hasattr(model, "steps") else model
    names = [str(name) for name in getattr(model, "feature_names_in_", ())]
    width = int(getattr(model, "n_features_in_", frame.shape[1]))
    known = hasattr(frame, "columns") and set(names) <= set(frame.columns)
    kinds = {name: kind_of(frame[name].dtype) for name in names} if known else {}
    strange = sorted(name for name, kind in kinds.items() if kind == "")
    if strange:
        message = f"ONNX takes numbers and text, and {', '.join(strange)} is neither: make it one in prepare()"
        raise RefusedError("bad-output", message)
    apart = bool(kinds) and hasattr(first, "transformers")  # a ColumnTransformer asks for columns by their names
    text = bool(kinds) and set(kinds.values()) == {"text"}
    if gaps_split(model):  # skl2onnx never comes to an end with some of these
        message = "a tree in it splits on missing values, which skl2onnx does not convert: fill them in prepare()"
        raise RefusedError("bad-output", f"the {type(model).__name__} cannot be written as ONNX: {message}")
    for words, number in floats.items():
        if apart:
            types = {"text": StringTensorType, "whole": Int64TensorType, "number": number}
            yield words, [(name, types[kind]([None, 1])) for name, kind in kinds.items()]
            types["whole"] = number
            yield words, [(name, types[kind]([None, 1])) for name, kind in kinds.items()]
        else:
            yield words, [("rows", (StringTensorType if text else number)([None, width]))]


def gaps_split(model: Any) -> bool:
    """Whether a tree in it sends just the missing values one way: the threshold is infinite there."""
    import numpy as np

    waiting, seen = [model], set()
    while waiting:
        one = waiting.pop()
        if id(one) in seen or isinstance(one, str | bytes | int | float | None):
            continue
        seen.add(id(one))
        threshold = getattr(getattr(one, "tree_", None), "threshold", None)
        if threshold is not None and np.isinf(threshold).any():
            return True
        if isinstance(one, list | tuple):
            waiting += one
        elif isinstance(one, np.ndarray):
            waiting += one.ravel().tolist() if one.dtype == object else []
        elif isinstance(one, dict):
            waiting += one.values()
        elif hasattr(one, "get_params"):
            waiting += vars(one).values()
    return False


def kind_of(dtype: Any) -> str:
    """One of text, whole and number, or '' for what ONNX has not."""
    import pandas as pd

    types = pd.api.types
    if isinstance(dtype, pd.CategoricalDtype):
        return kind_of(dtype.categories.dtype)
    if types.is_bool_dtype(dtype):
        return "number"
    if types.is_numeric_dtype(dtype):
        return "whole" if types.is_integer_dtype(dtype) else "number"
    return "text" if types.is_object_dtype(dtype) or types.is_string_dtype(dtype) else ""


def converted(model: Any, inputs: list[tuple[str, Any]], names: tuple[str, str]) -> bytes:
    """The bytes; the same each time."""
    import skl2onnx

    classes = getattr(model, "classes_", None)
    options = None if classes is None else {"zipmap": False}
    proto = skl2onnx.convert_sklearn(model, "model", inputs, options=options)
    columns = getattr(model, "feature_names_in_", None)
    for name, value in zip(names, (columns, classes), strict=True):
        if value is not None:
            entry = proto.metadata_props.add()
            entry.key, entry.value = name, json.dumps([one.item() if hasattr(one, "item") else one for one in value])
    return bytes(proto.SerializeToString(deterministic=True))


def difference(expected: Answers, found: Answers) -> str:
    """How the second predicts otherwise; '' where it does not. A tie of two classes may be decided either way."""
    import numpy as np

    left, right = np.asarray(expected[0]), np.asarray(found[0])
    if left.dtype.kind in "fiub" and right.dtype.kind in "fiub":
        wrong = ~near(left.astype(float), right.astype(float))
    else:
        wrong = np.array([str(one) != str(other) for one, other in zip(left, right, strict=True)], dtype=bool)
    sure, other = expected[1], found[1]
    if sure is not None:
        if other is None or np.shape(sure) != np.shape(other):
            return "it has no such probabilities"
        if (far := int((~near(np.asarray(sure), np.asarray(other))).any(axis=1).sum())) > 0:
            return f"{far} of {len(left)} probabilities differ"
        top = np.sort(sure, axis=1)[:, -2:]
        wrong &= top[:, 1] - top[:, 0] > CLOSE
    return f"{int(wrong.sum())} of {len(left)} predictions differ" if wrong.any() else ""


def near(left: Any, right: Any) -> Any:
    import numpy as np

    finite = left[np.isfinite(left)]
    return np.isclose(right, left, rtol=0, atol=CLOSE * (np.abs(finite).max() if finite.size else 1), equal_nan=True)
