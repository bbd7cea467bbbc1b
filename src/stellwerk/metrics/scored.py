"""Rows with their truth and what a model said of them, and the labels of a classification as numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from stellwerk.model.declared import Json

    Mask = npt.NDArray[np.bool_]
    Floats = npt.NDArray[np.float64]
    Values = npt.NDArray[Any]


class NotComputableError(Exception):
    """A metric has no value on these rows; the message says why and never shows a value of a row."""


class Scored(Struct, frozen=True, kw_only=True, eq=False):
    """`truth`, `prediction` and `probability` (of the positive class) are arrays of the same length, one entry per row.

    `positive` is the positive class; without it the greater of two classes, as in scikit-learn.
    """

    truth: Values
    prediction: Values
    probability: Floats | None = None
    task: str = "regression"  # regression | classification
    positive: Json = None

    def __len__(self) -> int:
        return len(self.truth)


def take(data: Scored, mask: Mask) -> Scored:
    """The rows under the mask."""
    probability = None if data.probability is None else data.probability[mask]
    return replace(data, truth=data.truth[mask], prediction=data.prediction[mask], probability=probability)


def numbers(values: Values, what: str) -> Floats:
    """The values as floats; NotComputableError where one is missing, infinite or no number."""
    import numpy as np

    try:
        result = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise NotComputableError(f"the {what} is not a number in every row") from error
    bad = int((~np.isfinite(result)).sum())
    if bad:
        raise NotComputableError(f"the {what} is missing or infinite in {bad} of {len(result)} rows")
    return result


class Labels(Struct, frozen=True, kw_only=True, eq=False):
    """Truth and prediction as positions in `classes`, which are sorted."""

    truth: npt.NDArray[np.intp]
    prediction: npt.NDArray[np.intp]
    classes: tuple[object, ...]


def labels(data: Scored) -> Labels:
    """Give every class a number. A missing label is refused; text and non-text labels are compared as text."""
    import numpy as np
    import pandas as pd

    columns = [pd.Series(data.truth).infer_objects(), pd.Series(data.prediction).infer_objects()]
    for column, what in zip(columns, ("truth", "prediction"), strict=True):
        missing = int(column.isna().sum())
        if missing:
            raise NotComputableError(f"the {what} is missing in {missing} of {len(column)} rows")
    text = [pd.api.types.is_string_dtype(column.dtype) for column in columns]
    mixed = text[0] != text[1] or (not all(text) and any(column.dtype == object for column in columns))
    if mixed:
        columns = [column.map(label_text) for column in columns]
        if any(column.isin(["true", "false"]).all() for column in columns):
            columns = [column.map(lambda text: _AS_BOOLEAN.get(text, text)) for column in columns]
    both = np.concatenate([column.to_numpy() for column in columns])
    classes, codes = np.unique(both.astype(str) if both.dtype == object else both, return_inverse=True)
    return Labels(truth=codes[: len(data)], prediction=codes[len(data) :], classes=tuple(classes.tolist()))


def positive_code(found: Labels, positive: Json) -> int:
    """The number of the positive class; NotComputableError where it is not clear which it is."""
    if positive is not None:
        text = label_text(positive)
        wanted = {text, _OTHER_SPELLING.get(text, text)}
        codes = [code for code, label in enumerate(found.classes) if label_text(label) in wanted]
        if not codes:
            raise NotComputableError("no row has the declared positive class, neither in truth nor in prediction")
        return codes[0]
    if len(found.classes) == 2:  # noqa: PLR2004  (the definition of binary)
        return 1
    if len(found.classes) < 2:  # noqa: PLR2004
        raise NotComputableError("all rows are of one class, and `positive` is not declared")
    raise NotComputableError(f"there are {len(found.classes)} classes: declare `positive`, or use a macro metric")


_AS_BOOLEAN = {"1": "true", "0": "false"}
_OTHER_SPELLING = {"true": "1", "false": "0", "1": "true", "0": "false"}


def label_text(label: object) -> str:
    """A label as people write it: `True`, `true` and `1.0`, `1` are the same label each."""
    if isinstance(label, bool) or type(label).__name__ == "bool":
        return str(label).lower()
    if isinstance(label, float) and label.is_integer():
        return str(int(label))
    text = str(label)
    return text.lower() if text in {"True", "False"} else text
