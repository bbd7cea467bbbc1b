import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellwerk.report.table import NARROWEST, table, table_width
from stellwerk.report.terminal import cells, clean, clean_lines, elide, wrap

text = st.text(max_size=40).map(clean)


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("plain", "plain"),
        ("Grüße 数据 👍", "Grüße 数据 👍"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\nb\r\tc", "a\\nb\\r\\tc"),
        ("safe\u202etxt.exe", "safe\\u202etxt.exe"),
        ("\ud800", "\\ud800"),
        ("line\u2028line", "line\\u2028line"),
    ],
)
def test_control_direction_and_surrogate_characters_are_shown_as_escapes(raw, shown):
    assert clean(raw) == shown


def test_line_ends_stay_where_several_lines_are_wanted():
    assert clean_lines("a\n\tb\x1b\n") == "a\n    b\\x1b"


@given(st.text(max_size=40), st.integers(0, 50))
def test_an_elided_text_never_takes_more_cells_than_given(raw, width):
    assert cells(elide(clean(raw), width)) <= width


def test_a_long_name_loses_its_middle_and_keeps_both_ends():
    assert elide("shoe-demand-by-style-and-day", 12) == "shoe-d…d-day"


def test_wide_characters_take_two_cells_and_combining_marks_none():
    assert cells("数据") == 4
    assert cells("e\u0301") == 1


@given(st.lists(st.text("abc ", min_size=1, max_size=30), max_size=5).map(" ".join), st.integers(20, 80))
def test_wrapping_keeps_every_word(line, width):
    assert " ".join(wrap(line, width=width)).split() == line.split()


@given(st.lists(st.tuples(text, text, text), min_size=1, max_size=5), st.integers(3 * NARROWEST + 4, 120))
def test_a_table_never_exceeds_a_width_in_which_every_column_has_its_least(rows, width):
    assert all(cells(line) <= width for line in table(rows, width=width))


@given(st.lists(st.tuples(text, text, text), min_size=1, max_size=5))
def test_a_table_of_its_own_width_loses_nothing(rows):
    lines = table(rows, width=table_width(rows))
    assert all(cell.strip() in line for row, line in zip(rows, lines, strict=True) for cell in row)


def test_columns_are_aligned_by_cells():
    assert table([("模型", "x"), ("ab", "y")], width=80) == ["模型  x", "ab    y"]
