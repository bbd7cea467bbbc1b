"""The difference of an edited file is exact, small, and of the file that lies there against the one to be rendered."""

from hypothesis import given
from hypothesis import strategies as st

from stellwerk.planning.drift import LINES, WIDTH, difference

texts = st.lists(st.text(max_size=300), max_size=60).map("\n".join)


def test_what_lies_here_is_removed_and_what_is_rendered_added():
    assert difference("models/a/dvc.yaml", "a\nmine\nc\n", "a\nb\nc\n").splitlines() == [
        "--- models/a/dvc.yaml as it lies here",
        "+++ models/a/dvc.yaml as rendered",
        "@@ -1,3 +1,3 @@",
        " a",
        "-mine",
        "+b",
        " c",
    ]


@given(texts, texts)
def test_it_is_empty_for_equal_texts_and_never_long(present, wanted):
    said = difference("x", present, wanted)
    assert (said == "") == (present.splitlines() == wanted.splitlines())
    assert len(said) <= (LINES + 1) * (WIDTH + 20)


def test_what_is_left_out_is_counted():
    said = difference("x", "", "\n".join(map(str, range(500))))
    assert said.splitlines()[-1] == f"… and {503 - LINES} more lines"
