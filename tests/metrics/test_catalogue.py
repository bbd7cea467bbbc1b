"""The catalogue is complete, unambiguous and documented, and costs nothing to import."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import sklearn.metrics

from stellwerk.metrics import catalogue

DOCUMENT = Path(__file__).resolve().parents[2] / "docs/metrics.md"


def test_no_name_or_alias_means_two_metrics():
    assert len(catalogue.names()) == sum(1 + len(metric.aliases) for metric in catalogue.METRICS)


def test_an_alias_is_the_same_metric_as_its_name():
    assert catalogue.get("mae") is catalogue.get("mean_absolute_error")
    assert catalogue.known("rmse")
    assert not catalogue.known("rsme")


def test_what_claims_to_be_scikit_learns_is_there():
    scorers = sklearn.metrics.get_scorer_names()
    for metric in catalogue.METRICS:
        assert (hasattr(sklearn.metrics, metric.name) or metric.name in scorers) == metric.scikit, metric.name


def test_the_default_metrics_are_in_the_catalogue_under_their_own_names():
    for task in (catalogue.REGRESSION, catalogue.CLASSIFICATION):
        for name in catalogue.default_metrics(task):
            assert (catalogue.get(name).name, catalogue.get(name).task) == (name, task)


def test_the_documentation_shows_the_catalogue():
    assert catalogue.markdown_table() in DOCUMENT.read_text(encoding="utf-8"), (
        "docs/metrics.md: put the output of catalogue.markdown_table() in"
    )


def test_importing_the_catalogue_loads_nothing_slow():
    code = "import sys, stellwerk.metrics.catalogue; print(*sorted({'numpy', 'pandas', 'sklearn'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
