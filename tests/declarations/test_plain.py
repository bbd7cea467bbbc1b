"""The quick reader of records agrees with the strict one, or leaves the document to it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellwerk.declarations.document import load_document
from stellwerk.declarations.plain import read_plain
from stellwerk.declarations.records import dump
from stellwerk.model.records import Approval, CheckResult, Measurement, Verdict

VERDICT = Verdict(
    model="churn",
    version=3,
    environment="regression",
    key="0" * 64,
    package="1" * 64,
    policy="2" * 64,
    evaluation="3" * 64,
    passed=False,
    checks=(
        CheckResult(name="wape", passed=False, limit="<= 0.2", measured=Measurement(value=0.25, n=480, low=-0.2)),
        CheckResult(name="wape", passed=True, slice="style=rain boot", limit="<= 0.2", detail="a: b"),
    ),
    at="2026-01-31T12:00:00Z",
    actor="Ada Example <ada@example.com>",
)


def strictly(data: bytes):
    document, findings = load_document("record.yaml", data)
    return None if document is None or findings else document.value


def test_a_verdict_is_read_quickly():
    data = dump(VERDICT).encode()
    assert read_plain(data) == strictly(data) is not None


def test_a_reason_that_is_folded_over_lines_is_left_to_the_strict_reader():
    approval = Approval(
        model="churn", version=1, environment="production", by="ada", decision="approved", at="2026-01-31",
        because="because " * 30,
    )  # fmt: skip
    data = dump(approval).encode()
    assert read_plain(data) is None
    assert strictly(data)["because"].startswith("because because")


@pytest.mark.parametrize(
    "text",
    [
        "a: 1\na: 2\n",
        "a: &x 1\nb: *x\n",
        "a: !tag 1\n",
        "a: 1\n  b: 2\n",
        "a:\n- b: 1\n   c: 2\n",
        "a: b\n  c\n",
        "a: 'b'\n  c: 1\n",
        "- a\n",
        "a: [1, 2]\n",
        "a: {b: 1}\n",
        "a: 1 # why\n",
        "a: b: c\n",
        "a: |\n  text\n",
        "a: 'it''s'\n",
        'a: "b"\n',
        "a:\tb\n",
        "? a\n: b\n",
        "a: .inf\n",
        "a: 1\n--- \nb: 2\n",
        "a: ü\n",
        "a: 1",
        "",
        "\n",
        "a\n",
        "<<: {a: 1}\n",
        "a:\n  b: 1\n c: 2\n",
        "a:\n    b: 1\n  c: 2\n",
    ],
)
def test_what_stellwerk_does_not_write_is_left_to_the_strict_reader(text):
    assert read_plain(text.encode()) is None


words = st.sampled_from(
    ["1", "-1", "0o17", "0x1f", "1e5", ".5", "-.5", "null", "true", "Null", "yes", "on", "2026-01-31", "12:30", "a b", "<= 0.2",
     "''", "'a'", "'1'", "' '", "[]", "{}", "-", "- a", "a:", "a: b", "a #b", "#", "=", "~", "a'b", "'a'b", "+1", "1_000", "3.11.7",
     "(a)", "<<", ">", ">a", "a,b", "a]", "x" * 41, "9" * 41, ".", "..", "---", "...", "@a", "%a", "a\\b", "1.", "007"]
)  # fmt: skip
keys = st.sampled_from(["a", "b", "a.b", "x-1", "a/b", "1", "null", "true", "a=b", "_", "'a'", "<<", "a b", "y"])
line = st.builds(
    lambda indent, dash, key, colon, word: " " * indent + dash + (f"{key}:{colon}{word}" if key else word),
    st.sampled_from([0, 0, 0, 1, 2, 2, 3, 4, 4, 6]),
    st.sampled_from(["", "", "", "- ", "- - ", "-"]),
    st.one_of(keys, st.none()),
    st.sampled_from([" ", " ", "", "  "]),
    st.one_of(words, st.just("")),
)


@given(lines=st.lists(line, max_size=8))
def test_what_is_read_quickly_is_what_the_strict_reader_reads(lines):
    data = "".join(f"{text}\n" for text in lines).encode()
    value = read_plain(data)
    if value is not None:
        assert strictly(data) == value
        assert repr(strictly(data)) == repr(value)


json = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**6), 10**6) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.from_regex(r"[a-z_]{1,6}", fullmatch=True), inner, max_size=3),
    max_leaves=12,
)  # fmt: skip


@given(value=st.dictionaries(st.from_regex(r"[a-z_]{1,6}", fullmatch=True), json, min_size=1, max_size=4))
def test_what_is_written_as_records_are_is_read_as_it_was(value):
    import yaml

    from stellwerk.declarations.records import _dumper

    data = yaml.dump(value, Dumper=_dumper(), sort_keys=False, allow_unicode=True, width=100).encode()
    quickly = read_plain(data)
    if quickly is not None:
        assert repr(quickly) == repr(strictly(data))
