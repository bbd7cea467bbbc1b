"""The schemas of records: what is written fits them, they name every field, and they refuse what is none."""

from __future__ import annotations

import hashlib
import json
import math
import re
import types
from pathlib import Path
from typing import Union, get_args, get_origin, get_type_hints

import jsonschema
import msgspec
import pandas as pd
import pytest
import yaml
from declaration_values import described_keys
from hypothesis import given, settings
from hypothesis import strategies as st

from stellwerk.data.profile import profile
from stellwerk.declarations.records import RecordError, decode, dump
from stellwerk.declarations.schema import schema_text
from stellwerk.model.declared import Features, Holdout, Model, Owners, Train
from stellwerk.model.records import (
    Approval,
    CheckResult,
    DataRecord,
    Deployment,
    Erasure,
    HoldoutRecord,
    Incident,
    Measurement,
    PackageRecord,
    Removal,
    Verdict,
    VersionRecord,
)
from stellwerk.planning.fingerprint import fingerprint, fingerprint_parts
from stellwerk.planning.policy import Policy, evaluation_digest, verdict_key

RECORDS = {
    "version": VersionRecord,
    "verdict": Verdict,
    "approval": Approval,
    "deployment": Deployment,
    "incident": Incident,
    "erasure": Erasure,
    "removal": Removal,
}
KINDS = [*RECORDS, "profile"]
PARTS = {  # where in a schema the fields of a nested record are
    ("version", "measurement"): Measurement,
    ("version", "data"): DataRecord,
    ("version", "holdout"): HoldoutRecord,
    ("version", "package"): PackageRecord,
    ("verdict", "measurement"): Measurement,
    ("verdict", "check"): CheckResult,
}
SCHEMAS = {kind: json.loads(schema_text(kind)) for kind in KINDS}
VALIDATORS = {kind: jsonschema.Draft202012Validator(schema) for kind, schema in SCHEMAS.items()}

text = st.text(max_size=12)
digest = st.text("0123456789abcdef", min_size=64, max_size=64)
md5 = st.builds(str.__add__, st.text("0123456789abcdef", min_size=32, max_size=32), st.sampled_from(["", ".dir"]))
time = st.datetimes().map(lambda at: f"{at.year:04}-{at:%m-%dT%H:%M:%SZ}")
number = st.integers(1, 10**6)
count = st.integers(0, 10**12)
real = st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | real | text,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(text, inner, max_size=2),
    max_leaves=4,
)
BY_NAME = {
    **dict.fromkeys(["sha256", "digest", "key", "policy", "evaluation"], digest),
    **dict.fromkeys(["number", "version"], number),
    **dict.fromkeys(["parent", "champion"], st.none() | number),
    **dict.fromkeys(["rows", "n", "size", "files", "train_rows", "excluded", "peak_memory"], count),
    "md5": md5,
    "at": time,
    "last_seconds": st.none() | count,
    "params": st.dictionaries(text, values, max_size=3),
    "origin": st.just("trained"),
    "trigger": st.sampled_from(["change", "retrain"]),
    "isolation": st.sampled_from(["namespace", "directory"]),
    "decision": st.sampled_from(["approved", "rejected"]),
    "format": st.sampled_from(["skops", "joblib", "pickle", "command"]),
    "why": st.none() | text,
    "kind": st.sampled_from(["training-failed", "threshold-violated", "rollback", "withdrawn", "deploy-failed"]),
    "parts": st.fixed_dictionaries(
        {},
        optional={
            "code": st.dictionaries(text, digest, max_size=2),
            "source": st.none() | text,
            "params": st.dictionaries(text, values, max_size=2),
            "data": md5,
            "positive": values,
        },
    ),
    "difference": st.none()
    | st.fixed_dictionaries({"rows": count}, optional={"changed": st.none() | real, "problem": text}),
}
OPTIONAL = {  # fields whose name means something else in this class, or that may be None there
    (VersionRecord, "package"): lambda: built(PackageRecord),
    (VersionRecord, "fingerprint"): lambda: digest,
    (Incident, "fingerprint"): lambda: st.none() | digest,
    (Erasure, "files"): lambda: st.lists(md5, max_size=2).map(tuple),
    (Erasure, "number"): lambda: st.none() | number,
    (Incident, "version"): lambda: st.none() | number,
    (Deployment, "version"): lambda: st.none() | number,
    (Deployment, "package"): lambda: st.none() | digest,
    (Verdict, "package"): lambda: digest,
    (Verdict, "rows"): lambda: st.none() | count,
    (CheckResult, "champion"): lambda: st.none() | built(Measurement),
}


