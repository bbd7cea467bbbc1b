"""What failing code said of confidential rows does not reach git; its kind and its place do."""

from __future__ import annotations

import pytest
from projects import SMALL, build

from stellwerk.model.declared import Dataset, Project
from stellwerk.reconcile.discretion import LEFT_OUT, discreet, quotes, sensitive

RAISES = 'def train(frame, **params):\n    raise ValueError(f"cannot use {frame.iloc[0, 0]} of Jane Roe")\n'


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("ValueError: cannot use Jane Roe (demand.py:2 in train)", "ValueError (demand.py:2 in train)"),
        ("Jane Roe earns 12\nKeyError: 'Jane Roe'", "KeyError"),
        ('Traceback (most recent call last):\n  File "demand.py", line 2, in train', '  File "demand.py", line 2'),
        ("pandas.errors.ParserError: row Jane Roe", "pandas.errors.ParserError"),
        ("Jane RoeError", ""),
    ],
)
def test_the_kind_and_the_place_of_an_error_stay_and_its_words_go(text, kept):
    shown = discreet(text)
    assert kept in shown
    assert shown.endswith(LEFT_OUT)
    assert "Jane" not in shown


def test_stellwerks_own_words_are_told_from_what_code_printed():
    assert not quotes("the champion was trained on all 9 held-out rows: there is nothing to compare on")
    assert quotes("prediction exited with 1: Jane Roe")
    assert quotes("it failed | Jane Roe")


@pytest.mark.parametrize(
    ("dataset", "expected"),
    [
        ({}, False),
        ({"classification": "public"}, False),
        ({"classification": "secret"}, True),
        ({"personal": ("name",)}, True),
    ],
)
def test_data_are_sensitive_above_the_lowest_classification_or_with_personal_columns(dataset, expected):
    project = Project(classifications=("public", "secret"))
    assert sensitive(project, Dataset(name="d", path="d.csv", **dataset)) is expected


@pytest.mark.parametrize("personal", [True, False])
def test_the_incident_of_a_failed_training_quotes_no_row_of_personal_data(repo, personal):
    from projects import Project as Repository

    files = dict(SMALL)
    name = next(path for path in files if path.endswith(".py"))
    files[name] = RAISES
    if personal:
        declared = files["mlops.yaml"]
        assert "data/sales.csv" in declared
        files["mlops.yaml"] = declared.replace("path: data/sales.csv", "path: data/sales.csv, personal: [sold]", 1)
    project = build(Repository(repo), files)
    outcome = project.reconcile()
    failed = next(done for done in outcome.done if not done.passed)
    assert "Jane Roe" in failed.detail
    recorded = project.repo.git("show", "HEAD")
    assert "training-failed" in recorded
    assert "ValueError" in recorded
    assert ("Jane Roe" in recorded) is not personal
