"""The metrics that thresholds may name. Imports nothing slow: `validate` and `plan` read it.

Names are scikit-learn's function names (its scorer names for averages over classes), followed by business metrics that
scikit-learn lacks. `metrics.measure` computes them. MASE is left out: it needs each row's own history, which a set of
scored rows does not have.
"""

from __future__ import annotations

from functools import cache

from msgspec import Struct

REGRESSION = "regression"
CLASSIFICATION = "classification"


class Metric(Struct, frozen=True, kw_only=True):
    """One metric. `needs` is what of a model's output it reads: its prediction, or the probability of `positive`.

    `worsening` says whether one direction is worse, so that `max_worsening` makes sense. `absolute`: the recorded
    value is signed, thresholds judge its distance from zero.
    """

    name: str
    task: str  # regression | classification
    higher_is_better: bool
    description: str
    aliases: tuple[str, ...] = ()
    needs: str = "prediction"  # prediction | probability
    worsening: bool = True
    absolute: bool = False
    scikit: bool = True  # scikit-learn has a function of this name, or a scorer


def _regression(name: str, description: str, *aliases: str, higher: bool = False, scikit: bool = True) -> Metric:
    return Metric(
        name=name,
        task=REGRESSION,
        higher_is_better=higher,
        description=description,
        aliases=aliases,
        scikit=scikit,
    )


def _classification(name: str, description: str, *aliases: str, higher: bool = True, scikit: bool = True) -> Metric:
    return Metric(
        name=name,
        task=CLASSIFICATION,
        higher_is_better=higher,
        description=description,
        aliases=aliases,
        scikit=scikit,
    )


def _probability(name: str, description: str, *aliases: str, higher: bool = True, scikit: bool = True) -> Metric:
    return Metric(
        name=name,
        task=CLASSIFICATION,
        higher_is_better=higher,
        description=description,
        aliases=aliases,
        needs="probability",
        scikit=scikit,
    )