def built(cls):
    """Any record of that class."""
    hints = get_type_hints(cls)
    made = {field.name: strategy_of(cls, field.name, hints[field.name]) for field in msgspec.structs.fields(cls)}
    return st.builds(cls, **made)


def strategy_of(cls, name, hint):
    if (cls, name) in OPTIONAL:
        return OPTIONAL[cls, name]()
    return BY_NAME[name] if name in BY_NAME else of_type(hint)


def of_type(hint):
    """Any value of a type that fields of records have."""
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return built(hint)
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return st.one_of(st.none(), *(of_type(option) for option in inner if option is not type(None)))
    if origin is tuple:
        return st.lists(of_type(inner[0]), max_size=2).map(tuple)
    if origin is not None:
        return st.dictionaries(text, of_type(inner[1]), max_size=2)
    return {str: text, int: st.integers(), float: real, bool: st.booleans()}[hint]


@pytest.mark.parametrize("kind", KINDS)
def test_the_schema_is_a_valid_2020_12_schema_with_an_example_that_fits(kind):
    schema = SCHEMAS[kind]
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$id"] == f"urn:stellwerk:schema:{kind}"
    assert schema["examples"]
    for example in schema["examples"]:
        VALIDATORS[kind].validate(example)


@pytest.mark.parametrize("kind", KINDS)
def test_every_key_has_a_title_a_description_and_examples_that_fit(kind):
    keys = [*described_keys(SCHEMAS[kind])]
    for definition in SCHEMAS[kind].get("$defs", {}).values():
        for branch in definition.get("oneOf", [definition]):
            keys += described_keys(branch)
    assert keys
    for path, part in keys:
        assert part["title"], path
        assert part["description"].endswith("."), path
        assert part["examples"], path
        validator = VALIDATORS[kind].evolve(schema={"$defs": SCHEMAS[kind].get("$defs", {}), **part})
        for example in part["examples"]:
            validator.validate(example)


