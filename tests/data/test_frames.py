"""Rows are read as the very characters of the file, written whole, and bad files are refused with their row."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellwerk.data.frames import csv_bytes, read_rows, typed, write_rows
from stellwerk.errors import StellwerkError

VALUES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)


def read_text(path: Path, text: bytes, form: str = "csv") -> pd.DataFrame:
    file = path / f"rows.{form}"
    file.write_bytes(text)
    return read_rows(file, form)


def test_csv_values_stay_the_characters_of_the_file(tmp_path):
    text = b'id,share,note\n007,1.10,NA\n08,,"a, b"\n'
    frame = read_text(tmp_path, text)
    assert frame.to_dict("list") == {"id": ["007", "08"], "share": ["1.10", ""], "note": ["NA", "a, b"]}
    assert csv_bytes(frame) == text


@given(rows=st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=6))
def test_writing_and_reading_csv_gives_the_same_rows(rows, tmp_path_factory):
    file = tmp_path_factory.getbasetemp() / "round.csv"
    frame = pd.DataFrame(rows, columns=["a", "b"]).astype("str")
    write_rows(frame, file, "csv")
    assert read_rows(file, "csv").to_dict("list") == frame.to_dict("list")


@pytest.mark.parametrize("name", ["bike_hour.csv", "credit_g.csv"])
def test_real_data_survive_the_round_trip_and_are_typed_as_pandas_types_the_file(name, shared_data):
    file = shared_data(name)
    frame = read_rows(file, "csv")
    assert csv_bytes(frame) == file.read_bytes().replace(b"\r\n", b"\n")
    pd.testing.assert_frame_equal(typed(frame, "csv"), pd.read_csv(file))


def test_windows_line_ends_and_a_byte_order_mark_change_nothing(tmp_path):
    plain = read_text(tmp_path, b"a,b\n1,2\n")
    assert read_text(tmp_path, b"\xef\xbb\xbfa,b\r\n1,2\r\n").equals(plain)


def test_an_empty_value_alone_on_its_line_is_kept(tmp_path):
    write_rows(pd.DataFrame({"a": ["", "1"]}).astype("str"), tmp_path / "one.csv", "csv")
    assert read_rows(tmp_path / "one.csv", "csv")["a"].tolist() == ["", "1"]


@pytest.mark.parametrize(
    ("text", "message", "place"),
    [
        (b"", "empty", ""),
        (b"\n\n", "no header", ""),
        (b"2011-01-01,1\n2011-01-02,2\n", "no header", ":1"),
        (b"a,b,a\n1,2,3\n", "columns 1 and 3 have the same name", ":1"),
        (b"a,\n1,2\n", "column 2 has no name", ":1"),
        (b"a,b\n1,2\nsecret\n", r"row 2 \(line 3\) has 1 values, the header has 2", ":3"),
        (b"a,b\n1,2,3\n1,2\n3\n", r"row 1 \(line 2\) has 3 values, the header has 2; 2 rows", ":2"),
        (b"a,b\n1,2\n1,caf\xe9\n", "not UTF-8", ":3"),
        (b"a,b\n1,2\n1,\xc3", "not UTF-8", ":3"),
        (b"a,b\n1,\x00\n", "NUL", ":2"),
    ],
)
def test_bad_csv_is_refused_with_its_place_and_without_its_values(tmp_path, text, message, place):
    with pytest.raises(StellwerkError, match=message) as caught:
        read_text(tmp_path, text)
    assert caught.value.where.endswith(f"rows.csv{place}")
    assert caught.value.hint
    assert "secret" not in f"{caught.value} {caught.value.hint}"


def test_a_missing_file_is_an_error_with_its_path(tmp_path):
    with pytest.raises(StellwerkError, match="no such file"):
        read_rows(tmp_path / "none.csv", "csv")


def test_jsonl_and_parquet_keep_their_types(tmp_path):
    frame = pd.DataFrame({"n": [1, 2], "x": [0.1 + 0.2, np.nan], "b": [True, False], "s": ["é", "007"]})
    for form in ("jsonl", "parquet"):
        write_rows(frame, tmp_path / form, form)
        back = read_rows(tmp_path / form, form)
        pd.testing.assert_frame_equal(back, frame)
        assert typed(back, form) is back


@pytest.mark.parametrize(
    ("form", "text", "message"),
    [
        ("jsonl", b'{"a": 1}\n{"a": \n', "line 2 is not JSON"),
        ("jsonl", b'{"a": 1}\n[1]\n', "line 2 is not a JSON object"),
        ("jsonl", b"\n", "no rows"),
        ("parquet", b"a,b\n1,2\n", "not readable as Parquet"),
        ("xlsx", b"x", "unknown format"),
    ],
)
def test_bad_rows_of_other_formats_are_refused(tmp_path, form, text, message):
    with pytest.raises(StellwerkError, match=message):
        read_text(tmp_path, text, form)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    file = tmp_path / "rows.jsonl"
    write_rows(pd.DataFrame({"a": [1]}), file, "jsonl")
    with pytest.raises(TypeError):
        write_rows(pd.DataFrame({"a": [object()]}), file, "jsonl")
    assert json.loads(file.read_text()) == {"a": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["rows.jsonl"]
