"""Statistics of regression: each a function of row weights (see `resampling`), equal to scikit-learn's of that name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stellwerk.metrics.scored import NotComputableError, numbers

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    import numpy.typing as npt

    from stellwerk.metrics.resampling import Statistic
    from stellwerk.metrics.scored import Scored

    Floats = npt.NDArray[np.float64]


def regression_statistic(name: str, data: Scored) -> Statistic:
    """The metric of that canonical name on these rows; NotComputableError where it has no value."""
    truth, prediction = numbers(data.truth, "truth"), numbers(data.prediction, "prediction")
    return _STATISTICS[name](truth, prediction)


def mean_of(*columns: Floats, then: Callable[..., Floats] | None = None) -> Statistic:
    """The weighted mean of each column of rows, or what `then` makes of the means."""
    import numpy as np

    rows = np.column_stack(columns)

    def statistic(weights: Floats) -> Floats:
        means = weights @ rows / weights.sum(axis=1, keepdims=True)
        result: Floats = means[:, 0] if then is None else then(*means.T)
        return result

    return statistic


def _absolute(truth: Floats, prediction: Floats) -> Statistic:
    return mean_of(abs(prediction - truth))


def _squared(truth: Floats, prediction: Floats) -> Statistic:
    return mean_of((prediction - truth) ** 2)


def _root_squared(truth: Floats, prediction: Floats) -> Statistic:
    return mean_of((prediction - truth) ** 2, then=lambda mean: mean**0.5)


def _percentage(truth: Floats, prediction: Floats) -> Statistic:
    zeros = int((truth == 0).sum())
    if zeros:
        raise NotComputableError(f"the truth is 0 in {zeros} of {len(truth)} rows, where a percentage has no meaning")
    return mean_of(abs(prediction - truth) / abs(truth))


def _explained(truth: Floats, prediction: Floats) -> Statistic:
    return _share_explained(truth, prediction, centred=True)


def _r2(truth: Floats, prediction: Floats) -> Statistic:
    return _share_explained(truth, prediction, centred=False)


def _share_explained(truth: Floats, prediction: Floats, *, centred: bool) -> Statistic:
    if (truth == truth[0]).all():
        raise NotComputableError("the truth is the same in every row, so there is no variance to explain")
    error = truth - prediction
    # Shifting by the mean keeps the difference of large squares exact.
    shifted = truth - truth.mean()

    def explained(errors: Floats, squares: Floats, values: Floats, value_squares: Floats) -> Floats:
        residual = squares - errors**2 if centred else squares
        return 1 - residual / (value_squares - values**2)

    return mean_of(error, error**2, shifted, shifted**2, then=explained)


def _median(truth: Floats, prediction: Floats) -> Statistic:
    import numpy as np

    errors = abs(prediction - truth)
    order = np.argsort(errors, kind="stable")
    ordered = errors[order]

    def statistic(weights: Floats) -> Floats:
        reached = weights[:, order].cumsum(axis=1)
        total = reached[:, -1:]
        lower = (reached >= total / 2).argmax(axis=1)
        upper = (reached > total / 2).argmax(axis=1)
        middle: Floats = (ordered[lower] + ordered[upper]) / 2
        return middle

    return statistic


def _max(truth: Floats, prediction: Floats) -> Statistic:
    errors = abs(prediction - truth)
    return lambda weights: ((weights > 0) * errors).max(axis=1)


def _log_squared(truth: Floats, prediction: Floats) -> Statistic:
    return mean_of(_log_errors(truth, prediction))


def _root_log_squared(truth: Floats, prediction: Floats) -> Statistic:
    return mean_of(_log_errors(truth, prediction), then=lambda mean: mean**0.5)


def _log_errors(truth: Floats, prediction: Floats) -> Floats:
    import numpy as np

    if (truth <= -1).any() or (prediction <= -1).any():
        raise NotComputableError("a log error needs values above -1 in truth and prediction")
    errors: Floats = (np.log1p(prediction) - np.log1p(truth)) ** 2
    return errors


def _wape(truth: Floats, prediction: Floats) -> Statistic:
    if not truth.any():
        raise NotComputableError("the truth is 0 in every row")
    return mean_of(abs(prediction - truth), abs(truth), then=lambda error, size: error / size)


def _smape(truth: Floats, prediction: Floats) -> Statistic:
    import numpy as np

    error, size = abs(prediction - truth), abs(truth) + abs(prediction)
    return mean_of(np.divide(2 * error, size, out=np.zeros_like(error), where=size > 0))


def _bias(truth: Floats, prediction: Floats) -> Statistic:
    return mean_of(prediction - truth)


def _covered(truth: Floats, prediction: Floats) -> Statistic:
    return mean_of((prediction >= truth).astype(float))


def _under(truth: Floats, prediction: Floats) -> Statistic:
    return mean_of((prediction < truth).astype(float))


_STATISTICS: dict[str, Callable[[Floats, Floats], Statistic]] = {
    "mean_absolute_error": _absolute,
    "root_mean_squared_error": _root_squared,
    "mean_squared_error": _squared,
    "median_absolute_error": _median,
    "mean_absolute_percentage_error": _percentage,
    "r2_score": _r2,
    "explained_variance_score": _explained,
    "max_error": _max,
    "mean_squared_log_error": _log_squared,
    "root_mean_squared_log_error": _root_log_squared,
    "wape": _wape,
    "smape": _smape,
    "bias": _bias,
    "service_level": _covered,
    "under_forecast_share": _under,
}
