"""Thresholds refuse what is not proven: a bad estimate, a bad bound, too few rows, a metric without a value."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stellwerk.metrics.judge import Evaluated, judge
from stellwerk.metrics.scored import Scored
from stellwerk.model.declared import Threshold, Worsening

ROWS = 400
DRAW = np.random.default_rng(0)
TRUTH = DRAW.gamma(2, 20, size=ROWS)
NOISE = DRAW.normal(0, 5, size=ROWS)
FRAME = pd.DataFrame({"region": ["north"] * 300 + ["south"] * 95 + ["east"] * 3 + [None] * 2, "row": range(ROWS)})


def forecast(noise: float = 1.0, shift: float = 0.0, **more: object) -> Evaluated:
    return Evaluated(scored=Scored(truth=TRUTH, prediction=TRUTH + noise * NOISE + shift), **more)


def verdict(threshold, challenger, champion=None):
    (result,) = judge((threshold,), challenger, champion, frame=FRAME, seed=0, resamples=300)
    return result


def test_the_limit_is_said_in_words():
    result = verdict(Threshold(metric="mae", max=4.0, judge="bound"), forecast())
    assert (result.name, result.limit) == (
        "mean_absolute_error",
        "mean_absolute_error <= 4.0 (upper bound, 95 %)",
    )
    assert verdict(Threshold(metric="r2", min=0.9), forecast()).limit == "r2_score >= 0.9"


def test_limits_are_met_or_not():
    assert verdict(Threshold(metric="mae", max=5.0), forecast()).passed
    assert not verdict(Threshold(metric="mae", max=3.0), forecast()).passed
    assert verdict(Threshold(metric="r2", min=0.9), forecast()).passed
    assert not verdict(Threshold(metric="r2", min=0.999), forecast()).passed


def test_each_limit_of_a_threshold_is_a_result_of_its_own():
    threshold = Threshold(metric="mae", max=5.0, min=4.5, max_worsening=Worsening(value=0.1))
    results = judge((threshold,), forecast(), forecast(), frame=FRAME, seed=0, resamples=50)
    assert [result.passed for result in results] == [True, False, True]


def test_a_passing_estimate_whose_bound_fails_is_refused():
    measured = verdict(Threshold(metric="mae", max=100.0), forecast()).measured
    between = (measured.value + measured.high) / 2
    assert verdict(Threshold(metric="mae", max=between), forecast()).passed
    refused = verdict(Threshold(metric="mae", max=between, judge="bound"), forecast())
    assert not refused.passed
    assert refused.measured == measured


@settings(max_examples=40)
@given(limit=st.floats(0, 10), metric=st.sampled_from(["mae", "rmse", "bias", "max_error", "medae", "service_level"]))
def test_the_bound_is_never_laxer_than_the_estimate(limit, metric):
    for side in ({"max": limit}, {"min": limit}, {"max_worsening": Worsening(value=limit)}):
        strict = Threshold(metric=metric, judge="bound", **side)
        lax = Threshold(metric=metric, judge="estimate", **side)
        champion = forecast(noise=0.5)
        assert not verdict(strict, forecast(), champion).passed or verdict(lax, forecast(), champion).passed


@pytest.mark.parametrize("shift", [-30.0, 30.0])
def test_bias_is_judged_by_its_distance_from_zero(shift):
    result = verdict(Threshold(metric="bias", max=10), forecast(shift=shift))
    assert not result.passed
    assert result.limit == "|bias| <= 10.0"
    assert result.measured.value == pytest.approx(shift, abs=1)
    assert verdict(Threshold(metric="bias", max=40, judge="bound"), forecast(shift=shift)).passed
    worse = Threshold(metric="bias", max_worsening=Worsening(value=1.0))
    assert not verdict(worse, forecast(shift=shift), forecast(shift=-shift / 3)).passed
    assert verdict(worse, forecast(shift=shift / 3), forecast(shift=-shift)).passed


def test_a_bias_around_zero_has_the_lower_bound_zero():
    assert not verdict(Threshold(metric="bias", min=0.001, judge="bound", confidence=0.999), forecast()).passed


@pytest.mark.parametrize(
    ("allowed", "noise", "passed"),
    [
        (Worsening(value=0.5), 1.1, True),
        (Worsening(value=0.3), 1.1, False),
        (Worsening(value=0.11, relative=True), 1.1, True),
        (Worsening(value=0.09, relative=True), 1.1, False),
        (Worsening(value=0.0), 0.9, True),
        (Worsening(value=0.0), 1.0, True),
    ],
)
def test_worsening_is_against_the_champion_on_the_same_rows(allowed, noise, passed):
    result = verdict(Threshold(metric="mae", max_worsening=allowed), forecast(noise), forecast())
    assert result.passed == passed
    assert result.champion == verdict(Threshold(metric="mae", max=100), forecast()).measured


def test_the_bound_of_a_worsening_is_paired():
    """The interval of either version is wide, that of their difference on the same rows is not."""
    threshold = Threshold(metric="mae", max_worsening=Worsening(value=0.05), judge="bound")
    nearly = forecast(1.01)
    result = verdict(threshold, nearly, forecast())
    assert result.measured.high - result.measured.low > 0.4
    assert result.passed
    noisy = Evaluated(scored=Scored(truth=TRUTH, prediction=TRUTH + NOISE[::-1]))
    assert not verdict(threshold, noisy, forecast()).passed


def test_higher_is_better_worsens_downwards():
    threshold = Threshold(metric="r2", max_worsening=Worsening(value=0.0))
    assert verdict(threshold, forecast(0.9), forecast()).passed
    assert not verdict(threshold, forecast(1.1), forecast()).passed


def test_without_a_champion_nothing_worsens_and_the_result_says_so():
    result = verdict(Threshold(metric="mae", max_worsening=Worsening(value=0.0)), forecast())
    assert (result.passed, result.detail) == (True, "no champion to compare with")


def test_a_champion_without_a_value_is_no_permission():
    champion = Evaluated(scored=Scored(truth=TRUTH, prediction=np.full(ROWS, np.nan)))
    result = verdict(Threshold(metric="mae", max_worsening=Worsening(value=9.0)), forecast(), champion)
    assert not result.passed
    assert "champion" in result.detail


def test_too_few_rows_fail_with_words():
    result = verdict(Threshold(metric="mae", max=100, min_rows=500), forecast())
    assert (result.passed, result.detail) == (False, "400 rows, at least 500 are needed to judge")


def test_rows_that_the_champion_was_trained_on_explain_why_too_few_are_left():
    limit = Threshold(metric="mae", max=100, min_rows=500)
    (result,) = judge((limit,), forecast(), None, frame=FRAME, seed=0, excluded=130)
    assert not result.passed
    assert result.detail.startswith("400 rows, at least 500 are needed to judge (130 held-out rows were left out")


@pytest.mark.parametrize("metric", ["roc_auc", "accuracy", "nonsense", "own:metric", "mape"])
def test_a_metric_without_a_value_fails(metric):
    truth = np.zeros(ROWS)
    result = verdict(Threshold(metric=metric, max=1e9), Evaluated(scored=Scored(truth=truth, prediction=TRUTH)))
    assert not result.passed
    assert result.measured.value is None
    assert "cannot be computed: " in result.detail


def test_slices_are_judged_alone_and_small_ones_are_not_named():
    prediction = TRUTH + NOISE + np.where(FRAME["region"] == "south", 20, 0)
    threshold = Threshold(metric="mae", max=10.0, slices=("region",))
    challenger = Evaluated(scored=Scored(truth=TRUTH, prediction=prediction))
    results = judge((threshold,), challenger, None, frame=FRAME, seed=0, min_group=10, resamples=50)
    assert [(result.slice, result.passed) for result in results] == [
        (None, True),
        ("region=north", True),
        ("region=south", False),
        ("region=other", True),
    ]
    assert results[-1].detail == "not judged: fewer than 10 rows"
    assert results[-1].measured is None
    assert results[2].measured.n == 95


def test_an_absent_slice_column_fails():
    results = judge((Threshold(metric="mae", max=9, slices=("no",)),), forecast(), None, frame=FRAME, seed=0)
    assert [(result.slice, result.passed) for result in results] == [(None, True), ("no", False)]


def test_columns_of_decide_are_judged_by_their_mean():
    decisions = pd.DataFrame({"cost": TRUTH * 2})
    threshold = Threshold(metric="cost", max=TRUTH.mean() * 2 + 0.001, max_worsening=Worsening(value=0.0))
    rival = forecast(decisions=pd.DataFrame({"cost": TRUTH * 3}))
    limit, worsening = judge((threshold,), forecast(decisions=decisions), rival, frame=FRAME, seed=0)
    assert limit.measured.value == pytest.approx(TRUTH.mean() * 2)
    assert limit.measured.low is not None
    assert (limit.passed, worsening.passed) == (True, True)


def test_custom_metrics_are_asked_for_every_group_and_have_no_interval():
    asked = []

    def custom(name, mask):
        asked.append((name, int(mask.sum())))
        return (0.5, "") if mask.all() else (None, "it raised ValueError")

    threshold = Threshold(metric="own:cost", max=1.0, slices=("region",))
    results = judge((threshold,), forecast(custom=custom), None, frame=FRAME, seed=0)
    assert asked == [("own:cost", 400), ("own:cost", 300), ("own:cost", 95)]
    assert [result.passed for result in results] == [True, False, False, True]
    assert results[1].detail == "cannot be computed: it raised ValueError"
    assert not verdict(Threshold(metric="own:cost", max=1.0, judge="bound"), forecast(custom=custom)).passed


def test_approval_rate_has_no_worse_direction():
    labels = TRUTH > 30
    decided = Evaluated(scored=Scored(truth=labels, prediction=labels, task="classification", positive=True))
    result = verdict(Threshold(metric="approval_rate", max_worsening=Worsening(value=1.0)), decided, decided)
    assert not result.passed
    assert "neither direction" in result.detail


def test_the_same_seed_gives_the_same_results():
    thresholds = (Threshold(metric="mae", max=4.0, judge="bound", slices=("region",)), Threshold(metric="r2", min=0.5))
    once = judge(thresholds, forecast(), forecast(0.9), frame=FRAME, seed=7, resamples=50)
    assert once == judge(thresholds, forecast(), forecast(0.9), frame=FRAME, seed=7, resamples=50)
