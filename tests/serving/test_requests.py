"""A request is judged by the signature: rows that fit are taken, anything else is refused in words without values."""

from __future__ import annotations

import json
import math
import re

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellwerk.model.declared import Column
from stellwerk.training.contract import Code, Contract
from stellwerk.training.signature import Signature, signature_of
from stellwerk.worker.request_rows import RefusedError, columns_of, openapi, parsed, pattern_schema, schema_of

TYPES = {"n": "int64", "x": "float64", "ok": "bool", "city": "str", "day": "str", "at": "datetime64[ns]"}
TYPES |= {"shop": "str", "code": "int64"}
DECLARED = (
    Column(name="n", type="integer", min=0, max=100),
    Column(name="city", allowed=("Bern", "Rome")),
    Column(name="day", type="date", min="2024-01-01"),
    Column(name="shop", type="string", pattern="[A-Z][0-9]{3}"),
    Column(name="code", type="string", pattern="[0-9]{5}"),  # training saw numbers: no pattern can be asked of these
)
SIGNATURE = signature_of(TYPES, DECLARED, gaps={"x"})
COLUMNS = [column.to_json() for column in SIGNATURE.columns]
GOOD = {"n": 3, "x": 1.5, "ok": True, "city": "Rome", "day": "2024-02-29", "at": "2024-01-01T00:00:00"}
GOOD |= {"shop": "S017", "code": 8001}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*TYPES, "rows", "z"]), inner),
    max_leaves=8,
)


def asked(*rows: object, most: int = 10) -> dict[str, list[object]]:
    return columns_of({"rows": list(rows)}, COLUMNS, most=most)


def refused(*rows: object, most: int = 10) -> RefusedError:
    with pytest.raises(RefusedError) as caught:
        asked(*rows, most=most)
    return caught.value


