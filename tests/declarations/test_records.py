"""Records: what is written is read back, the text is canonical, and a wrong shape is named."""

import math
from collections.abc import Mapping
from typing import get_type_hints

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from stellwerk.declarations.document import load_document
from stellwerk.declarations.records import RecordError, decode, dump, encode
from stellwerk.model.records import (
    Approval,
    CheckResult,
    DataRecord,
    Deployment,
    Erasure,
    Hold,
    HoldoutRecord,
    Incident,
    Measurement,
    PackageRecord,
    Release,
    Removal,
    Rollback,
    Verdict,
    VersionRecord,
    Withdrawal,
)

TEXT = st.text(
    alphabet=st.characters(exclude_categories=("Cs", "Cc", "Cn", "Co"), exclude_characters="\ufeff"), max_size=8
)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2),
    max_leaves=4,
)
WHOLE = (Approval, Deployment, Erasure, Removal, Hold, Incident, Release, Rollback, Verdict, VersionRecord, Withdrawal)
PARTS = (CheckResult, DataRecord, HoldoutRecord, Measurement, PackageRecord)


def made(cls):
    hints = get_type_hints(cls)
    special = {name: st.dictionaries(TEXT, JSON, max_size=3) for name in ("parts", "params") if name in hints}
    if "difference" in hints:
        special["difference"] = st.none() | st.dictionaries(TEXT, JSON, min_size=1, max_size=2)
    return st.builds(cls, **special)


for plain, strategy in ((str, TEXT), (float, NUMBERS)):
    st.register_type_strategy(plain, strategy)
for part in PARTS + WHOLE:
    st.register_type_strategy(part, made(part))
st.register_type_strategy(int, st.integers(-(2**53), 2**53))


@pytest.mark.parametrize("cls", WHOLE + PARTS, ids=lambda cls: cls.__name__)
@settings(max_examples=25)
@given(data=st.data())
def test_a_record_is_read_back_as_it_was_written(cls, data):
    record = data.draw(st.from_type(cls))
    assert decode(cls, encode(record), where="x") == record
    assert decode(cls, yaml.safe_load(dump(record)), where="x") == record


@pytest.mark.parametrize("cls", WHOLE, ids=lambda cls: cls.__name__)
@settings(max_examples=25)
@given(data=st.data())
def test_the_strict_loader_reads_a_record_as_it_was_written(cls, data):
    record = data.draw(st.from_type(cls))
    document, findings = load_document("registry/x.yaml", dump(record).encode())
    assert findings == ()
    assert decode(cls, document.value, where="x") == record


@settings(max_examples=25)
@given(st.from_type(VersionRecord), st.randoms())
def test_the_same_fact_has_the_same_text(record, random):
    pairs = list(record.packages.items())
    random.shuffle(pairs)
    assert dump(replace(record, packages=dict(pairs))) == dump(record)
    assert dump(decode(VersionRecord, yaml.safe_load(dump(record)), where="x")) == dump(record)


def test_the_text_has_the_order_of_the_class_and_leaves_out_what_is_empty():
    release = Release(version=3, hold=Hold(because="season's peak", by="ada"))
    assert dump(release) == "version: 3\nhold:\n  because: season's peak\n  by: ada\n"


@pytest.mark.parametrize(
    "text",
    ["yes", "no", "1.10", "2026-01-31", "0x1f", "1e5", "~", "null", "", " x ", "a: b", "12_0", "0o17", "=", "<<"],
)
def test_a_text_that_looks_like_something_else_stays_a_text(text):
    approval = Approval(model=text, version=1, environment="p", by=text, decision="approved", at="2026-01-31T12:00:00Z")
    document, findings = load_document("x.yaml", dump(approval).encode())
    assert findings == ()
    assert decode(Approval, document.value, where="x") == approval


@pytest.mark.parametrize(
    ("value", "where", "words"),
    [
        ([], "x.yaml", "must be a map, not a list"),
        (None, "x.yaml", "must be a map, not nothing"),
        ({}, "x.yaml", "the key 'version' is missing"),
        ({"version": 1, "extra": 1}, "x.yaml", "unknown key 'extra'"),
        ({"version": "1"}, "x.yaml: version", "must be a whole number, not text"),
        ({"version": True}, "x.yaml: version", "must be a whole number, not true/false"),
        ({"version": 1.0}, "x.yaml: version", "must be a whole number, not a number with a fraction"),
        ({"version": None}, "x.yaml: version", "must be a whole number, not nothing"),
        ({"version": 1, "hold": {"because": 3, "by": "ada"}}, "x.yaml: hold: because", "must be text, not a number"),
        ({"version": 1, "hold": {"by": "ada"}}, "x.yaml: hold", "the key 'because' is missing"),
        ({"version": 1, 2: 3}, "x.yaml", "unknown key 2"),
    ],
)
def test_a_wrong_shape_is_named_with_its_place(value, where, words):
    with pytest.raises(RecordError) as caught:
        decode(Release, value, where="x.yaml")
    assert (caught.value.where, caught.value.message) == (where, words)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_none_is_refused(value):
    with pytest.raises(RecordError, match="must be a number"):
        decode(Measurement, {"n": 1, "value": value}, where="x")


@settings(max_examples=200)
@given(JSON, st.sampled_from(WHOLE + PARTS))
def test_whatever_lies_there_is_a_record_or_a_record_error(value, cls):
    try:
        record = decode(cls, value, where="x")
    except RecordError as error:
        record = None
        named = error.where.startswith("x") and bool(error.message)
    assert named if record is None else isinstance(record, cls)


def _replaced(value, path, wrong):
    if not path:
        return wrong
    key, *rest = path
    if isinstance(value, Mapping):
        return {**value, key: _replaced(value[key], rest, wrong)}
    return [_replaced(item, rest, wrong) if number == key else item for number, item in enumerate(value)]


def _paths(value):
    yield ()
    if isinstance(value, dict):
        for key, item in value.items():
            yield from ((key, *path) for path in _paths(item))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from ((number, *path) for path in _paths(item))


@settings(max_examples=60)
@given(st.sampled_from(WHOLE).flatmap(st.from_type), JSON, st.data())
def test_one_wrong_value_anywhere_never_makes_a_traceback(record, wrong, data):
    plain = encode(record)
    path = data.draw(st.sampled_from(list(_paths(plain))))
    try:
        read = decode(type(record), _replaced(plain, path, wrong), where="x")
    except RecordError:
        return
    assert isinstance(read, type(record))
