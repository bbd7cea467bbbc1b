# Rendered by stellwerk from models/shoe-demand/demand.ipynb. Do not edit: change models/shoe-demand/demand.ipynb and run `stellwerk render`.
# stellwerk: sha256=7fb170df5b9318ac9925331c17032868bfb94d6ba23a2095a4a883b4cc175cfa
"""Tests of demand.ipynb"""

import sys
from pathlib import Path

import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from demand import predict, prepare, train


# cell test-days
def days(count: int, *, sandal: int = 30, boot: int = 10) -> pd.DataFrame:
    """Rows of two styles that sell the same number every day of a summer."""
    rows = [
        {"day": str(day.date()), "style": style, "season": "summer", "promotion": 0, "sold": sold}
        for day in pd.date_range("2025-06-01", periods=count)
        for style, sold in (("sandal", sandal), ("boot", boot))
    ]
    return prepare(pd.DataFrame(rows))


def test_what_never_changes_is_predicted_as_it_is() -> None:
    frame = days(28)
    expected = predict(train(frame, penalty=1e-6), frame)
    assert abs(expected - frame["sold"]).max() < 0.1


# cell test-unseen
def test_a_style_that_was_never_seen_gets_a_level_between_the_known_ones() -> None:
    expected = predict(train(days(28)), days(7).assign(style="clog"))
    assert (expected > 10).all()
    assert (expected < 30).all()


# cell test-negative
def test_no_prediction_is_negative() -> None:
    frame = days(28, sandal=0, boot=0)
    assert predict(train(frame), frame).min() >= 0


# cell test-order
def test_the_order_of_the_rows_does_not_matter() -> None:
    frame = days(28)
    shuffled = frame.sample(frac=1, random_state=1)
    apart = predict(train(frame), frame) - predict(train(shuffled), frame)
    assert abs(apart).max() < 1e-9
