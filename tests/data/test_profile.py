"""A profile describes the training data and shows nothing that fewer than `min_group` rows hold."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from stellwerk.data.frames import read_rows, typed
from stellwerk.data.profile import profile

NUMBERS = st.lists(st.floats(-1e6, 1e6) | st.integers(-3, 3).map(float), min_size=1, max_size=80)


def counts_by_edges(values: np.ndarray, edges: list[float]) -> list[int]:
    return np.bincount(np.searchsorted(edges, values, side="left"), minlength=len(edges) + 1).tolist()


@given(values=NUMBERS, least=st.integers(1, 12), bins=st.integers(1, 20))
def test_no_bin_is_small_and_no_edge_is_anybodys_value(values, least, bins):
    shown = profile(pd.DataFrame({"x": values}), min_group=least, bins=bins)["columns"]["x"]
    assert not set(shown["edges"]) & set(values)
    assert all(count >= least for count in shown["counts"])
    if len(values) >= least:
        assert shown["counts"] == counts_by_edges(np.array(values), shown["edges"])
    else:
        assert (shown["edges"], shown["counts"]) == ([], [])


@given(values=st.lists(st.sampled_from("aaabbcd"), min_size=1, max_size=40), least=st.integers(1, 6))
def test_no_small_category_is_shown_or_can_be_worked_out(values, least):
    shown = profile(pd.DataFrame({"c": values}), min_group=least)["columns"]["c"]
    assert all(count >= least and values.count(value) == count for value, count in shown["counts"].items())
    assert shown["other"] is None or shown["other"] == 0 or shown["other"] >= least
    if shown["other"] is not None:
        assert sum(shown["counts"].values()) + shown["other"] == len(values)
    else:
        assert shown["counts"] == {}


@settings(max_examples=40)
@given(values=NUMBERS, seed=st.integers(0, 99))
def test_the_order_of_rows_does_not_matter(values, seed):
    frame = pd.DataFrame({"x": values, "c": [str(value) for value in values]})
    rows = np.random.default_rng(seed).permutation(len(values))
    assert json.dumps(profile(frame.iloc[rows], min_group=3)) == json.dumps(profile(frame, min_group=3))


def test_a_small_rest_takes_the_smallest_category_with_it():
    shown = profile(pd.DataFrame({"c": list("aaaabbbc")}), min_group=3)["columns"]["c"]
    assert (shown["counts"], shown["other"]) == ({"a": 4}, 4)


def test_every_kind_of_column_is_recognised():
    frame = pd.DataFrame(
        {
            "n": range(20),
            "b": [True, False] * 10,
            "d": [f"2026-{1 + row // 10:02}-15" for row in range(20)],
            "c": ["x", None] * 10,
            "e": [None] * 20,
        }
    )
    columns = profile(frame, min_group=5)["columns"]
    assert {name: column["kind"] for name, column in columns.items()} == {
        "b": "boolean",
        "c": "category",
        "d": "date",
        "e": "empty",
        "n": "number",
    }
    assert columns["d"] == {"kind": "date", "missing": 0, "first": "2026-01", "last": "2026-02"}
    assert columns["c"]["missing"] == 10
    assert columns["b"]["counts"] == {"false": 10, "true": 10}


def test_a_few_missing_values_are_not_counted_exactly():
    assert profile(pd.DataFrame({"x": [1.0] * 20 + [None]}), min_group=5)["columns"]["x"]["missing"] is None


def test_the_profile_of_real_data_is_json_and_keeps_small_groups_out(shared_data):
    frame = typed(read_rows(shared_data("credit_g.csv"), "csv"), "csv")
    shown = profile(frame, min_group=50)
    assert json.loads(json.dumps(shown)) == shown
    assert list(shown["columns"]) == sorted(frame.columns)
    assert "vacation" not in json.dumps(shown)
    assert shown["columns"]["foreign_worker"] == {"kind": "category", "missing": 0, "counts": {}, "other": 1000}
