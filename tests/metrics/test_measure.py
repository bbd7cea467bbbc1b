"""Estimates equal scikit-learn's, intervals are seeded and hold the estimate, and nothing raises for the rows' sake."""

from __future__ import annotations

import math
import subprocess
import sys
import warnings

import numpy as np
import pytest
import sklearn.metrics as sk
from hypothesis import given, settings
from hypothesis import strategies as st

from stellwerk.metrics import catalogue
from stellwerk.metrics.measure import measure, measure_mean, statistic_of
from stellwerk.metrics.resampling import interval, resamples_for
from stellwerk.metrics.scored import Scored, take

REGRESSION = {
    "mean_absolute_error": sk.mean_absolute_error,
    "root_mean_squared_error": sk.root_mean_squared_error,
    "mean_squared_error": sk.mean_squared_error,
    "median_absolute_error": sk.median_absolute_error,
    "mean_absolute_percentage_error": sk.mean_absolute_percentage_error,
    "r2_score": sk.r2_score,
    "explained_variance_score": sk.explained_variance_score,
    "max_error": sk.max_error,
    "mean_squared_log_error": sk.mean_squared_log_error,
    "root_mean_squared_log_error": sk.root_mean_squared_log_error,
}
BINARY = {
    "precision_score": sk.precision_score,
    "recall_score": sk.recall_score,
    "f1_score": sk.f1_score,
}
CLASSES = {
    "accuracy_score": sk.accuracy_score,
    "balanced_accuracy_score": sk.balanced_accuracy_score,
    "precision_macro": lambda *rows: sk.precision_score(*rows, average="macro", zero_division=0),
    "recall_macro": lambda *rows: sk.recall_score(*rows, average="macro", zero_division=0),
    "f1_macro": lambda *rows: sk.f1_score(*rows, average="macro", zero_division=0),
    "f1_weighted": lambda *rows: sk.f1_score(*rows, average="weighted", zero_division=0),
    "matthews_corrcoef": sk.matthews_corrcoef,
    "cohen_kappa_score": sk.cohen_kappa_score,
}
PROBABILITY = {
    "roc_auc_score": sk.roc_auc_score,
    "average_precision_score": sk.average_precision_score,
    "log_loss": sk.log_loss,
    "brier_score_loss": sk.brier_score_loss,
}
WEIGHTED = ["mean_absolute_error", "root_mean_squared_error", "r2_score", "explained_variance_score"]

AMOUNTS = st.integers(1, 10**6).map(lambda cents: cents / 100)
POSITIVES = st.lists(st.tuples(AMOUNTS, AMOUNTS), min_size=3, max_size=40)
LABELS = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc")), min_size=4, max_size=40)
SCORES = st.lists(st.tuples(st.booleans(), st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.9, 1.0])), min_size=4, max_size=40)


def numbers(rows: list[tuple[float, float]]) -> Scored:
    truth, prediction = np.array(rows).T
    return Scored(truth=truth, prediction=prediction, task="regression")


def classes(rows: list[tuple[str, str]], positive: str | None = None) -> Scored:
    truth, prediction = np.array(rows).T
    return Scored(truth=truth, prediction=prediction, task="classification", positive=positive)


def scores(rows: list[tuple[bool, float]]) -> Scored:
    truth = np.array([positive for positive, _ in rows])
    probability = np.array([score for _, score in rows])
    return Scored(
        truth=truth, prediction=probability >= 0.5, probability=probability, task="classification", positive=True
    )


def value(name: str, data: Scored) -> float | None:
    return measure(name, data, resamples=1).value


def every_name(task: str) -> list[str]:
    return [metric.name for metric in catalogue.METRICS if metric.task == task]


def test_every_metric_of_scikit_learn_is_compared_here():
    compared = {*REGRESSION, *BINARY, *CLASSES, *PROBABILITY}
    assert compared == {metric.name for metric in catalogue.METRICS if metric.scikit}


