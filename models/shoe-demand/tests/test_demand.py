"""Run with `python -m unittest discover models/shoe-demand/tests`; needs what the model needs, nothing else."""

from __future__ import annotations

import sys
import unittest
from pathlib import Path

import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import demand


def days(count: int, *, sandal: int = 30, boot: int = 10) -> pd.DataFrame:
    """Rows of two styles that sell the same number every day of a summer."""
    rows = [
        {"day": str(day.date()), "style": style, "season": "summer", "promotion": 0, "sold": sold}
        for day in pd.date_range("2025-06-01", periods=count)
        for style, sold in (("sandal", sandal), ("boot", boot))
    ]
    return demand.prepare(pd.DataFrame(rows))


class Demand(unittest.TestCase):
    def test_what_never_changes_is_predicted_as_it_is(self):
        frame = days(28)
        expected = demand.predict(demand.train(frame, penalty=1e-6), frame)
        self.assertLess(abs(expected - frame["sold"]).max(), 0.1)

    def test_a_style_that_was_never_seen_gets_a_level_between_the_known_ones(self):
        model = demand.train(days(28))
        unknown = days(7).assign(style="clog")
        expected = demand.predict(model, unknown)
        self.assertTrue((expected > 10).all())
        self.assertTrue((expected < 30).all())

    def test_no_prediction_is_negative(self):
        frame = days(28, sandal=0, boot=0)
        self.assertGreaterEqual(demand.predict(demand.train(frame), frame).min(), 0)

    def test_the_order_of_the_rows_does_not_matter(self):
        frame = days(28)
        shuffled = frame.sample(frac=1, random_state=1)
        one = demand.predict(demand.train(frame), frame)
        two = demand.predict(demand.train(shuffled), frame)
        self.assertLess(abs(one - two).max(), 1e-9)


if __name__ == "__main__":
    unittest.main()
