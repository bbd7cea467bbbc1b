from types import SimpleNamespace

import pytest

from stellwerk.model.declared import Model, Threshold
from stellwerk.model.records import Measurement
from stellwerk.reconcile.train import _headline

METRICS = {name: Measurement(value=0.125, n=9) for name in ("wape", "r2_score", "bias", "median")}


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (("wape", "bias"), "bias 0.125, wape 0.125"),
        ((), "bias 0.125, median 0.125"),
        (("unknown",), "bias 0.125, median 0.125"),
    ],
)
def test_a_new_version_is_announced_with_the_metrics_that_thresholds_name_else_with_two(asked, words):
    model = Model(name="m", source="m.py", thresholds=tuple(Threshold(metric=name) for name in asked))
    assert _headline(model, SimpleNamespace(metrics=METRICS)) == words