@pytest.mark.parametrize("name", REGRESSION)
@settings(max_examples=30)
@given(rows=POSITIVES)
def test_regression_equals_scikit_learn(name, rows):
    data = numbers(rows)
    found = value(name, data)
    if found is None:
        assert len(set(data.truth)) == 1
    else:
        assert found == pytest.approx(REGRESSION[name](data.truth, data.prediction), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("name", CLASSES)
@settings(max_examples=30)
@given(rows=LABELS)
def test_classes_equal_scikit_learn(name, rows):
    data = classes(rows)
    found = value(name, data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = CLASSES[name](data.truth, data.prediction)
    if found is None:
        assert len(set(data.truth)) == 1
    else:
        assert found == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("name", BINARY)
@settings(max_examples=30)
@given(rows=LABELS)
def test_one_class_against_the_rest_equals_scikit_learn(name, rows):
    data = classes(rows, positive="b")
    found = value(name, data)
    if found is None:
        assert "b" not in {*data.truth} & {*data.prediction}
    else:
        expected = BINARY[name](data.truth == "b", data.prediction == "b", zero_division=0)
        assert found == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("name", PROBABILITY)
@settings(max_examples=30)
@given(rows=SCORES)
def test_probabilities_equal_scikit_learn(name, rows):
    data = scores(rows)
    found = value(name, data)
    if len(set(data.truth)) == 1:
        return
    assert found == pytest.approx(PROBABILITY[name](data.truth, data.probability), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("name", [*WEIGHTED, "roc_auc_score", "average_precision_score", "f1_score"])
def test_a_resample_is_weights_as_scikit_learn_understands_them(name):
    draw = np.random.default_rng(0)
    counts = draw.integers(0, 4, size=60)
    if name in WEIGHTED:
        data = numbers(list(zip(draw.gamma(2, 3, 60), draw.gamma(2, 3, 60), strict=True)))
        expected = REGRESSION[name](data.truth, data.prediction, sample_weight=counts)
    else:
        data = scores(list(zip(draw.random(60) < 0.4, draw.random(60).round(1), strict=True)))
        said = data.prediction if name in BINARY else data.probability
        expected = {**BINARY, **PROBABILITY}[name](data.truth, said, sample_weight=counts)
    assert statistic_of(name, data)(counts[None].astype(float))[0] == pytest.approx(expected)


def test_the_weighted_median_is_the_median_of_the_repeated_rows():
    draw = np.random.default_rng(1)
    for _ in range(20):
        errors, counts = draw.integers(0, 9, size=12) / 2, draw.integers(0, 3, size=12)
        if counts.any():
            found = statistic_of("medae", numbers([(0.0, error) for error in errors]))(counts[None].astype(float))
            assert found[0] == np.median(np.repeat(errors, counts))


def test_business_metrics_are_what_they_say():
    data = numbers([(10, 12), (10, 9), (20, 20), (0, 4)])
    assert value("wape", data) == 7 / 40
    assert value("smape", data) == pytest.approx((4 / 22 + 2 / 19 + 0 + 2) / 4)
    assert value("bias", data) == 5 / 4
    assert value("service_level", data) == 3 / 4
    assert value("under_forecast_share", data) == 1 / 4
    ranked = scores([(True, 0.9), (True, 0.8), (False, 0.7), (True, 0.6)] + [(False, 0.1)] * 6)
    assert value("gini", ranked) == pytest.approx(2 * value("roc_auc", ranked) - 1)
    assert value("ks", ranked) == pytest.approx(1 - 1 / 7)
    assert value("lift_at_10", ranked) == pytest.approx(1 / 0.3)
    assert value("approval_rate", ranked) == 0.4
    assert value("specificity", ranked) == pytest.approx(6 / 7)
    assert value("false_positive_rate", ranked) == pytest.approx(1 / 7)
    assert value("false_negative_rate", ranked) == 0


@settings(max_examples=30)
@given(rows=POSITIVES, seed=st.integers(0, 99))
def test_the_order_of_rows_does_not_matter(rows, seed):
    shuffled = [rows[row] for row in np.random.default_rng(seed).permutation(len(rows))]
    for name in every_name("regression"):
        before, after = value(name, numbers(rows)), value(name, numbers(shuffled))
        assert (before is None) == (after is None)
        assert after == before or after == pytest.approx(before, rel=1e-6, abs=1e-9)


@settings(max_examples=30)
@given(rows=POSITIVES)
def test_the_truth_predicts_itself_perfectly(rows):
    perfect = numbers([(truth, truth) for truth, _ in rows])
    for name in every_name("regression"):
        metric = catalogue.get(name)
        if (found := value(name, perfect)) is not None:
            assert found == pytest.approx(1.0 if metric.higher_is_better else 0.0, abs=1e-9), name


def test_true_classes_and_probabilities_score_perfectly():
    truth = np.array([True, False, True, False])
    data = Scored(truth=truth, prediction=truth, probability=truth * 1.0, task="classification", positive=True)
    for name in every_name("classification"):
        metric = catalogue.get(name)
        if metric.worsening and name != "lift_at_10":
            assert value(name, data) == pytest.approx(1.0 if metric.higher_is_better else 0.0, abs=1e-9), name


@pytest.mark.parametrize("name", [metric.name for metric in catalogue.METRICS])
def test_the_interval_is_seeded_holds_the_estimate_and_narrows_with_rows(name):
    draw = np.random.default_rng(3)
    truth = draw.gamma(2, 20, size=600)
    labels = draw.random(600) < 0.4
    probability = (labels * 0.3 + draw.random(600)).clip(0, 1.2) / 1.2
    data = {
        "regression": Scored(truth=truth, prediction=truth + draw.normal(0, 9, size=600).clip(-truth / 2)),
        "classification": Scored(
            truth=labels, prediction=probability > 0.5, probability=probability, task="classification", positive=True
        ),
    }[catalogue.get(name).task]
    whole = measure(name, data, seed=5, resamples=300)
    assert whole == measure(name, data, seed=5, resamples=300)
    assert whole.low <= whole.value <= whole.high
    part = measure(name, take(data, np.arange(600) < 40), seed=5, resamples=300)
    if name != "max_error":
        assert whole.high - whole.low < part.high - part.low


def test_the_interval_of_a_mean_is_that_of_theory():
    values = np.random.default_rng(0).normal(10, 2, size=2000)
    found = measure_mean(values, seed=1)
    half = 1.96 * values.std() / math.sqrt(2000)
    assert found.low == pytest.approx(values.mean() - half, abs=half / 5)
    assert found.high == pytest.approx(values.mean() + half, abs=half / 5)


def test_more_confidence_is_a_wider_interval():
    values = np.random.default_rng(0).normal(size=200)
    narrow, wide = measure_mean(values, confidence=0.8), measure_mean(values, confidence=0.99)
    assert wide.low < narrow.low < narrow.high < wide.high


def test_resamples_get_fewer_above_twenty_thousand_rows():
    assert [resamples_for(rows, 1000) for rows in (10, 20_000, 40_000, 100_000, 10_000_000)] == [
        1000,
        1000,
        500,
        200,
        200,
    ]


def test_a_statistic_that_often_has_no_value_has_no_interval():
    rows = [(True, 0.9)] + [(False, 0.1)] * 30
    found = measure("recall", scores(rows))
    assert (found.value, found.low, found.high) == (1.0, None, None)
    assert interval(lambda weights: weights[:, 0], 1, confidence=0.95, seed=0) is None


@pytest.mark.parametrize(
    ("name", "data", "problem"),
    [
        ("nonsense", numbers([(1, 1)]), "no metric nonsense"),
        ("accuracy", numbers([(1, 1)]), "metric of classification"),
        ("mae", Scored(truth=np.array([]), prediction=np.array([])), "no rows"),
        ("mae", Scored(truth=np.array([1.0]), prediction=np.array([])), "0 predictions for 1 rows"),
        ("mae", numbers([(1, math.nan), (1, 1)]), "prediction is missing or infinite in 1 of 2 rows"),
        ("mae", numbers([(math.inf, 1)]), "truth is missing or infinite in 1 of 1 rows"),
        ("mae", Scored(truth=np.array([1.0]), prediction=np.array(["many"], dtype=object)), "not a number"),
        ("mape", numbers([(0, 1), (1, 1)]), "0 in 1 of 2 rows"),
        ("r2", numbers([(1, 1), (1, 2)]), "same in every row"),
        ("msle", numbers([(-2, 1), (1, 1)]), "above -1"),
        ("wape", numbers([(0, 1)]), "0 in every row"),
        ("roc_auc", classes([("a", "b"), ("b", "b")]), "no probability"),
        ("roc_auc", scores([(True, 0.1), (True, 0.2)]), "one class"),
        ("roc_auc", scores([(True, math.nan), (False, 0.2)]), "missing or infinite"),
        ("log_loss", scores([(True, 1.5), (False, 0.2)]), "outside 0..1"),
        ("balanced_accuracy", classes([("a", "b"), ("a", "a")]), "one class"),
        ("f1", classes([("a", "b"), ("c", "a")]), "declare `positive`"),
        ("precision", classes([("a", "b"), ("b", "b")], positive="z"), "declared positive class"),
        ("precision", classes([("a", "b"), ("b", "b")], positive="a"), "no row is predicted positive"),
        ("accuracy", Scored(truth=np.array(["a", None], dtype=object), prediction=np.array(["a", "a"]), task="classification"), "truth is missing in 1 of 2"),
    ],
)  # fmt: skip
def test_what_cannot_be_computed_has_a_problem_and_no_value(name, data, problem):
    found = measure(name, data)
    assert (found.value, found.low, found.high, found.n) == (None, None, None, len(data))
    assert problem in found.problem


@pytest.mark.parametrize(
    ("truth", "prediction", "positive"),
    [
        ([1, 0, 1], ["1", "0", "0"], "1"),
        ([1, 0, 1], [1.0, 0.0, 0.0], 1),
        ([True, False, True], ["True", "False", "False"], True),
        ([True, False, True], [1, 0, 0], "true"),
        ([1, 0, 1], [1, 0, 0], True),
        ([True, False, True], ["1", "0", "0"], True),
        (["yes", "no", "yes"], ["yes", "no", "no"], "yes"),
        (["yes", "no", "yes"], ["yes", "no", "no"], None),
    ],
)
def test_labels_are_the_same_however_they_are_written(truth, prediction, positive):
    data = Scored(
        truth=np.array(truth), prediction=np.array(prediction, dtype=object), task="classification", positive=positive
    )
    assert value("recall", data) == 0.5
    assert value("accuracy", data) == pytest.approx(2 / 3)


def test_an_interval_whose_resamples_all_fall_short_still_holds_the_estimate():
    def rows_seen(weights):
        return (weights > 0).mean(axis=1)

    low, high = interval(rows_seen, 200, confidence=0.95, seed=0)
    assert (low < 0.7, high) == (True, 1.0)


def test_measuring_does_not_pay_for_importing_scikit_learn():
    code = """
import sys, numpy as np
from stellwerk.metrics.measure import Scored, measure
rows = np.arange(9.0)
assert measure("mae", Scored(truth=rows, prediction=rows)).value == 0
both = Scored(truth=rows > 3, prediction=rows > 4, probability=rows / 9, task="classification", positive=True)
assert measure("roc_auc", both).value == 1
print("sklearn" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
