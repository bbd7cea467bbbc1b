"""Features that give the target away are suspected; honest ones are left alone."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from stellwerk.data.frames import read_rows, typed
from stellwerk.data.leaks import suspect_leaks

DRAW = np.random.default_rng(0)
HONEST = DRAW.normal(size=400)
AMOUNT = DRAW.gamma(2, 10, size=400)
PRICE, QUANTITY = DRAW.integers(1, 90, 400), DRAW.integers(1, 50, 400)
CHURNED = np.where(HONEST + DRAW.normal(size=400) > 0, "yes", "no")


def suspected(frame: dict[str, object], target: str, task: str) -> list[str]:
    rows = pd.DataFrame(frame)
    return [name for name, _ in suspect_leaks(rows, target, list(rows.columns), task=task)]


@pytest.mark.parametrize(
    ("leak", "expected"),
    [
        ({"copy": AMOUNT}, ["copy"]),
        ({"scaled": -3 * AMOUNT + 1}, ["scaled"]),
        ({"logged": np.log(AMOUNT)}, ["logged"]),
        ({"text": AMOUNT.round(-1).astype(int).astype(str)}, []),
        ({"part": PRICE * 1.0, "rest": AMOUNT - PRICE}, ["part", "rest"]),
        ({"related": AMOUNT + DRAW.normal(scale=8, size=400)}, []),
    ],
)
def test_what_reproduces_a_number_is_suspected(leak, expected):
    assert suspected({"honest": HONEST, **leak, "amount": AMOUNT}, "amount", "regression") == expected


def test_differences_and_products_are_suspected():
    target = {"revenue": PRICE * QUANTITY}
    assert suspected({"price": PRICE, "n": QUANTITY, **target}, "revenue", "regression") == ["price", "n"]
    rest = {"margin": PRICE - QUANTITY}
    assert suspected({"price": PRICE, "n": QUANTITY, **rest}, "margin", "regression") == ["price", "n"]


@pytest.mark.parametrize(
    ("leak", "expected"),
    [
        ({"reason": np.where(CHURNED == "yes", "moved", "stays")}, ["reason"]),
        ({"score": (CHURNED == "yes") + DRAW.uniform(0, 0.9, size=400)}, ["score"]),
        ({"id": [f"c{row}" for row in range(400)]}, []),
        ({"constant": [1] * 400}, []),
    ],
)
def test_what_gives_a_class_away_is_suspected(leak, expected):
    assert suspected({"honest": HONEST, **leak, "churned": CHURNED}, "churned", "classification") == expected


def test_a_few_rows_prove_nothing():
    assert suspected({"copy": [1, 2, 3], "y": [1, 2, 3]}, "y", "regression") == []


def test_the_parts_of_the_bike_count_are_suspected_and_nothing_else(shared_data):
    rows = typed(read_rows(shared_data("bike_hour.csv"), "csv"), "csv")
    found = suspect_leaks(rows, "cnt", [name for name in rows.columns if name != "cnt"], task="regression")
    assert [name for name, _ in found] == ["casual", "registered"]
    assert found[0][1] == "casual + registered is cnt in every row"


def test_the_honest_columns_of_credit_data_are_left_alone(shared_data):
    rows = typed(read_rows(shared_data("credit_g.csv"), "csv"), "csv")
    assert suspect_leaks(rows, "class", [name for name in rows.columns if name != "class"], task="classification") == ()


def test_values_of_any_kind_are_compared_without_an_error():
    rows = pd.DataFrame(
        {
            "nested": [{"a": row} for row in range(40)],
            "mixed": [1, "x"] * 20,
            "endless": [np.inf, 1.0] * 20,
            "category": pd.Categorical(["a", "b"] * 20),
            "optional": pd.array([1, None] * 20, dtype="Int64"),
            "flag": [True, False] * 20,
        }
    )
    for target in rows.columns:
        for task in ("regression", "classification"):
            found = suspect_leaks(rows, target, list(rows.columns), task=task)
            assert target not in dict(found)
    named = [name for name, _ in suspect_leaks(rows, "flag", ["category", "nested"], task="classification")]
    assert named == ["category"]
