"""What declarations become: the defaults the schemas promise are the defaults there are."""

import json

import pytest
from declaration_trees import load
from declaration_values import SCHEMAS
from hypothesis import given
from hypothesis import strategies as st

from stellwerk.declarations.moments import is_moment, parse_duration, parse_moment

MLOPS = SCHEMAS["mlops"]
MODEL, DATASET = MLOPS["$defs"]["model"], MLOPS["$defs"]["dataset"]
ENVIRONMENT = SCHEMAS["environment"]


def inner(schema, *keys):
    for key in keys:
        schema = next((option for option in schema.get("anyOf", [schema]) if "properties" in option), schema)
        schema = (
            schema["additionalProperties"]
            if key == "*"
            else schema["items"]
            if key == "[]"
            else schema["properties"][key]
        )
    return next((option for option in schema.get("anyOf", [schema]) if "properties" in option), schema)


PLACES = [
    (MLOPS, lambda extra: ({"version": 1, **extra}, {})),
    (inner(MLOPS, "limits"), lambda extra: ({"version": 1, "limits": extra}, {})),
    (DATASET, lambda extra: ({"version": 1, "datasets": {"d": {"path": "d.csv", **extra}}}, {})),
    (
        inner(DATASET, "columns", "*"),
        lambda extra: ({"version": 1, "datasets": {"d": {"path": "d.csv", "columns": {"c": extra}}}}, {}),
    ),
    (MODEL, lambda extra: ({"version": 1, "models": {"m": extra}}, {})),
    (inner(MODEL, "train"), lambda extra: ({"version": 1, "models": {"m": {"train": {"data": "d", **extra}}}}, {})),
    (
        inner(MODEL, "thresholds", "*"),
        lambda extra: ({"version": 1, "models": {"m": {"thresholds": {"r2": extra}}}}, {}),
    ),
    (
        inner(MODEL, "checks", "[]"),
        lambda extra: ({"version": 1, "models": {"m": {"checks": [{"name": "c", "command": "x", **extra}]}}}, {}),
    ),
    (ENVIRONMENT, lambda extra: ({"version": 1}, {"purpose": "production", **extra})),
    (
        inner(ENVIRONMENT, "approval"),
        lambda extra: ({"version": 1}, {"purpose": "production", "approval": {"by": "t", **extra}}),
    ),
    (
        inner(ENVIRONMENT, "deploy"),
        lambda extra: ({"version": 1}, {"purpose": "production", "deploy": {"target": "local", "path": "p", **extra}}),
    ),
]
DEFAULTS = [
    pytest.param(key, part["default"], build, id=f"{number}-{key}")
    for number, (schema, build) in enumerate(PLACES)
    for key, part in schema["properties"].items()
    if part.get("default") is not None and key != "promotion"  # no rule and `auto` are two ways to say the same
]


@pytest.mark.parametrize(("key", "default", "build"), DEFAULTS)
def test_writing_a_default_out_changes_nothing(key, default, build):
    def decoded(extra):
        main, environment = build(extra)
        declarations, findings = load(mlops=json.dumps(main), e=json.dumps({"purpose": "development", **environment}))
        assert findings == ()
        return declarations.project

    assert decoded({key: default}) == decoded({})


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30),
        ("30m", 1800),
        ("2h", 7200),
        ("7d", 604800),
        ("12w", 7257600),
        ("1.5h", 5400),
        (90, 90),
        ("2 d", 172800),
    ],
)
def test_durations_are_seconds(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "h", "-1h", "1y", "1h30m", "1h\n"])
def test_what_is_no_duration_is_none(text):
    assert parse_duration(text) is None


@pytest.mark.parametrize(
    ("text", "epoch"),
    [("1970-01-02", 86400), ("1970-01-01T01:00:00Z", 3600), ("1970-01-01T01:00:00+01:00", 0), ("1970-01-01 00:01", 60)],
)
def test_moments_are_utc_unless_they_say_otherwise(text, epoch):
    assert parse_moment(text) == epoch


@given(st.text(max_size=12) | st.from_regex(r"\A[0-9]{4}-[0-9]{2}-[0-9]{2}\Z"))
def test_no_text_makes_the_calendar_raise(text):
    assert is_moment(text) == (parse_moment(text) is not None)
