"""A text that fits a form is a sound record, and what is made of the fit is what the reader decodes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stellwerk.declarations.document import load_document
from stellwerk.declarations.forms import form_of
from stellwerk.declarations.plain import read_plain
from stellwerk.declarations.records import decode, dump, is_record
from stellwerk.declarations.schema import text_shape
from stellwerk.model import records
from stellwerk.planning.sheets import EVIDENCE, HEADS

words = st.one_of(
    st.sampled_from(
        ["churn", "0" * 32, "1" * 64, "5e43", "4943b4daf9", "12e5", "0x1f", "0o17", "3.11.7", "3.11", "1.2.3e4", "null", "True", "nullable", "",
         "Ada Example <ada@example.com>", "2026-01-31T12:00:00Z", "<= 0.2", "a: b", "a #b", "a:b", "a::b", "it's", "a  b", " a", "a ", "-", "- a",
         "why " * 40, "é", "a\nb", "=======", "github:ada/x/actions/runs/1/attempts/1", "on", "1_000", "[]", "{a}", "~", "'a'", '"a"', "a\\b", "#"]
    ),
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=8),
    st.from_regex(r"[0-9a-f]{8}", fullmatch=True),
)  # fmt: skip
numbers = st.one_of(
    st.sampled_from([0.0, -0.0, 1e-5, 1e22, 1.5e300, 0.1 + 0.2, -4.2, 123456789012345678.0]),
    st.floats(allow_nan=False, allow_infinity=False),
)
names = st.one_of(
    st.sampled_from(["bias", "a/b.py", "null", "1", "a b", "<<", "x-1", "é", "depth"]),
    st.from_regex(r"[a-z_]{1,4}", fullmatch=True),
)
free = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | numbers | words,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(names, inner, max_size=2),
    max_leaves=4,
)
st.register_type_strategy(str, words)
st.register_type_strategy(float, numbers)


def made(cls):
    maps = {
        "parts": st.dictionaries(names, free, max_size=3),
        "params": st.dictionaries(names, free, max_size=3),
        "difference": st.none() | st.dictionaries(names, free, max_size=3),
    }
    return st.builds(cls, **{name: strategy for name, strategy in maps.items() if name in cls.__struct_fields__})


CLASSES = sorted(HEADS, key=lambda cls: cls.__name__)


def strictly(cls, text):
    """The record of a text as the readers of documents have it; raises where it is not sound."""
    data = text.encode()
    value = read_plain(data) if cls is not records.Release else None
    if value is None:
        shape = text_shape("release") if cls is records.Release else None
        document, findings = load_document("record.yaml", data, shape=shape)
        assert document is not None, findings
        assert not findings
        value = document.value
    return decode(cls, value, where="record.yaml")


def agrees(cls, text):
    """Whether the text fits; then all that is taken from the fit must be right."""
    form = form_of(cls)
    found = form.fit(text)
    if found is None:
        return False
    record = strictly(cls, text)
    assert repr(form.record(found)) == repr(record)
    assert form.values(*HEADS[cls])(found) == [getattr(record, name) for name in HEADS[cls]]
    if cls in EVIDENCE:
        brief = form.without(*EVIDENCE[cls])(found)
        again = form.fit(brief)
        assert again is not None
        assert repr(form.record(again)) == repr(strictly(cls, brief))
        assert all(not getattr(form.record(again), name) for name in EVIDENCE[cls])
    return True


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
@settings(max_examples=30)
@given(data=st.data())
def test_a_record_that_fits_is_the_record_that_was_written(cls, data):
    record = data.draw(made(cls))
    text = dump(record)
    if agrees(cls, text):
        assert repr(form_of(cls).record(form_of(cls).fit(text))) == repr(
            decode(cls, read_plain(text.encode()), where="")
        )


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
@settings(max_examples=40)
@given(data=st.data())
def test_a_text_that_was_changed_by_hand_fits_only_if_it_is_sound(cls, data):
    lines = dump(data.draw(made(cls))).splitlines()
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(lines) - 1))
        match data.draw(st.sampled_from(["drop", "double", "swap", "word", "indent", "key", "cut"])):
            case "drop" if len(lines) > 1:
                del lines[at]
            case "double":
                lines.insert(at, lines[at])
            case "swap":
                other = data.draw(st.integers(0, len(lines) - 1))
                lines[at], lines[other] = lines[other], lines[at]
            case "word":
                word = data.draw(words)
                lines[at] = f"{lines[at].partition(': ')[0]}: {word}"
            case "indent":
                lines[at] = f"  {lines[at]}" if data.draw(st.booleans()) else lines[at][2:]
            case "key":
                lines[at] = lines[at].replace(":", data.draw(st.sampled_from(["x:", " :", "::", ""])), 1)
            case _:
                lines[at] = lines[at][: len(lines[at]) // 2]
    agrees(cls, "".join(f"{line}\n" for line in lines))


@pytest.mark.parametrize(
    ("cls", "text"),
    [
        (records.Deployment, "model: m\nenvironment: e\nversion: 1\ntarget: local\nat: a\nactor: b\nactor: c\n"),
        (records.Deployment, "model: m\nenvironment: e\nversion: '1'\ntarget: local\nat: a\nactor: b\n"),
        (records.Deployment, "model: m\nenvironment: e\nversion: 1\ntarget: null\nat: a\nactor: b\n"),
        (records.Deployment, "model: m\nenvironment: 1e5\nversion: 1\ntarget: local\nat: a\nactor: b\n"),
        (records.Deployment, "model: m\nenvironment: e\nversion: 1\ntarget: local\nat: a\nactor: b: c\n"),
        (records.Deployment, "model: m\nenvironment: e\nversion: 1\ntarget: local\nat: a\nactor: b\nmore: c\n"),
        (records.Deployment, "model: m\nenvironment: e\nversion: 1\ntarget: local\nat: a\nactor: b\n\n"),
        (records.Deployment, "model: m\nenvironment: e\nversion: 1\ntarget: local\nat: a\n"),
        (records.Removal, "name: m\nat: a\nactor: b\nobjects:\n  a: b\n  a: c\n"),
        (records.Removal, "name: m\nat: a\nactor: b\nversions:\n  - a\n"),
        (records.Release, "version: 1\nhold:\nwithdrawn:\n  because: a\n  by: b\n"),
        (records.Release, ""),
    ],
)
def test_a_text_that_is_not_sound_does_not_fit(cls, text):
    assert form_of(cls).fit(text) is None


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_what_stellwerk_usually_writes_fits(cls):
    written = {str: "churn", int: 3, float: 0.25, bool: True}
    record = example(cls, written)
    assert agrees(cls, dump(record))


def example(cls, written):
    """A record with every field set."""
    from typing import get_args, get_origin, get_type_hints

    from msgspec.structs import fields

    def value(hint):
        options = [option for option in get_args(hint) if option is not type(None)]
        if hint in written:
            return written[hint]
        if is_record(hint):
            return example(hint, written)
        if get_origin(hint) is tuple:
            return (value(options[0]), value(options[0]))
        if isinstance(get_origin(hint), type) and issubclass(get_origin(hint), dict | records.Mapping):
            inner = options[1]
            free_value = {"include": [], "depth": 3, "by": ["a"], "none": None, "inner": {"x": 1.5}}
            return {"a": value(inner), "b/c.py": value(inner)} if inner in written or is_record(inner) else free_value
        return value(options[0])

    hints = get_type_hints(cls)
    return cls(**{field.name: value(hints[field.name]) for field in fields(cls)})