METRICS: tuple[Metric, ...] = (
    _regression("mean_absolute_error", "mean of |prediction - truth|, in units of the target", "mae"),
    _regression("root_mean_squared_error", "square root of the mean squared error, in units of the target", "rmse"),
    _regression("mean_squared_error", "mean of the squared error", "mse"),
    _regression("median_absolute_error", "median of |prediction - truth|", "medae"),
    _regression(
        "mean_absolute_percentage_error",
        "mean of |error| / |truth| as a share (0.1 is 10 %); huge where a truth is 0: wape is steadier",
        "mape",
    ),
    _regression("r2_score", "share of the target's variance that is explained; 1 is perfect", "r2", higher=True),
    _regression(
        "explained_variance_score", "like r2, with the mean error taken out", "explained_variance", higher=True
    ),
    _regression("max_error", "largest |error|"),
    _regression("mean_squared_log_error", "mean squared error of log(1 + value); no negative values", "msle"),
    _regression(
        "root_mean_squared_log_error", "square root of the mean squared log error; no negative values", "rmsle"
    ),
    _regression(
        "wape", "sum of |error| over sum of |truth|, as a share", "weighted_absolute_percentage_error", scikit=False
    ),
    _regression(
        "smape",
        "mean of 2 |error| / (|truth| + |prediction|), 0..2; a row with both 0 counts 0",
        "symmetric_mean_absolute_percentage_error",
        scikit=False,
    ),
    Metric(
        name="bias",
        aliases=("mean_error",),
        task=REGRESSION,
        higher_is_better=False,
        description="mean of prediction - truth: above 0 the model forecasts too much; judged by its distance from 0",
        absolute=True,
        scikit=False,
    ),
    _regression(
        "service_level",
        "share of rows whose truth the prediction covers (prediction >= truth)",
        higher=True,
        scikit=False,
    ),
    _regression("under_forecast_share", "share of rows predicted below the truth", scikit=False),
    _classification("accuracy_score", "share of rows predicted right", "accuracy"),
    _classification("balanced_accuracy_score", "mean recall over the classes", "balanced_accuracy"),
    _classification("precision_score", "share of rows predicted positive that are positive", "precision"),
    _classification("recall_score", "share of positive rows predicted positive", "recall", "sensitivity"),
    _classification("f1_score", "harmonic mean of precision and recall of the positive class", "f1"),
    _classification("precision_macro", "precision, averaged over the classes"),
    _classification("recall_macro", "recall, averaged over the classes"),
    _classification("f1_macro", "f1, averaged over the classes"),
    _classification("f1_weighted", "f1, averaged over the classes by their rows"),
    _classification("matthews_corrcoef", "correlation of truth and prediction, -1..1", "mcc"),
    _classification("cohen_kappa_score", "agreement beyond chance; 1 is perfect", "kappa", "cohen_kappa"),
    _classification("specificity", "share of negative rows predicted negative", "true_negative_rate", scikit=False),
    _classification(
        "false_positive_rate", "share of negative rows predicted positive", "fpr", higher=False, scikit=False
    ),
    _classification(
        "false_negative_rate", "share of positive rows predicted negative", "fnr", higher=False, scikit=False
    ),
    Metric(
        name="approval_rate",
        aliases=("positive_rate", "selection_rate"),
        task=CLASSIFICATION,
        higher_is_better=True,
        description="share of rows predicted positive; neither direction is better, so it has no max_worsening",
        worsening=False,
        scikit=False,
    ),
    _probability(
        "roc_auc_score", "chance that a positive row scores above a negative one; 0.5 is guessing", "roc_auc", "auc"
    ),
    _probability("average_precision_score", "area under precision over recall", "average_precision"),
    _probability("log_loss", "mean negative log-likelihood of the truth", "logloss", higher=False),
    _probability("brier_score_loss", "mean squared error of the probability", "brier", higher=False),
    _probability("gini", "2 * roc_auc - 1; 0 is guessing, 1 is perfect", scikit=False),
    _probability(
        "ks", "largest distance of the two classes' score distributions, 0..1", "kolmogorov_smirnov", scikit=False
    ),
    _probability(
        "lift_at_10",
        "positive share in the tenth of rows scored highest, over the positive share of all rows",
        "lift",
        scikit=False,
    ),
)


@cache
def _by_name() -> dict[str, Metric]:
    return {name: metric for metric in METRICS for name in (metric.name, *metric.aliases)}


def known(name: str) -> bool:
    """Whether the catalogue has a metric of that name or alias."""
    return name in _by_name()


def get(name: str) -> Metric:
    """The metric of that name or alias; KeyError if there is none (ask `known` first)."""
    return _by_name()[name]


def names() -> tuple[str, ...]:
    """Every name and alias, sorted: what a hint of the nearest valid name is chosen from."""
    return tuple(sorted(_by_name()))


def default_metrics(task: str) -> tuple[str, ...]:
    """What training records where thresholds ask for nothing more. `needs` tells which want a probability."""
    if task == REGRESSION:
        return ("mean_absolute_error", "root_mean_squared_error", "r2_score", "wape", "bias")
    return ("accuracy_score", "balanced_accuracy_score", "f1_macro", "roc_auc_score", "log_loss")


def markdown_table() -> str:
    """The catalogue as the tables of `docs/metrics.md`."""
    lines: list[str] = []
    for task in (REGRESSION, CLASSIFICATION):
        lines += [f"### {task.capitalize()}", "", "| metric | also called | better | reads | what it is |"]
        lines.append("|---|---|---|---|---|")
        lines += [_row(metric) for metric in METRICS if metric.task == task]
        lines.append("")
    return "\n".join(lines)


def _row(metric: Metric) -> str:
    if metric.absolute:
        better = "nearer 0"
    elif not metric.worsening:
        better = "neither"
    else:
        better = "higher" if metric.higher_is_better else "lower"
    aliases = ", ".join(f"`{alias}`" for alias in metric.aliases)
    description = metric.description.replace("|", "\\|")
    return f"| `{metric.name}` | {aliases} | {better} | {metric.needs} | {description} |"
