"""A row's side depends on the row, the recipe and the seed, and on nothing else; the rows can be found again."""

from __future__ import annotations

import msgspec
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stellwerk.data.frames import read_rows, write_rows
from stellwerk.data.holdout import excluded_rows, find_holdout, row_ids, split
from stellwerk.errors import StellwerkError
from stellwerk.model.declared import Holdout

SEEDS = st.integers(0, 2**32)


def customers(count: int, first: int = 0) -> pd.DataFrame:
    numbers = range(first, first + count)
    frame = pd.DataFrame({"id": [f"c{n}" for n in numbers], "team": [f"t{n % 17}" for n in numbers], "x": numbers})
    return frame.astype("str")


def by_id(frame: pd.DataFrame, mask: np.ndarray) -> set[str]:
    return set(frame["id"][mask])


@settings(max_examples=40)
@given(seed=SEEDS, columns=st.permutations(["id", "team", "x"]))
def test_the_order_of_rows_and_columns_does_not_matter(seed, columns):
    frame = customers(80)
    rows = np.random.default_rng(seed).permutation(80)
    shuffled = frame.iloc[rows][columns].reset_index(drop=True)
    one = split(frame, Holdout(), seed=seed, identity=(), time=None)
    other = split(shuffled, Holdout(), seed=seed, identity=(), time=None)
    assert by_id(frame, one.held) == by_id(shuffled, other.held)
    assert one.record == other.record


@settings(max_examples=40)
@given(seed=SEEDS, more=st.integers(1, 60))
def test_added_rows_never_move_an_old_row_across(seed, more):
    old, new = customers(60), customers(60 + more)
    before = split(old, Holdout(), seed=seed, identity=("id",), time=None)
    after = split(new, Holdout(), seed=seed, identity=("id",), time=None)
    assert by_id(old, before.held) == by_id(new, after.held) & set(old["id"])


def test_other_columns_do_not_move_a_row_that_a_key_identifies():
    old = customers(60)
    new = old.assign(x="changed", extra="1")
    one = split(old, Holdout(), seed=3, identity=("id",), time=None)
    assert (split(new, Holdout(), seed=3, identity=("id",), time=None).held == one.held).all()
    assert (find_holdout(new, one.record) == one.held).all()


def test_the_share_is_about_the_fraction_and_the_seed_matters():
    frame = customers(5000)
    one = split(frame, Holdout(fraction=0.3), seed=0, identity=("id",), time=None)
    other = split(frame, Holdout(fraction=0.3), seed=1, identity=("id",), time=None)
    assert abs(one.held.mean() - 0.3) < 0.03
    assert (one.held != other.held).any()
    assert (one.train == ~one.held).all()
    assert (one.record.rows, one.record.train_rows) == (one.held.sum(), one.train.sum())


@given(seed=SEEDS)
def test_groups_stay_together(seed):
    frame = customers(100)
    parts = split(frame, Holdout(fraction=0.5, by=("team",)), seed=seed, identity=("id",), time=None)
    assert not set(frame["team"][parts.held]) & set(frame["team"][parts.train])


def days(*values: str) -> pd.DataFrame:
    return pd.DataFrame({"day": values, "id": [str(n) for n in range(len(values))]}).astype("str")


def test_by_time_ties_at_the_boundary_are_all_held_out():
    frame = days("2026-01-01", "2026-01-03", "2026-01-02", "2026-01-03", "2026-01-03")
    parts = split(frame, Holdout(fraction=None, last_share=0.2), seed=0, identity=("id",), time="day")
    assert parts.held.tolist() == [False, True, False, True, True]
    assert parts.record.boundary == "2026-01-03"
    assert (find_holdout(frame, parts.record) == parts.held).all()


def test_the_last_seconds_are_counted_back_from_the_newest_row():
    frame = days("2026-01-01T00:00:00Z", "2026-01-01T23:59:59Z", "2026-01-02T00:00:00Z", "2026-01-02T12:00:00Z")
    parts = split(frame, Holdout(fraction=None, last_seconds=43200), seed=0, identity=(), time="day")
    assert parts.held.tolist() == [False, False, False, True]
    assert parts.record.boundary == "2026-01-02T12:00:00Z"


