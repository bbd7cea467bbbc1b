"""Every broken rule of a declared column is a problem with row numbers and without values."""

from __future__ import annotations

import pandas as pd
import pytest

from stellwerk.data.columns import Problem, check_columns
from stellwerk.data.frames import read_rows
from stellwerk.model.declared import Column


def text(*values: str) -> pd.DataFrame:
    return pd.DataFrame({"c": values}).astype("str")


@pytest.mark.parametrize(
    ("column", "values", "rows"),
    [
        (Column(name="c", type="integer"), ["1", "-2", "1.5", "x", ""], (3, 4)),
        (Column(name="c", type="number"), ["1", "1e3", "x", "inf", "1_000"], (3, 4, 5)),
        (Column(name="c", type="boolean"), ["true", "False", "0", "yes"], (4,)),
        (Column(name="c", type="string"), ["a", "1"], ()),
        (Column(name="c", type="date"), ["2026-01-31", "2026-02-30", "31.01.2026"], (2, 3)),
        (Column(name="c", type="datetime"), ["2026-01-31T12:00:00Z", "2026-01-31", "noon"], (3,)),
        (Column(name="c", min=0, max=10), ["0", "10", "-1", "11"], (3, 4)),
        (Column(name="c", min="2026-01-01"), ["2026-01-01", "2025-12-31"], (2,)),
        (Column(name="c", max=5), ["5", "x"], (2,)),
        (Column(name="c", allowed=("a", 1)), ["a", "1", "1.0", "b"], (4,)),
        (Column(name="c", allowed=(True,)), ["true", "True", "false"], (3,)),
        (Column(name="c", pattern=r"[A-Z]\d"), ["A1", "A12", "xA1"], (2, 3)),
        (Column(name="c", unique=True), ["a", "b", "a", "", ""], (3,)),
        (Column(name="c", missing=0.5), ["a", "NA", ""], (2, 3)),
        (Column(name="c", missing=0.5), ["a", "NA"], ()),
    ],
)
def test_the_rows_that_break_a_rule_are_named(column, values, rows):
    problems = check_columns(text(*values), (column,))
    assert tuple(row for problem in problems for row in problem.rows) == rows
    for problem in problems:
        assert problem.count == len(problem.rows)


def test_ten_rows_are_shown_and_all_are_counted():
    (problem,) = check_columns(text(*["secret"] * 25), (Column(name="c", type="number"),))
    assert (problem.rows, problem.count) == (tuple(range(1, 11)), 25)
    assert problem.message.startswith("c is not a number in row 1 (line 2), row 2 (line 3)")
    assert problem.message.endswith("and 15 more")
    assert "secret" not in problem.message


def test_a_new_category_is_told_apart_from_slips():
    rows = text(*["new"] * 10, "slip")
    (problem,) = check_columns(rows, (Column(name="c", allowed=("old",)),), min_group=10)
    assert "new values that 10 rows or more hold: 1" in problem.message
    assert problem.count == 11


def test_missing_columns_are_each_named_once():
    problems = check_columns(text("1"), (Column(name="a"),), key=("a", "k"), time="t")
    assert [problem.column for problem in problems] == ["a", "k", "t"]
    assert problems[0] == Problem(column="a", rows=(), count=0, message="column a is missing from the file")


def test_a_key_must_be_complete_and_unique():
    frame = pd.DataFrame({"a": ["1", "1", "1", ""], "b": ["x", "y", "x", "z"]}).astype("str")
    problems = check_columns(frame, (), key=("a", "b"))
    assert [(problem.column, problem.rows) for problem in problems] == [("a, b", (4,)), ("a, b", (3,))]


def test_the_time_column_must_hold_times():
    (empty, wrong) = check_columns(text("2026-01-31", "", "soon"), (), time="c")
    assert (empty.rows, wrong.rows) == ((2,), (3,))


def test_typed_rows_are_judged_by_their_type():
    frame = pd.DataFrame({"n": [1.0, 2.0, None], "b": [True, False, True], "d": pd.to_datetime(["2026-01-31"] * 3)})
    good = (Column(name="n", type="integer"), Column(name="b", type="boolean"), Column(name="d", type="date"))
    assert check_columns(frame, good) == ()
    wrong = (Column(name="n", type="boolean"), Column(name="b", type="number"), Column(name="d", type="integer"))
    assert [problem.count for problem in check_columns(frame, wrong)] == [2, 3, 3]


def test_a_corrupt_row_in_real_data_is_found(shared_data):
    frame = read_rows(shared_data("credit_g.csv"), "csv")
    columns = (
        Column(name="age", type="integer", min=18, max=100),
        Column(name="class", type="string", allowed=("good", "bad"), missing=0.0),
        Column(name="credit_amount", type="number", min=0),
    )
    assert check_columns(frame, columns) == ()
    frame.loc[416, "credit_amount"] = "-5"
    (problem,) = check_columns(frame, columns)
    assert problem.rows == (417,)
    assert "row 417 (line 418)" in problem.message


@pytest.mark.parametrize("kind", ["string", "integer", "number", "boolean", "date", "datetime", None])
@pytest.mark.parametrize(
    "values",
    [
        [[1, 2], None],
        [1, "x"],
        pd.to_timedelta([1, 2], unit="s"),
        pd.period_range("2026-01", periods=2, freq="D"),
        pd.array([True, None], dtype="boolean"),
        pd.Categorical(["a", "b"]),
        pd.to_datetime(["2026-01-01", None]).tz_localize("Europe/Berlin"),
    ],
    ids=lambda values: str(getattr(values, "dtype", values)),
)
def test_values_of_any_kind_are_judged_without_an_error(kind, values):
    frame = pd.DataFrame({"c": values})
    rules = {"allowed": (1, "a", True), "pattern": "a", "unique": True, "missing": 0.0}
    numbers, dates = Column(name="c", type=kind, min=0, max=5, **rules), Column(name="c", min="2026-01-01")
    problems = check_columns(frame, (numbers, dates), key=("c",), time="c")
    assert all(problem.rows and problem.message.startswith("c ") for problem in problems)
    assert problems
