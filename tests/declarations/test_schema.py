"""The schemas themselves, and our checker against the general validator."""

import jsonschema
import pytest
from declaration_values import ANYTHING, SCHEMAS, described_keys, nearly_right
from hypothesis import given, settings
from hypothesis import strategies as st

from stellwerk.declarations.conform import compile_schema, conforms, mismatches
from stellwerk.declarations.moments import is_moment
from stellwerk.declarations.schema import KINDS, check, compiled, schema_text
from stellwerk.errors import StellwerkError

FORMATS = jsonschema.FormatChecker(formats=["regex"])
FORMATS.checks("moment")(lambda value: not isinstance(value, str) or is_moment(value))
VALIDATORS = {kind: jsonschema.Draft202012Validator(schema, format_checker=FORMATS) for kind, schema in SCHEMAS.items()}


@pytest.mark.parametrize("kind", KINDS)
def test_the_schema_is_a_valid_2020_12_schema(kind):
    jsonschema.Draft202012Validator.check_schema(SCHEMAS[kind])
    assert SCHEMAS[kind]["$id"] == f"urn:stellwerk:schema:{kind}"


@pytest.mark.parametrize("kind", KINDS)
def test_every_key_has_a_title_a_description_examples_and_a_default_unless_required(kind):
    keys = list(described_keys(SCHEMAS[kind]))
    assert keys
    for path, part in keys:
        assert part["title"], path
        assert part["description"].endswith("."), path
        assert part["examples"], path
        validator = VALIDATORS[kind].evolve(schema={"$defs": SCHEMAS[kind].get("$defs", {}), **part})
        for example in part["examples"]:
            validator.validate(example)


@pytest.mark.parametrize("kind", KINDS)
def test_every_optional_key_has_a_default(kind):
    def optional(schema):
        for key, part in schema.get("properties", {}).items():
            if key not in schema.get("required", ()):
                yield key, part
            yield from below(part)

    def below(part):
        yield from optional(part)
        for inner in [*part.get("anyOf", ()), part.get("items"), part.get("additionalProperties")]:
            if isinstance(inner, dict):
                yield from below(inner)

    for schema in (SCHEMAS[kind], *SCHEMAS[kind].get("$defs", {}).values()):
        for key, part in optional(schema):
            assert "default" in part, key


@pytest.mark.parametrize("kind", KINDS)
def test_the_examples_of_the_schema_conform(kind):
    for example in SCHEMAS[kind]["examples"]:
        assert check(kind, example) == []


def test_a_schema_that_does_not_exist_is_an_error_that_names_the_others():
    with pytest.raises(StellwerkError) as caught:
        schema_text("mlop")
    assert "mlops" in caught.value.hint


def test_a_schema_keyword_that_would_not_be_checked_is_refused():
    with pytest.raises(ValueError, match="multipleOf"):
        compile_schema({"type": "integer", "multipleOf": 2})


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
@settings(max_examples=80)
def test_our_checker_gives_the_verdict_of_the_general_validator(kind, data):
    value = data.draw(nearly_right(SCHEMAS[kind], SCHEMAS[kind]))
    assert conforms(value, compiled(kind)) == VALIDATORS[kind].is_valid(value)


@pytest.mark.parametrize("kind", KINDS)
@given(value=ANYTHING)
def test_every_mismatch_says_what_is_wrong_in_words(kind, value):
    for mismatch in mismatches(value, compiled(kind)):
        assert mismatch.rule in {"SW110", "SW111", "SW112"}
        assert mismatch.message
        assert "\n" not in mismatch.message


@pytest.mark.parametrize(
    ("value", "message", "hint"),
    [
        ({"treshold": 1}, "unknown key 'treshold' in models.churn", "did you mean 'thresholds'?"),
        ({"risk": "hgh"}, "models.churn.risk must be one of low, limited, high, not 'hgh'", "did you mean 'high'?"),
        ({"train": 5}, "models.churn.train must be a mapping (key: value), not the number 5", ""),
        ({"inputs": {"a": 1}}, "models.churn.inputs must be text or a list, not a mapping", ""),
        ({"target": ""}, "models.churn.target must not be empty", ""),
        ({"train": {"data": "s", "seed": -1}}, "models.churn.train.seed must be at least 0, not -1", ""),
        (
            {"train": {"holdout": {"fraction": 0.2, "last": "9d"}}},
            "models.churn.train.holdout cannot have both fraction and last",
            "keep one of them",
        ),
    ],
)
def test_messages_are_for_people(value, message, hint):
    (mismatch,) = check("mlops", {"version": 1, "models": {"churn": value}})
    assert (mismatch.message, mismatch.hint) == (message, hint)


def test_a_deploy_target_needs_what_it_runs():
    (mismatch,) = check("environment", {"purpose": "production", "deploy": {"target": "local"}})
    assert (mismatch.rule, mismatch.missing) == ("SW112", "path")


def test_a_source_is_exactly_one_thing():
    (mismatch,) = check(
        "mlops", {"version": 1, "datasets": {"a": {"path": "a.csv", "source": {"file": "x", "url": "y"}}}}
    )
    assert mismatch.message == "datasets.a.source needs exactly one of file, command, url, git"
