"""The evaluator of `${{ }}` against GitHub's documented rules and its own implementation."""

import json
import math
from pathlib import Path

import pytest
from harness import WorkflowError, load_workflow
from harness.expressions import Scope, condition, interpolate, split
from harness.filters import keeps
from harness.grammar import ExpressionError
from harness.matrix import LARGEST, MatrixError, expand, label

from harness.expressions import evaluate  # isort: skip

TABLE = json.loads((Path(__file__).parent / "harness/expressions.json").read_text(encoding="utf-8"))

# From "Evaluate expressions in workflows and actions" of GitHub's documentation, facts in our own words.
DOCUMENTED = [
    ("0xff", 255),
    ("-2.99e-2", -0.0299),
    ("'Mona the Octocat'", "Mona the Octocat"),
    ("'It''s open source!'", "It's open source!"),
    ("null == 0", True),
    ("true == 1", True),
    ("false == 0", True),
    ("'' == 0", True),
    ("'0x10' == 16", True),
    ("'text' == 0", False),
    ("fromJSON('[1]') == 1", False),
    ("fromJSON('[1]') == fromJSON('[1]')", False),
    ("github.event == github.event", True),
    ("'MAIN' == 'main'", True),
    ("contains('Hello world', 'llo')", True),
    ("contains(github.event.labels.*.name, 'bug')", True),
    ("""contains(fromJSON('["push", "pull_request"]'), 'push')""", True),
    ("startsWith('Hello world', 'He')", True),
    ("endsWith('Hello world', 'LD')", True),
    ("format('Hello {0} {1} {2}', 'Mona', 'the', 'Octocat')", "Hello Mona the Octocat"),
    ("format('{{Hello {0} {1} {2}!}}', 'Mona', 'the', 'Octocat')", "{Hello Mona the Octocat!}"),
    ("join(github.event.labels.*.name, ', ')", "bug, help wanted"),
    ("github.ref == 'refs/heads/main' && 'value_for_main' || 'other'", "value_for_main"),
    ("github.event.labels[0].name", "bug"),
    ("github.event.labels[7].name", None),
    ("github['ref_name']", None),
    ("fromJSON('false')", False),
    ("toJSON(github.event.labels[0])", '{\n  "name": "bug"\n}'),
    ("github.missing.further", None),
]
CONTEXTS = {"github": {"ref": "refs/heads/main", "event": {"labels": [{"name": "bug"}, {"name": "help wanted"}]}}}


@pytest.mark.parametrize(("expression", "value"), DOCUMENTED)
def test_an_expression_has_its_documented_value(expression, value):
    found = evaluate(expression, Scope(CONTEXTS))
    assert (found, type(found) is bool) == (value, type(value) is bool)


def test_the_evaluator_agrees_with_the_one_of_github():
    scope, wrong = Scope(TABLE["contexts"]), []
    for expression, *expected in TABLE["table"]:
        try:
            value = evaluate(expression, scope)
        except ExpressionError:
            found = []
        else:
            strange = isinstance(value, float) and not math.isfinite(value)
            found = [{"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[str(value)] if strange else value]
        if (json.dumps(found) != json.dumps(expected) and found != expected) or [
            type(item) is bool for item in found
        ] != [type(item) is bool for item in expected]:
            wrong.append((expression, expected, found))
    assert len(TABLE["table"]) > 400
    assert not wrong


def test_a_text_keeps_what_is_around_its_expressions_and_a_lone_expression_its_type():
    scope = Scope({"n": 3, "none": None, "list": [1]})
    assert interpolate("a ${{ n }}-${{ none }}-${{ true }} ${{ list }}", scope) == "a 3--true Array"
    assert interpolate("${{ list }}", scope) == [1]
    assert interpolate("${{ 'a }} b' }}", scope) == "a }} b"
    assert split("$ {{ n }} }}") == [("text", "$ {{ n }} }}")]
    with pytest.raises(ExpressionError, match="not closed"):
        interpolate("${{ n }", scope)


@pytest.mark.parametrize(
    ("text", "holds_after_success", "holds_after_failure"),
    [
        (None, True, False),
        ("true", True, False),
        ("${{ n == 3 }}", True, False),
        ("n == 4", False, False),
        ("always()", True, True),
        ("failure()", False, True),
        ("!cancelled() && n == 3", True, True),
        ("success() || failure()", True, True),
        ("${{ false }} x", True, False),  # a text that is not empty
        (False, False, False),
    ],
)
def test_a_condition_without_a_status_function_asks_for_success(text, holds_after_success, holds_after_failure):
    for failed, expected in ((False, holds_after_success), (True, holds_after_failure)):
        functions = {
            "success": lambda failed=failed: not failed,
            "failure": lambda failed=failed: failed,
            "cancelled": lambda: False,
            "always": lambda: True,
        }
        assert condition(text, Scope({"n": 3}, functions)) is expected


def job(keys: str = "", top: str = "", steps: str = "[{run: ls}]") -> str:
    return f"on: push\n{top}\njobs:\n  a:\n    runs-on: x\n    steps: {steps}\n    {keys}\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (job("if: env.X"), "unrecognized named-value: 'env'"),
        (job("if: matrix.x"), "unrecognized named-value: 'matrix'"),
        (job(steps="[{run: ls, if: secrets.X}]"), "unrecognized named-value: 'secrets'"),
        (job("env: {A: '${{ env.B }}'}"), "unrecognized named-value: 'env'"),
        (job("runs-on2: x"), "unexpected .'runs-on2'."),
        (job(top="env: {A: '${{ always() }}'}"), "not available"),
        (job("concurrency: {group: '${{ secrets.A }}'}"), "unrecognized named-value: 'secrets'"),
        (job(steps="[{run: 'echo ${{ nope() }}'}]"), "unrecognized function"),
        (job(steps="[{run: ls, uses: a/b@c}]"), "either `run` or `uses`"),
        (job(steps="[{run: ls, id: x}, {run: ls, id: x}]"), "used twice"),
        (job("needs: b"), "needs .'b'., which does not exist"),
        (job("needs: a"), "need each other"),
        (job("runs-on: y"), "defined twice"),
        ("on: push\njobs: {}", "required"),
        ("[", "ci.yml"),
    ],
)
def test_a_mistake_of_the_file_is_found_before_it_runs(text, words):
    with pytest.raises(WorkflowError, match=words):
        load_workflow(text, "ci.yml")