def test_rows_that_fit_become_columns_of_their_types() -> None:
    found = asked(GOOD, {**GOOD, "n": 3.0, "x": None})
    assert found == {name: [value, value] for name, value in GOOD.items()} | {"x": [1.5, None]}
    assert isinstance(found["n"][1], int)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("n", "3", "must be a whole number of 64 bits"),
        ("n", 3.5, "must be a whole number of 64 bits"),
        ("n", True, "must be a whole number of 64 bits"),
        ("n", 2**64, "must be a whole number of 64 bits"),
        ("n", 101, "must be 100 or less"),
        ("n", -1, "must be 0 or more"),
        ("n", None, "must have a value"),
        ("x", math.inf, "must be a finite number"),
        ("x", 10**400, "must be a finite number"),
        ("ok", 1, "must be true or false"),
        ("city", "Oslo", "must be one of the 2 allowed values"),
        ("city", 5, "must be text"),
        ("day", "2024-02-30", "must be a date as 2024-01-31"),
        ("day", "2023-12-31", "must be 2024-01-01 or more"),
        ("at", "noon", "must be a date and time as 2024-01-31T12:00:00Z"),
        ("shop", "S17", "must match the declared pattern"),
        ("shop", "S0170", "must match the declared pattern"),
        ("shop", "S017\n", "must match the declared pattern"),
        ("shop", 17, "must be text"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_with_its_row_and_column(name, value, message) -> None:
    error = refused(GOOD, {**GOOD, name: value})
    assert (error.status, error.problems) == (422, [{"row": 1, "column": name, "message": message}])


def test_shape_and_number_of_rows_are_judged_before_their_values() -> None:
    assert refused().message == "there are no rows"
    assert (refused(*[0] * 11).status, refused(GOOD, GOOD, most=1).status) == (413, 413)
    assert refused({}).problems[0] == {"row": 0, "column": "n", "message": "is missing"}
    assert "1 of its columns are none" in refused({**GOOD, "secret": "Anna"}).problems[0]["message"]
    for body in (None, [], {"rows": {}}, {"rows": [GOOD], "more": 1}):
        with pytest.raises(RefusedError, match="the body must be"):
            columns_of(body, COLUMNS, most=10)


@given(st.fixed_dictionaries({"rows": st.lists(JSON, max_size=4)}) | JSON)
def test_any_value_is_taken_or_refused_never_anything_else(value) -> None:
    try:
        found = columns_of(value, COLUMNS, most=3)
    except RefusedError as error:
        status = error.status
    else:
        status = 200
        assert {len(part) for part in found.values()} == {len(value["rows"])}
    assert status in {200, 413, 422}


@given(st.sampled_from(list(TYPES)), st.text("QXZ", min_size=4, max_size=9))
def test_no_refusal_quotes_a_value(name, secret) -> None:
    error = refused({**GOOD, name: [secret]}, {**GOOD, secret: secret})
    assert secret not in error.message + json.dumps(error.problems)


@given(st.binary(max_size=40) | st.sampled_from([b"NaN", b"[Infinity]", b"1" * 5000, b"[" * 100_000, b'"\xff"']))
def test_any_body_is_json_or_refused(body) -> None:
    try:
        expected = json.dumps(parsed(body), allow_nan=False)
    except RefusedError as error:
        expected = error.status
    except ValueError:
        expected = body.strip()  # a number too large for a float is infinite: the value is refused, not the body
        assert expected
    assert expected == 400 or isinstance(expected, str | bytes)


@pytest.mark.parametrize("column", COLUMNS, ids=lambda column: column["name"])
def test_the_description_says_of_a_value_what_the_service_does(column) -> None:
    validator = jsonschema.Draft202012Validator(schema_of(column))
    name = column["name"]
    for value in (0, 3, 101, -1, 2**64, 1.5, None, True, "Rome", "Oslo", "S17", "S0170", [], GOOD[name]):
        try:
            asked({**GOOD, name: value})
            taken = True
        except RefusedError:
            taken = False
        if column["type"] not in {"date", "datetime"}:  # a format is no assertion of JSON Schema
            assert validator.is_valid(value) == taken, value


def test_the_description_names_every_column_and_shows_the_example() -> None:
    facts = {"model": "m", "version": 3, "task": "regression", "limits": {"rows": 5, "bytes": 9}}
    page = openapi(facts, COLUMNS, SIGNATURE.to_json()["example"])
    row = page["components"]["schemas"]["Row"]
    assert row["required"] == list(TYPES)
    body = page["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]
    assert columns_of(body["example"], COLUMNS, most=5)
    assert body["schema"]["properties"]["rows"]["maxItems"] == 5


@given(
    st.sampled_from(["S[0-9]{3}", r"a\-b\ c", "(?:ab|c)*d?", "]}", r"[\[\]\\-]+", r"[^\-a]", "^x$|y", "", r"\.{1,2}"]),
    st.text("Sab0-c ]}[\\xyd.", max_size=5),
)
def test_a_pattern_is_described_as_it_is_enforced(pattern, text) -> None:
    described = jsonschema.Draft202012Validator(pattern_schema(pattern))
    assert described.is_valid(text) == bool(re.fullmatch(pattern, text))


@pytest.mark.parametrize("pattern", [r"\Ax\Z", "(?P<n>a)", "(?i)a", "a{,3}", "x++", "[]a]", r"\bx", "[a&&b]", "(?=x)x"])
def test_a_pattern_that_only_python_has_is_described_in_words(pattern) -> None:
    assert list(pattern_schema(pattern)) == ["description"]


KINDS = ["int64", "float64", "bool", "str", "object", "datetime64[ns]"]
BOUNDS = st.none() | st.integers(-9, 9)
NUMBERS = st.builds(
    lambda kind, ends: Column(name="c", type=kind, min=min(ends), max=max(ends)),
    st.sampled_from(["integer", "number", None]),
    st.tuples(st.integers(-9, 9), st.integers(-9, 9)),
)
DATES = st.builds(
    lambda kind, least: Column(name="c", type=kind, min=least),
    st.sampled_from(["date", "datetime"]),
    st.none() | st.dates().map(str),
)
PATTERNS = st.sampled_from(["S[0-9]{3}", r"\d{4}-\d\d-\d\d", "[a-z]*", "(?=a)a", "(red|blue)?-x+", "(", ""])
SHAPED = st.builds(lambda pattern: Column(name="c", pattern=pattern), PATTERNS)
CHOICES = st.builds(
    lambda allowed: Column(name="c", allowed=tuple(allowed)),
    st.lists(st.text(max_size=3), min_size=1) | st.lists(st.integers(), min_size=1),
)


@given(st.sampled_from(KINDS), st.just(Column(name="c")) | NUMBERS | DATES | CHOICES | SHAPED, st.booleans())
def test_the_example_of_a_signature_fits_it(kind, declared, gap) -> None:
    signature = signature_of({"c": kind}, (declared,), gaps={"c"} if gap else set())
    columns = [column.to_json() for column in signature.columns]
    if signature.columns[0].pattern != "(?=a)a":  # of which no text is made up
        assert columns_of({"rows": [dict(row) for row in signature.example]}, columns, most=1)
    assert Signature.from_json(json.loads(json.dumps(signature.to_json()))) == signature


def test_a_package_without_a_signature_is_asked_by_its_types() -> None:
    code = Code(
        source="m.py", command=None, files=(), requirements=None, params={}, seed=0, target="y", data_format="csv"
    )
    old = Contract(
        code=code, format="pickle", task="regression", positive=None, columns={"a": "int64", "b": "str"}, python="3.11"
    )
    assert "signature" not in old.to_json()
    assert [(column.type, column.missing) for column in old.requests.columns] == [("integer", False), ("string", True)]
