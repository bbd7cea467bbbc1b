"""The quick way to the normal form of code gives the normal form, or leaves the source to the slow one."""

from __future__ import annotations

import ast
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stellwerk.planning.code import normal_form, plain_form

PIECES = st.sampled_from(
    ["'", '"', "'''", '"""', "#", "f'", 'f"', "rb'", "{", "}", "{{", "}}", "\\", "\n", " ", "a", "=", "(", ")", "ü", "\x0c", "\t", "\r\n",
     "x = 1", "x = '# a'", "# a", "y = [", "]", "if x:", "    pass", 'z = """', "x = \\", "f'{x}'", "f'{x} #'", "f'{x:{y}}'", "# coding: x"]
)  # fmt: skip


@given(st.lists(PIECES, max_size=9), st.sampled_from(["\n", ""]))
@settings(max_examples=500)
def test_the_quick_normal_form_of_source_that_parses_is_the_normal_form(pieces, end):
    source = end.join(pieces).encode()
    try:
        with warnings.catch_warnings(action="ignore"):
            ast.parse(source)
    except (SyntaxError, ValueError):
        return
    assert plain_form(source) in (None, normal_form(source))


TEXTS = st.sampled_from(
    [
        "'a'",
        "'#'",
        "'\"'",
        "'it\\'s'",
        "f'{a}'",
        "rb'\\\\'",
        "'''\n\n  # b  \n'''",
        '"""a""b"""',
        "''",
        "f'#'",
        "f'{{'",
        "'ü'",
    ]
)


@given(st.lists(st.tuples(TEXTS, st.sampled_from(["", "  # c", "  ", "\n\n", "  # 'd"])), min_size=1, max_size=6))
@settings(max_examples=200)
def test_strings_and_comments_are_told_apart_quickly(lines):
    source = "".join(f"x = {text}{end}\n" for text, end in lines).encode()
    ast.parse(source)
    assert plain_form(source) in (None, normal_form(source))


@pytest.mark.parametrize(
    "source",
    [
        "x = 1  # a\n\n\ndef f():\n    '''Say.\n\n    # b  \n    '''  \n    return f'{x}' # c\n",
        "x = r'\\d' + 'it\\'s'\n",
        'x = {"#": \'"\'}\n# ü\n',
        "s = '''a'b''c'''\n",
        "",
    ],
)
def test_ordinary_source_has_its_normal_form_quickly(source):
    assert plain_form(source.encode()) == normal_form(source.encode())
