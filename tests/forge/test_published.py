"""The judge that every exchange of these tests is brought before, where GitHub's descriptions are installed."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from published import EXAMPLES, Exchanged, descriptions, examples_of, graphql_schema, node_modules

needs_descriptions = pytest.mark.skipif(
    node_modules() is None,
    reason="GitHub's descriptions are not installed, so no exchange is held to them: see tests/node/README.md",
)
LABEL = json.loads(EXAMPLES.read_text())["label"]
ASKED = Exchanged(
    verb="POST",
    target="/repos/a/b/labels",
    body={"name": "stellwerk", "color": "1f6feb", "description": "x"},
    status=201,
    answer=LABEL,
)
LISTED = Exchanged(verb="GET", target="/repos/a/b/pulls?head=a:x&state=open&per_page=10", status=200, answer=[])


@needs_descriptions
@pytest.mark.parametrize("good", [ASKED, LISTED, replace(LISTED, status=503, answer={"message": "down"})])
def test_what_is_published_is_found_to_be_so(good):
    assert [description.problems(good) for description in descriptions()] == [[], []]


@needs_descriptions
@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (replace(ASKED, target="/repos/a/b/lables"), "no such operation"),
        (replace(ASKED, verb="PUT"), "no such operation"),
        (replace(ASKED, body={**ASKED.body, "colour": "red"}), "colour is not described"),
        (replace(ASKED, body={"color": "1f6feb"}), "'name' is a required property"),
        (replace(ASKED, body=None), "a body is missing"),
        (replace(ASKED, status=200), "status 200 is not described"),
        (replace(ASKED, answer={**LABEL, "default": "no"}), "'no' is not of type 'boolean'"),
        (replace(LISTED, target="/repos/a/b/pulls?state=opened"), "'opened' is not one of"),
        (replace(LISTED, target="/repos/a/b/pulls?sort=number"), "'number' is not one of"),
        (replace(LISTED, target="/repos/a/b/pulls?per_page=ten"), "'ten' is not of type 'integer'"),
        (replace(LISTED, target="/repos/a/b/pulls?label=x"), "query label is not described"),
        (replace(LISTED, answer=[{"number": 1}]), "is a required property"),
        (replace(LISTED, status=503, answer={"message": 3}), "3 is not of type 'string'"),
    ],
)
def test_what_is_not_as_published_is_found(bad, words):
    for description in descriptions():
        assert any(words in problem for problem in description.problems(bad))


@needs_descriptions
def test_the_server_answers_from_the_examples_of_the_pinned_description():
    assert json.loads(EXAMPLES.read_text()) == examples_of(descriptions()[0])


@needs_descriptions
def test_the_published_graphql_schema_knows_what_we_ask():
    from graphql import parse, validate

    from stellwerk.adapters.forge.merging import DISABLE, ENABLE
    from stellwerk.adapters.forge.repository import WHO

    assert "repository" in graphql_schema().query_type.fields, "this is GitHub's own"
    for query in (ENABLE, DISABLE, WHO):
        assert validate(graphql_schema(), parse(query)) == []
    assert validate(graphql_schema(), parse(WHO.replace("login", "logon"))) != []
