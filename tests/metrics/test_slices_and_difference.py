"""Groups cover every row once and name no small group; a version differs from itself by nothing."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellwerk.metrics.difference import prediction_difference
from stellwerk.metrics.slices import slices

VALUES = st.lists(st.sampled_from(["a", "b", "c", "other", None]), min_size=1, max_size=60)


@given(values=VALUES, least=st.integers(1, 12))
def test_slices_cover_every_row_once_and_name_no_small_group(values, least):
    found = list(slices(pd.Series(values, name="c", dtype=object), least))
    assert np.sum([mask for _, mask in found], axis=0).tolist() == [1] * len(values)
    assert len({label for label, _ in found}) == len(found)
    for label, mask in found:
        held = {value for value, member in zip(values, mask, strict=True) if member}
        if mask.sum() < least or len(held) > 1:
            assert label in {"c=other", "c=(other)"}


def test_labels_read_as_people_write_the_values():
    numbers = pd.Series([1.0, 1.0, 2.0, None], name="n")
    assert [label for label, _ in slices(numbers, 1)] == ["n=(missing)", "n=1", "n=2"]
    assert [label for label, _ in slices(pd.Series([True, False], name="b"), 1)] == ["b=false", "b=true"]


@given(st.lists(st.floats(-1e6, 1e6), min_size=10, max_size=40))
def test_a_version_differs_from_itself_by_nothing(values):
    found = prediction_difference(np.array(values), np.array(values), task="regression")
    assert found == {"rows": len(values), "changed": 0.0, "mean_absolute": 0.0, "p95": 0.0}


def test_differences_are_counted():
    old, new = np.zeros(100), np.append(np.full(10, 2.0), np.zeros(90))
    assert prediction_difference(old, new, task="regression") == {
        "rows": 100,
        "changed": 0.1,
        "mean_absolute": pytest.approx(0.2),
        "p95": 2.0,
    }
    classes = prediction_difference(np.array(["a"] * 20), np.array(["a"] * 15 + ["b"] * 5), task="classification")
    assert classes == {"rows": 20, "changed": 0.25}


def test_few_rows_show_only_how_many_they_are():
    found = prediction_difference(np.zeros(3), np.ones(3), task="regression", min_group=10)
    assert found == {
        "rows": 3,
        "changed": None,
        "mean_absolute": None,
        "p95": None,
        "problem": "fewer than 10 rows",
    }


def test_missing_predictions_are_a_problem_not_an_exception():
    found = prediction_difference(np.zeros(20), np.full(20, np.nan), task="regression")
    assert found["problem"] == "the new prediction is missing or infinite in 20 of 20 rows"