@pytest.mark.parametrize(
    ("cls", "schema"),
    [
        *((cls, SCHEMAS[kind]) for kind, cls in RECORDS.items()),
        *((cls, SCHEMAS[kind]["$defs"][name]) for (kind, name), cls in PARTS.items()),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_the_keys_of_the_schema_are_the_fields_of_the_class(cls, schema):
    assert list(schema["properties"]) == [field.name for field in msgspec.structs.fields(cls)]
    assert schema["additionalProperties"] is False


@pytest.mark.parametrize("kind", RECORDS)
def test_the_example_of_the_schema_can_be_read_as_a_record(kind):
    for example in SCHEMAS[kind]["examples"]:
        record = decode(RECORDS[kind], example, where=kind)
        assert yaml.safe_load(dump(record)) == example


@pytest.mark.parametrize("kind", RECORDS)
@settings(max_examples=25)
@given(data=st.data())
def test_whatever_record_is_written_fits_its_schema_and_is_read_back(kind, data):
    record = data.draw(built(RECORDS[kind]))
    written = yaml.safe_load(dump(record))
    VALIDATORS[kind].validate(written)
    assert decode(RECORDS[kind], written, where=kind) == record


@pytest.mark.parametrize("kind", RECORDS)
@settings(max_examples=20)
@given(data=st.data())
def test_a_missing_required_key_or_an_unknown_one_is_refused(kind, data):
    written = yaml.safe_load(dump(data.draw(built(RECORDS[kind]))))
    gone = data.draw(st.sampled_from(SCHEMAS[kind]["required"]))
    assert not VALIDATORS[kind].is_valid({key: value for key, value in written.items() if key != gone})
    assert not VALIDATORS[kind].is_valid({**written, "surely_unknown": 1})


@pytest.mark.parametrize("kind", RECORDS)
@settings(max_examples=25)
@given(data=st.data())
def test_a_key_of_a_wrong_type_is_refused_by_the_schema_and_by_the_reader(kind, data):
    record = data.draw(built(RECORDS[kind]))
    written = yaml.safe_load(dump(record))
    key = data.draw(st.sampled_from(sorted(written)))
    written[key] = 1 if isinstance(written[key], str | list | dict | bool) else "1"
    assert not VALIDATORS[kind].is_valid(written)
    with pytest.raises(RecordError, match="must be"):
        decode(RECORDS[kind], written, where=kind)


@pytest.mark.parametrize(
    ("kind", "key", "value"),
    [
        ("version", "number", 0),
        ("version", "origin", "copied"),
        ("version", "fingerprint", "0" * 63),
        ("version", "fingerprint", "0" * 64 + "\n"),
        ("version", "fingerprint", "A" * 64),
        ("verdict", "at", "2026-01-31"),
        ("verdict", "checks", [{"name": "wape", "passed": "yes"}]),
        ("verdict", "excluded", -1),
        ("approval", "decision", "maybe"),
        ("deployment", "version", "3"),
        ("incident", "kind", "rain"),
        ("profile", "columns", {"x": {"kind": "number", "missing": 0, "edges": [], "counts": {"a": 1}}}),
    ],
)
def test_a_value_that_is_none_of_the_allowed_ones_is_refused(kind, key, value):
    (example, *_) = SCHEMAS[kind]["examples"]
    assert not VALIDATORS[kind].is_valid({**example, key: value})


def test_the_parts_that_the_schema_describes_are_those_of_the_fingerprint():
    train = Train(data="sales", params={}, seed=0, holdout=Holdout(fraction=0.2))
    model = Model(name="churn", owners=Owners(), source="churn.py", target="churned", train=train, features=Features())
    parts = fingerprint_parts(msgspec.structs.replace(model, format="onnx"), (), "0" * 32)
    assert set(parts) == set(SCHEMAS["version"]["$defs"]["parts"]["properties"])
    VALIDATORS["version"].evolve(schema=SCHEMAS["version"]["$defs"]["parts"]).validate(json.loads(json.dumps(parts)))


@settings(max_examples=25)
@given(record=built(VersionRecord), policy=digest)
def test_an_auditor_recomputes_fingerprint_and_verdict_key_from_the_files_as_the_page_says(record, policy):
    written = yaml.safe_load(dump(msgspec.structs.replace(record, parts={**record.parts, "data": "0" * 32})))
    canonical = json.dumps(written["parts"], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert sha256(canonical) == fingerprint({**record.parts, "data": "0" * 32})
    measured = Policy(measures=True, digest=policy)
    evaluation = sha256(f'{{"data":"{written["data"]["md5"]}","holdout":"{written["holdout"]["digest"]}"}}')
    assert evaluation == evaluation_digest(record, measured)
    package = written["package"]["sha256"]
    assert sha256(f'["{package}","{policy}","{evaluation}"]') == verdict_key(record, measured)
    assert evaluation_digest(record, Policy(function=True, digest=policy)) == sha256('"stand-in"')
    assert evaluation_digest(record, Policy(source=True, digest=policy)) == sha256('"source"')


def sha256(words):
    return hashlib.sha256(words.encode()).hexdigest()


columns = st.sampled_from(
    [
        [1.5, 2.5, math.nan, 3.0],
        [math.inf, -math.inf],
        [1, 2, 2, 2],
        [True, False, True],
        ["a", "b", "a", None],
        ["2026-01-31", "2026-02-01", None],
        ["2026-01-31", "2026-02-01", "x"],
        [None, None],
    ]
)


@settings(max_examples=25)
@given(column=columns, times=st.integers(1, 30), least=st.integers(0, 12), bins=st.integers(1, 5))
def test_every_profile_fits_its_schema(column, times, least, bins):
    shown = profile(pd.DataFrame({"x": pd.Series(column * times)}), min_group=least, bins=bins)
    VALIDATORS["profile"].validate(json.loads(json.dumps(shown)))


def test_every_record_has_a_schema_and_a_section_that_says_where_it_lies():
    page = (Path(__file__).resolve().parents[2] / "docs/records.md").read_text(encoding="utf-8")
    for schema in SCHEMAS.values():
        place = re.search(r"\((registry/.*)\)", schema["title"])[1]
        assert re.sub(r"\b([A-Z][A-Z0-9]+)\b", lambda found: f"<{found[1].lower()}>", place) in page
