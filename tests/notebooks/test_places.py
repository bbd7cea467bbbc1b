"""A line of a cell is found in the file it is written in."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from stellwerk.notebooks.places import line_of, source_lines

LINES = st.lists(st.text('ab"\\{}[],:é \t', max_size=8), min_size=1, max_size=4)


@given(st.lists(LINES, min_size=1, max_size=5), st.sampled_from([None, 1, 4]))
def test_each_line_is_found_where_it_stands(cells, indent):
    # Each line says who it is, so that it is found by searching the file.
    marked = [[f"<{number}:{row}>{text}" for row, text in enumerate(lines, 1)] for number, lines in enumerate(cells, 1)]
    document = {
        "metadata": {"source": ["no", "source"], "cells": [1, {"source": "x"}]},
        "cells": [
            {
                "outputs": [{"data": {"source": ["in", "an output"], "n": [1.5, None, True, -2e3]}}],
                "source": [line + "\n" for line in lines[:-1]] + lines[-1:],
            }
            for lines in marked
        ],
    }
    text = json.dumps(document, indent=indent)
    found, written = source_lines(text), text.split("\n")
    for number, lines in enumerate(marked, 1):
        for row in range(1, len(lines) + 1):
            assert f"<{number}:{row}>" in written[line_of(found, number, row) - 1]


def test_a_source_that_is_one_text_stands_on_one_line():
    text = json.dumps({"cells": [{"source": "a = 1\nb = 2"}, {"source": []}]}, indent=1)
    found = source_lines(text)
    assert line_of(found, 1, 1) == line_of(found, 1, 2) == 4
    assert line_of(found, 2, 1) == 1
    assert line_of(found, 0, 1) == 1


def test_a_cell_without_a_source_that_is_text_is_where_it_begins():
    text = json.dumps({"cells": [{"source": 3}, {}, {"source": [1, "a"]}, {"source": None}]}, indent=1)
    found = source_lines(text)
    assert [line_of(found, number, 1) for number in (1, 2, 3, 4)] == [4, 6, 9, 14]
