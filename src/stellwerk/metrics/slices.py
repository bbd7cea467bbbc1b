"""Groups of rows to judge on their own, such as `foreign_worker=yes`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stellwerk.metrics.scored import label_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    import numpy.typing as npt
    import pandas as pd

    Mask = npt.NDArray[np.bool_]

OTHER = "other"
MISSING = "(missing)"


def slices(column: pd.Series, min_group: int) -> Iterator[tuple[str, Mask]]:
    """Yield `column=value` and its rows for every value that at least `min_group` rows hold, sorted by label.

    The rows of rarer values come last, together, as `column=other` (or `column=(other)` where that is a value), however
    few they are: naming a rare value could show a person.
    """
    import numpy as np

    texts = column.map(label_text, na_action="ignore").astype(object).where(column.notna(), MISSING)
    values, codes, counts = np.unique(texts.to_numpy(dtype=str), return_inverse=True, return_counts=True)
    named = counts >= min_group
    for code in named.nonzero()[0]:
        yield f"{column.name}={values[code]}", codes == code
    rest = ~named[codes]
    if rest.any():
        taken = OTHER in values[named]
        yield f"{column.name}={f'({OTHER})' if taken else OTHER}", rest
