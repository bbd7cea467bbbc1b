"""The line by which our texts are found again."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from stellwerk.adapters.forge.marker import Marker, below_marker, digest, read_marker, same_text

NAMES = st.text(min_size=1, max_size=60)
TEXTS = st.text(max_size=200)


@given(
    name=NAMES,
    asked=st.from_regex("[0-9a-f]{0,16}", fullmatch=True),
    number=st.integers(1, 99),
    over=st.booleans(),
    body=TEXTS,
)
def test_what_is_written_is_read(name, asked, number, over, body):
    marker = Marker(name=name, asked=asked, said=digest(body), round=number, over=over)
    text = marker.above(body)
    assert read_marker(text) == marker
    assert read_marker(text.replace("\r", "").replace("\n", "\r\n")) == marker, "a forge may change the ends of lines"
    assert below_marker(text) == body


@given(name=NAMES)
@example(name="a--b---c-->")
def test_nobody_sees_a_marker(name):
    line = str(Marker(name=name))
    assert line.startswith("<!-- ")
    assert line.endswith(" -->")
    assert "--" not in line[4:-3]
    assert line.isascii()
    assert len(line.splitlines()) == 1


@given(text=TEXTS)
def test_a_text_without_a_marker_is_not_ours(text):
    assert read_marker(text) is None
    assert read_marker(f"{text}x\n{Marker(name='drift').above('')}") is None
    assert below_marker(text) == text


def test_the_end_of_a_line_is_no_difference():
    assert same_text("a\r\nb\r\n", "a\nb")
    assert not same_text("a\n\nb", "a\nb")
