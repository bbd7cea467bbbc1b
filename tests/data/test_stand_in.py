"""Made-up rows keep what is declared, follow a profile, and are the same wherever they are made."""

from __future__ import annotations

import hashlib
import re
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from stellwerk.data.columns import check_columns, passing
from stellwerk.data.frames import csv_bytes, read_rows, write_rows
from stellwerk.data.pattern import texts_of
from stellwerk.data.profile import profile
from stellwerk.data.stand_in import Wanted, make_rows
from stellwerk.errors import StellwerkError
from stellwerk.model.declared import Column

GOLDEN = "dacd0189ce0e092a727b11955a8c38137747b9f2da1c63b741cf5e19b05cf3d2"
PATTERNS = (
    *("[A-Z]{3}-[0-9]{4}", r"\d{2}:\d{2}", "(ab|cd|e{2,4})x?", "[^a-y]+", r"\w*\.txt", "a.c", "^x$", r"\$[1-9]\d{0,2}"),
    *("[äöü]{2}", "(?:A|B)(1|2)", r"[\]\-x]{3}", ""),
)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_every_text_of_a_pattern_matches_it(pattern):
    texts = texts_of(pattern)
    numbers = {*range(min(texts.size, 300)), texts.size - 1, texts.size // 2, texts.size // 3}
    made = [texts.nth(number) for number in numbers]
    assert [text for text in made if not re.fullmatch(pattern, text)] == []
    assert len(set(made)) == len(numbers)


@pytest.mark.parametrize(
    "pattern", ["(?=a)b", r"(a)\1", r"\bword", "a(b", "a)b", "[a", "a{3}{2}", "a+?", "(?i)a", "[z-a]", "a$b", "a{900}"]
)
def test_a_pattern_that_is_not_understood_is_named_with_what_to_declare(pattern):
    with pytest.raises(StellwerkError, match="no values can be made up") as caught:
        texts_of(pattern, "datasets.sales")
    assert "allowed" in caught.value.hint
    assert caught.value.where == "datasets.sales"


def bounds(values):
    return st.lists(values, min_size=2, max_size=2).map(sorted)


@st.composite
def columns(draw, name):
    """A column that a person could declare: its parts do not contradict each other."""
    kind = draw(st.sampled_from([None, "string", "integer", "number", "boolean", "date", "datetime"]))
    said = {"name": name, "type": kind, "missing": draw(st.sampled_from([None, 0.0, 0.013, 0.5, 1.0]))}
    ranges = {
        "integer": bounds(st.integers(-(10**12), 10**12)),
        "number": bounds(st.floats(-1e15, 1e15, allow_subnormal=False) | st.integers(-9, 9)),
        "date": bounds(st.dates(pd.Timestamp("1900-01-01").date(), pd.Timestamp("2200-01-01").date()).map(str)),
        "datetime": bounds(
            st.datetimes(pd.Timestamp("1900-01-01"), pd.Timestamp("2200-01-01")).map(lambda moment: moment.isoformat())
        ),
    }
    ranges[None] = ranges["string"] = ranges["integer"] | ranges["date"]
    lists = {
        "integer": st.lists(st.integers(-5, 5), min_size=1, max_size=4),
        "number": st.lists(st.sampled_from([0.5, 1, 2.25, -3]), min_size=1, max_size=4),
        "boolean": st.just([True]) | st.just([True, False]),
        "date": st.just(["2024-02-29", "2026-01-31"]),
        "datetime": st.just(["2024-02-29T12:00:00"]),
        "string": st.lists(
            st.sampled_from(["a", 'b"', "c,d", "1", "größe", "NA"]), min_size=2, max_size=5, unique=True
        ),
    }
    lists[None] = lists["string"] | lists["integer"] | lists["boolean"]
    more = draw(st.sampled_from(["nothing", "limits", "allowed", "pattern"]))
    if more == "limits" and kind in ranges:
        low, high = draw(ranges[kind])
        said |= draw(st.sampled_from([{"min": low}, {"max": high}, {"min": low, "max": high}]))
    elif more == "allowed":
        said["allowed"] = tuple(draw(lists[kind]))
    elif more == "pattern" and kind in {None, "string"}:
        said["pattern"] = draw(st.sampled_from([pattern for pattern in PATTERNS if pattern]))
    return Column(**said)


@st.composite
def wishes(draw):
    named = tuple(draw(columns(name)) for name in ("a", "b", "c")[: draw(st.integers(1, 3))])
    extra = {}
    if draw(st.booleans()):
        named += (Column(name="id", type=draw(st.sampled_from(["string", "integer", "number", "date"])), unique=True),)
    if draw(st.booleans()):
        extra["time"] = "at"
    if draw(st.booleans()):
        extra["key"] = ("k", "l") if draw(st.booleans()) else ("k",)
    if draw(st.booleans()):
        extra["personal"] = (draw(st.sampled_from(["a", "name"])),)
    return Wanted(
        columns=named,
        rows=draw(st.sampled_from([1, 2, 17, 60])),
        seed=draw(st.integers(0, 3)),
        data_format=draw(st.sampled_from(["csv", "parquet", "jsonl"])),
        **extra,
    )


@settings(max_examples=80)
@given(wanted=wishes())
def test_whatever_is_declared_the_file_passes_the_check_of_a_snapshot(wanted):
    made = make_rows(wanted)
    assert len(made.frame) == wanted.rows
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rows"
        write_rows(made.frame, file, wanted.data_format)
        rows = read_rows(file, wanted.data_format)
    assert check_columns(rows, wanted.columns, key=wanted.key, time=wanted.time) == ()
    if wanted.time:
        assert pd.to_datetime(rows[wanted.time], format="ISO8601", utc=True).is_monotonic_increasing
    pd.testing.assert_frame_equal(make_rows(wanted).frame, made.frame)


def people(rows):
    """Real rows: some groups are small, and every name is somebody's."""
    random = np.random.default_rng(5)
    return pd.DataFrame(
        {
            "name": [f"Person {number}" for number in range(rows)],
            "age": random.integers(18, 95, rows),
            "income": random.lognormal(10, 1, rows).round(2),
            "city": random.choice(["Bern", "Genf", "Zug", "Hamlet"], rows, p=[0.6, 0.3, 0.097, 0.003]),
            "since": pd.Timestamp("2023-01-01") + pd.to_timedelta(random.integers(0, 700, rows), unit="D"),
            "member": random.random(rows) < 0.2,
            "score": np.where(random.random(rows) < 0.25, np.nan, random.normal(0, 1, rows)),
        }
    )


PEOPLE = (
    Column(name="age", type="integer", min=18, max=120),
    Column(name="income", type="number", min=0),
    Column(name="city", type="string"),
    Column(name="since", type="date"),
    Column(name="member", type="boolean"),
    Column(name="score", type="number", missing=0.5),
)


@pytest.fixture(scope="module")
def follow():
    real = people(2000)
    made = make_rows(
        Wanted(
            columns=PEOPLE, rows=4000, personal=("name",), profile=profile(real, min_group=10), data_format="parquet"
        )
    )
    return real, made


def test_marginals_follow_the_profile_of_the_real_rows(follow):
    real, made = follow
    shares = [frame["city"].value_counts(normalize=True) for frame in (real, made.frame)]
    for city in ("Bern", "Genf"):
        assert abs(shares[0][city] - shares[1][city]) < 0.03
    assert abs(real["member"].mean() - made.frame["member"].mean()) < 0.03
    assert abs(real["score"].isna().mean() - made.frame["score"].isna().mean()) < 0.03
    for share in (0.1, 0.5, 0.9):
        assert abs((made.frame["income"] < real["income"].quantile(share)).mean() - share) < 0.05
        assert abs((made.frame["age"] < real["age"].quantile(share)).mean() - share) < 0.07
    assert made.frame["since"].between("2022-12-31", "2025-01-01").all()


def test_no_row_and_nobodys_name_or_rare_city_is_copied(follow):
    real, made = follow
    assert made.space > 10**12
    assert not set(made.frame["name"]) & set(real["name"])
    assert "Hamlet" not in set(made.frame["city"])
    columns = ["age", "income", "city", "since", "member", "score"]
    both = [{tuple(map(str, row)) for row in frame[columns].itertuples(index=False)} for frame in (real, made.frame)]
    assert not both[0] & both[1]


@settings(max_examples=30)
@given(real=wishes(), seed=st.integers(4, 9))
def test_rows_that_were_made_of_the_same_declarations_are_not_met_again_where_there_is_room(real, seed):
    """The real rows of the law are drawn from the very same declarations, the worst case."""
    first = make_rows(real)
    second = make_rows(replace(real, seed=seed))
    if first.space < 10**12 or any(column.missing for column in real.columns):
        return  # small: a row may be met by chance; the command says so
    rows = [{tuple(map(str, row)) for row in frame.itertuples(index=False)} for frame in (first.frame, second.frame)]
    assert not rows[0] & rows[1]


def test_a_profile_never_widens_what_is_declared():
    real = pd.DataFrame({"age": range(200), "city": ["Bern", "Zug"] * 100})
    declared = (
        Column(name="age", type="integer", min=150),
        Column(name="city", type="string", allowed=("Bern", "Lahr")),
    )
    made = make_rows(Wanted(columns=declared, rows=300, profile=profile(real, min_group=5), data_format="parquet"))
    assert made.frame["age"].between(150, 219).all()
    assert (made.frame["city"] == "Bern").mean() > 0.9


def test_codes_that_a_profile_counts_as_numbers_keep_their_shares():
    real = pd.DataFrame({"churned": [0] * 900 + [1] * 100})
    column = Column(name="churned", type="integer", allowed=(0, 1))
    made = make_rows(Wanted(columns=(column,), rows=2000, profile=profile(real, min_group=10)))
    assert 0.07 < (made.frame["churned"] == "1").mean() < 0.13


def test_columns_that_are_only_named_get_values_that_are_plainly_made_up():
    made = make_rows(Wanted(columns=(), rows=30, also=("churned",), personal=("name",), key=("customer",)))
    assert made.frame.map(lambda value: value.startswith("made-up-")).to_numpy().all()
    assert made.frame["customer"].is_unique


def test_nearly_every_possible_key_can_be_asked_for_and_not_one_more():
    wanted = {"columns": (Column(name="s", allowed=tuple("abcde")), Column(name="d", type="integer", min=1, max=20))}
    made = make_rows(Wanted(**wanted, rows=100, key=("s", "d")))
    assert not made.frame.duplicated(["s", "d"]).any()
    with pytest.raises(StellwerkError, match="101 rows need as many keys") as caught:
        make_rows(Wanted(**wanted, rows=101, key=("s", "d")))
    assert "--rows" in caught.value.hint


@pytest.mark.parametrize(
    ("column", "said"),
    [
        (Column(name="a", type="integer", min=3, max=2), "no value fits"),
        (Column(name="a", type="integer", allowed=("x",)), "no value fits"),
        (Column(name="a", type="integer", min="2024-01-01"), "limits are times"),
        (Column(name="a", type="date", min=3), "not an ISO 8601"),
        (Column(name="a", type="integer", pattern="[a-z]+"), "no value fits"),
        (Column(name="a", unique=True, allowed=("x", "y")), "3 different values"),
        (Column(name="a", allowed=("NA",)), "no value fits"),
        (Column(name="a", pattern="(?=a)"), "no values can be made up"),
    ],
)
def test_a_contradiction_is_an_error_that_names_the_column(column, said):
    with pytest.raises(StellwerkError, match=said) as caught:
        make_rows(Wanted(columns=(column,), rows=3, where="datasets.sales"))
    assert caught.value.where == "datasets.sales"
    assert caught.value.hint


def test_a_dataset_of_which_nothing_is_declared_says_what_to_declare():
    with pytest.raises(StellwerkError, match="nothing is declared") as caught:
        make_rows(Wanted(columns=(), rows=3))
    assert "columns:" in caught.value.hint


def test_a_column_added_changes_no_other():
    one = make_rows(Wanted(columns=PEOPLE[:2], rows=50)).frame
    two = make_rows(Wanted(columns=PEOPLE[:3], rows=50)).frame
    pd.testing.assert_frame_equal(one, two[list(one.columns)])


def test_the_bytes_are_those_of_every_release_of_python_and_numpy():
    """Golden: numpy promises the raw stream of PCG64, and nothing else of its random numbers is used."""
    wanted = Wanted(
        columns=(
            *PEOPLE,
            Column(name="code", pattern="[A-Z]{2}[0-9]{3}", unique=True),
            Column(name="at", type="datetime", min="2025-01-01"),
        ),
        rows=200,
        seed=7,
        key=("code", "since"),
        time="at",
        personal=("name",),
    )
    assert hashlib.sha256(csv_bytes(make_rows(wanted).frame)).hexdigest() == GOLDEN
    other = make_rows(Wanted(columns=wanted.columns, rows=200, seed=8, key=wanted.key)).frame
    assert not other.equals(make_rows(Wanted(columns=wanted.columns, rows=200, seed=7, key=wanted.key)).frame)


@pytest.mark.parametrize(
    ("column", "values", "fits"),
    [
        (Column(name="a", type="integer", min=2), ["1", "2", "x"], [False, True, False]),
        (Column(name="a", max="2024-06-30"), ["2024-07-01", "2024-06-30", "?"], [False, True, False]),
        (Column(name="a", allowed=("x", 1)), ["x", "1.0", "y"], [True, True, False]),
        (Column(name="a", pattern="[a-c]"), ["a", "d", "aa"], [True, False, False]),
    ],
)
def test_values_that_pass_are_those_the_check_finds_no_fault_with(column, values, fits):
    series = pd.Series(values, dtype="str")
    assert passing(series, column).tolist() == fits
    (problem, *_) = check_columns(pd.DataFrame({"a": series}), (column,))
    assert {*problem.rows} <= {position + 1 for position, fit in enumerate(fits) if not fit}
