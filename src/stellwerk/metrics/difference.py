"""How much two versions' predictions differ on the same rows: shown to people who approve, judged by nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stellwerk.metrics.scored import NotComputableError, Scored, labels, numbers

if TYPE_CHECKING:
    from stellwerk.metrics.scored import Values
    from stellwerk.model.declared import Json


def prediction_difference(old: Values, new: Values, *, task: str, min_group: int = 10) -> dict[str, Json]:
    """Compare predictions row by row.

    `rows`; `changed`, the share of rows whose prediction differs; for regression `mean_absolute` and `p95` of the
    absolute difference, in units of the target. All but `rows` are None under `min_group` rows, or with a `problem`.
    """
    import numpy as np

    result: dict[str, Json] = {"rows": len(old), "changed": None}
    if task == "regression":
        result |= {"mean_absolute": None, "p95": None}
    if len(old) != len(new):
        return result | {"problem": f"{len(old)} old and {len(new)} new predictions cannot be paired"}
    if len(old) < max(min_group, 1):
        return result | {"problem": f"fewer than {min_group} rows"}
    try:
        if task != "regression":
            found = labels(Scored(truth=old, prediction=new, task=task))
            return result | {"changed": float((found.truth != found.prediction).mean())}
        distance = abs(numbers(new, "new prediction") - numbers(old, "old prediction"))
    except NotComputableError as error:
        return result | {"problem": str(error)}
    return result | {
        "changed": float((distance > 0).mean()),
        "mean_absolute": float(distance.mean()),
        "p95": float(np.quantile(distance, 0.95)),
    }
