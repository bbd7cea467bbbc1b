"""The strict loader: what it reads, what it refuses, and that every finding says where."""

import re
import tracemalloc

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from stellwerk.declarations.document import MAX_BYTES, MAX_DEPTH, MAX_FINDINGS, TextShape, load_document


def read(text, **options):
    data = text if isinstance(text, bytes) else text.encode()
    return load_document("mlops.yaml", data, **options)


def value_of(text, **options):
    document, findings = read(text, **options)
    assert findings == ()
    return document.value


def refused(text):
    document, findings = read(text)
    assert document is None
    (finding,) = findings
    return finding.rule, str(finding.place)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"),
        ("No", "No"),
        ("on", "on"),
        ("2026-01-31", "2026-01-31"),
        ("12:30:45", "12:30:45"),
        ("1_000", "1_000"),
        ("0b1", "0b1"),
        ("true", True),
        ("FALSE", False),
        ("~", None),
        ("null", None),
        ("010", 10),
        ("0o17", 15),
        ("0xff", 255),
        ("-3", -3),
        ("+3", 3),
        (".5", 0.5),
        ("1.", 1.0),
        ("1e3", 1000.0),
        ("'1'", "1"),
        ('"true"', "true"),
        ("٣", "٣"),
    ],
)
def test_scalars_are_those_of_the_yaml_1_2_core_schema(text, value):
    found = value_of(f"a: {text}\n")["a"]
    assert (type(found), found) == (type(value), value)


@pytest.mark.parametrize("text", ["no", "on", "1.10", "010", "2026-01-31", "true", "1e400", ".nan", "9" * 99])
def test_where_text_is_wanted_what_was_typed_stays(text):
    shape = TextShape(properties={"a": TextShape(text=True)})
    assert value_of(f"a: {text}\n", shape=shape) == {"a": text}


def test_an_empty_value_is_no_text():
    shape = TextShape(properties={"a": TextShape(text=True)})
    assert value_of("a:\n", shape=shape) == {"a": None}


@pytest.mark.parametrize("text", ["a: .inf\n", "a: .nan\n", "a: 1e400\n", f"a: {'9' * 5000}\n"])
def test_a_number_that_json_cannot_carry_is_refused(text):
    assert refused(text) == ("SW101", "mlops.yaml:1:4")


@pytest.mark.parametrize(
    ("text", "rule", "place"),
    [
        ("a: 1\n\tb: 2\n", "SW101", "2:1"),
        ("a: [1, 2\nb: 3\n", "SW101", "2:2"),
        ("a: 'open\n", "SW101", "2:1"),
        ("a: b: c\n", "SW101", "1:5"),
        ("a: 1\n---\nb: 2\n", "SW101", "2:1"),
        ("? [a]\n: b\n", "SW101", "1:3"),
        ("a: \x00\n", "SW101", "1:4"),
        ("ä: \x07\n", "SW101", "1:4"),
        ("a: &x 1\n", "SW103", "1:4"),
        ("<<: {a: 1}\n", "SW103", "1:1"),
        ("a: !!python/object:os.system x\n", "SW104", "1:4"),
        ("a: ! x\n", "SW104", "1:4"),
        ("a: !secret {b: 1}\n", "SW104", "1:4"),
        ("\ufeffa: 1\n", "SW106", "1:1"),
        ("a: 1\n<<<<<<< HEAD\nb: 1\n=======\nb: 2\n>>>>>>> theirs\n", "SW107", "2:1"),
        ("a: 1\r\n<<<<<<< HEAD\r\nb: 1\r\n", "SW107", "2:1"),
    ],
)
def test_a_mistake_of_syntax_is_one_finding_with_its_place(text, rule, place):
    assert refused(text) == (rule, f"mlops.yaml:{place}")


@pytest.mark.parametrize(
    ("data", "place"),
    [
        (b"\xff\xfea\x00", "1:1"),
        (b"\xfe\xff\x00a", "1:1"),
        ("name: Jürgen\n".encode("latin-1"), "1:8"),
        (b"a: 1\nb: \xc3\n", "2:4"),
    ],
)
def test_other_encodings_are_refused_at_the_first_byte_that_is_none(data, place):
    assert refused(data) == ("SW106", f"mlops.yaml:{place}")


def test_a_tab_is_called_a_tab():
    _, (finding,) = read("a:\n\t- b\n")
    assert "tab" in finding.hint


def test_a_conflict_marker_inside_a_text_is_text():
    assert value_of("a: |\n  <<<<<<< HEAD\n  x\n")["a"].startswith("<<<<<<<")


def test_a_duplicate_key_is_found_and_reading_goes_on_with_the_first():
    document, findings = read("a: 1\nb: {c: 1, c: [2, 3], d: 4}\na: {x: {y: z}}\ne: 5\n")
    assert [(finding.rule, finding.place.line, finding.place.column) for finding in findings] == [
        ("SW102", 2, 11),
        ("SW102", 3, 1),
    ]
    assert "line 1" in findings[1].message
    assert document.value == {"a": 1, "b": {"c": 1, "d": 4}, "e": 5}
    assert str(document.places.of(("e",))) == "mlops.yaml:4:4"