def test_the_yaml_is_of_version_1_2():
    loaded = load_workflow(job("env: {A: no, B: 0o7, C: 1:30, D: 1e3}"), "ci.yml")
    assert loaded.on == {"push": None}
    assert dict(loaded.jobs[0].given["env"]) == {"A": "no", "B": "0o7", "C": "1:30", "D": 1000.0}


def test_a_matrix_is_expanded_as_documented():
    assert expand({"os": ["a", "b"], "n": [1, 2], "exclude": [{"os": "a", "n": 2}]}) == [
        {"os": "a", "n": 1},
        {"os": "b", "n": 1},
        {"os": "b", "n": 2},
    ]
    fruits = {
        "fruit": ["apple", "pear"],
        "animal": ["cat", "dog"],
        "include": [
            {"color": "green"},
            {"color": "pink", "animal": "cat"},
            {"fruit": "apple", "shape": "circle"},
            {"fruit": "banana"},
            {"fruit": "banana", "animal": "cat"},
        ],
    }
    assert expand(fruits) == [  # the example of GitHub's documentation
        {"fruit": "apple", "animal": "cat", "color": "pink", "shape": "circle"},
        {"fruit": "apple", "animal": "dog", "color": "green", "shape": "circle"},
        {"fruit": "pear", "animal": "cat", "color": "pink"},
        {"fruit": "pear", "animal": "dog", "color": "green"},
        {"fruit": "banana"},
        {"fruit": "banana", "animal": "cat"},
    ]
    assert expand({"include": [{"n": 1}, {"n": 2}]}) == [{"n": 1}, {"n": 2}]
    assert label({"n": 1.0, "x": "y", "deep": {}}) == " (1, y)"
    for wrong in ({"include": []}, {"os": []}, {"n": list(range(LARGEST + 1))}, [1], {"include": [1]}):
        with pytest.raises(MatrixError):
            expand(wrong)


@pytest.mark.parametrize(
    ("config", "text", "kept"),
    [
        (None, "main", True),
        ({"branches": ["main"]}, "main", True),
        ({"branches": ["release/*"]}, "release/1/2", False),
        ({"branches": ["release/**"]}, "release/1/2", True),
        ({"branches": ["**", "!bot/**"]}, "bot/x", False),
        ({"branches": ["v[12].x"]}, "v2.x", True),
        ({"branches-ignore": ["bot/**"]}, "bot/x", False),
        ({"branches-ignore": ["bot/**"]}, "main", True),
        ({"branches": ["*.x"]}, "a.x", True),
        ({"branches": ["colou?r"]}, "color", True),
    ],
)
def test_a_filter_selects_names(config, text, kept):
    assert keeps(config, "branches", [text]) is kept


def test_paths_are_kept_if_one_of_them_is():
    assert keeps({"paths": ["**/*.py", "!docs/**"]}, "paths", ["docs/a.py", "src/b.py"])
    assert not keeps({"paths": ["**/*.py", "!docs/**"]}, "paths", ["docs/a.py", "README.md"])
    assert not keeps({"paths-ignore": ["docs/**", "*.md"]}, "paths", ["docs/a.py", "README.md"])