@settings(max_examples=50)
@given(share=st.floats(0.05, 0.95), moments=st.lists(st.integers(0, 20), min_size=2, max_size=40))
def test_nothing_trained_on_is_later_than_anything_held_out(share, moments):
    frame = days(*(f"2026-01-{day + 1:02}" for day in moments))
    try:
        parts = split(frame, Holdout(fraction=None, last_share=share), seed=0, identity=("id",), time="day")
    except StellwerkError as error:
        assert "would be empty" in error.message  # noqa: PT017  (all rows of one side is the one reason)
        return
    assert frame["day"][parts.train].max() < frame["day"][parts.held].min()
    assert (find_holdout(frame, parts.record) == parts.held).all()


@pytest.mark.parametrize(
    ("holdout", "identity", "time", "message"),
    [
        (Holdout(), ("none",), None, "no column none"),
        (Holdout(by=("none",)), (), None, "no column none"),
        (Holdout(fraction=0.0), (), None, "holdout would be empty"),
        (Holdout(fraction=1.0), (), None, "training set would be empty"),
        (Holdout(fraction=None, last_share=0.2), (), None, "needs a time column"),
        (Holdout(fraction=None, last_share=0.2), (), "day", r"not a date or time in row 2 \(line 3\)"),
        (Holdout(fraction=None, last_share=0.2, by=("id",)), (), "day", "cannot keep groups"),
    ],
)
def test_impossible_splits_say_what_is_wrong(holdout, identity, time, message):
    with pytest.raises(StellwerkError, match=message) as caught:
        split(days("2026-01-01", "soon"), holdout, seed=0, identity=identity, time=time)
    assert "soon" not in str(caught.value)
    assert caught.value.hint


def test_other_rows_than_the_recorded_ones_are_refused():
    frame = customers(50)
    record = split(frame, Holdout(), seed=0, identity=(), time=None).record
    assert find_holdout(frame, record).sum() == record.rows
    held = find_holdout(frame, record).nonzero()[0][0]
    frame.loc[held, "x"] = "tampered"
    with pytest.raises(StellwerkError, match="not the recorded ones"):
        find_holdout(frame, record)
    with pytest.raises(StellwerkError, match="not the recorded ones"):
        find_holdout(customers(50), msgspec.structs.replace(record, seed=1))


@given(st.lists(st.tuples(st.text(max_size=3), st.text(max_size=3)), min_size=1, max_size=20, unique=True))
def test_different_rows_have_different_ids(rows):
    frame = pd.DataFrame(rows, columns=["a", "b"]).astype("str")
    assert len(set(row_ids(frame, ()))) == len(rows)


def test_written_and_read_again_the_ids_are_the_same(tmp_path):
    frame = customers(30)
    write_rows(frame, tmp_path / "again.csv", "csv")
    assert row_ids(read_rows(tmp_path / "again.csv", "csv"), ("id", "x")) == row_ids(frame, ("id", "x"))


def test_a_missing_value_elsewhere_does_not_change_the_ids_of_typed_rows():
    whole = pd.DataFrame({"n": [1, 2], "s": ["a", None], "b": [True, False]})
    holes = pd.DataFrame({"n": [1, 2, None], "s": ["a", None, "c"], "b": [True, False, True]})
    assert row_ids(holes, ())[:2] == row_ids(whole, ())
    text, number = pd.DataFrame({"n": ["1"]}), pd.DataFrame({"n": [1]})
    assert row_ids(text, ()) != row_ids(number, ())


def test_rows_that_any_compared_version_trained_on_are_excluded():
    ids = row_ids(customers(5), ("id",))
    assert excluded_rows(ids, [{ids[0]}, {ids[3], b"other"}]).tolist() == [True, False, False, True, False]
    assert not excluded_rows(ids, []).any()