def test_windows_line_ends_are_read_like_others():
    document, findings = read("a: 1\r\nb:\r\n  - x\r\n")
    assert findings == ()
    assert document.value == {"a": 1, "b": ["x"]}
    assert str(document.places.of(("b", 0))) == "mlops.yaml:3:5"


def test_an_alias_bomb_costs_nothing_and_is_capped():
    levels = ["a0: &a0 [x, x]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 60)]
    tracemalloc.start()
    document, findings = read("\n".join(levels))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert document is None
    assert {finding.rule for finding in findings} == {"SW103"}
    assert len(findings) == MAX_FINDINGS
    assert peak < 2_000_000


def test_a_file_of_100_mb_is_refused_by_its_size_alone():
    assert read(b"a: 1\n", size=100_000_000)[1][0].rule == "SW105"
    assert read(b"a" * (MAX_BYTES + 1))[1][0].rule == "SW105"


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? "])
def test_nesting_deeper_than_the_bound_is_refused(opening):
    assert read(opening * 100_000)[1][0].rule in {"SW105", "SW101"}
    assert read(opening * (MAX_DEPTH + 1))[1][0].rule in {"SW105", "SW101"}


def test_nesting_up_to_the_bound_is_read():
    assert value_of("[" * MAX_DEPTH + "]" * MAX_DEPTH) is not None


def test_more_nodes_than_the_bound_are_refused(monkeypatch):
    monkeypatch.setattr("stellwerk.declarations.document.MAX_NODES", 100)
    assert refused("[" + "1," * 101 + "]")[0] == "SW105"


def test_places_are_those_of_keys_and_values():
    document, _ = read("models:\n  churn:\n    risk: low # no\n    slices: [a, bb]\n")
    places = document.places
    assert str(places.of(("models", "churn"))) == "mlops.yaml:2:3"
    assert str(places.of(("models", "churn", "risk"))) == "mlops.yaml:3:11"
    assert str(places.of_key(("models", "churn", "risk"))) == "mlops.yaml:3:5"
    assert str(places.of(("models", "churn", "slices"))) == "mlops.yaml:4:5"
    assert str(places.of(("models", "churn", "slices", 1))) == "mlops.yaml:4:17"
    assert str(places.of(("models", "churn", "nothing", "here"))) == "mlops.yaml:2:3"


KEYS = st.text(alphabet="abcäß 日-_", min_size=1, max_size=5)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-99, 99) | st.text(alphabet="abc no1.:#-ä\n", max_size=6),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@given(value=VALUES, flow=st.sampled_from([None, False, True]))
def test_what_pyyaml_writes_is_read_back(value, flow):
    text = yaml.safe_dump(value, default_flow_style=flow, allow_unicode=True, sort_keys=False)
    assert value_of(re.sub(r"^\.\.\.\n", "", text, flags=re.MULTILINE)) == value


@given(value=st.dictionaries(KEYS, VALUES, min_size=1, max_size=4), flow=st.sampled_from([None, False]))
def test_at_the_place_of_a_key_stands_the_key(value, flow):
    text = yaml.safe_dump(value, default_flow_style=flow, allow_unicode=True, sort_keys=False, width=1000)
    document, _ = read(text)
    lines = text.splitlines()
    for key in value:
        place = document.places.of_key((key,))
        assert lines[place.line - 1][place.column - 1 :].lstrip("'\"").startswith(key)


@given(st.text(max_size=60) | st.text(alphabet="ab:-[]{}&*!|>'\"#%@`, \n\t\r?~<0.", max_size=40))
def test_no_text_whatever_makes_a_traceback(text):
    document, findings = load_document("x.yaml", text.encode("utf-8", "surrogatepass"))
    assert document is not None or findings


@given(st.binary(max_size=60))
def test_no_bytes_whatever_make_a_traceback(data):
    document, findings = load_document("x.yaml", data)
    assert document is not None or findings


@pytest.mark.parametrize("text", ['"a\\nb": 1\n"a\\nb": 2\n', '"\\e[31m": 1\n"\\e[31m": 2\n', "a: !<tag:\\x> b\n"])
def test_a_message_is_one_printable_line_whatever_the_file_says(text):
    for finding in read(text)[1]:
        assert finding.message.isprintable()


@pytest.mark.parametrize(
    "text", ["a: [1, {b: 'c'}]\nd: |\n  e\n", "a: &x 1\nb: *x\n", "a: !t 1\n", "a: [1\n", "a: 1\na: 2\n"]
)
def test_without_the_c_library_the_verdict_is_the_same(text, monkeypatch):
    with_library = read(text)
    monkeypatch.setattr(yaml, "__with_libyaml__", False)
    without = read(text)
    assert [finding.rule for finding in without[1]] == [finding.rule for finding in with_library[1]]
    assert (without[0] and without[0].value) == (with_library[0] and with_library[0].value)
