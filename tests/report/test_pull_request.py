"""The report on a pull request, as Markdown and JSON, of changes made up here."""

import json
import random
import re
import sys
import types
import typing
from collections.abc import Mapping
from enum import Enum
from pathlib import Path

import jsonschema
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from msgspec.structs import replace

from stellwerk.model import actions, declared, findings, records, views
from stellwerk.model.actions import Check, Deploy, Promote, Step, Train
from stellwerk.model.declared import Threshold
from stellwerk.model.findings import Finding, Place, Severity
from stellwerk.model.records import CheckResult, Measurement, Release
from stellwerk.model.views import Condition, Explanation
from stellwerk.planning.change import Change, SourceCheck
from stellwerk.planning.release_change import Comparison, ReleaseChange
from stellwerk.planning.threshold_change import Reading, ThresholdChange
from stellwerk.report.change_evidence import bar
from stellwerk.report.change_json import change_json
from stellwerk.report.pull_request import LIMIT, MARKER, pull_request_markdown, verdict

SCHEMA = jsonschema.Draft202012Validator(
    json.loads((Path(__file__).resolve().parents[2] / "schemas/report.schema.json").read_text())
)
RENDERER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
OURS = re.compile(r"<!-- -->|</?sub>|<br>")
BLOCKS = re.compile(
    r"<!-- stellwerk:report -->\n?.*|<details><summary><b>[^<>]*(<!-- -->[^<>]*)*</b></summary>|</details>"
)
INLINE = {"text", "softbreak", "strong_open", "strong_close", "html_inline", "code_inline", "hardbreak"}
NASTY = (
    "@everyone", "fixes #12", "GH-12", "`code`", "``` fence", "~~~", "<img src=x onerror=alert(1)>", "</details>",
    "<!-- stellwerk:report -->", "-->", "${{ github.token }}", "$x^2$", "[a](https://evil.example)", "![a](x)",
    "https://evil.example", "www.evil.example", "a|b", "\n# head", "\n\n---\n", "1. one", "- item", "    code",
    "**bold**", "__x__", "~~gone~~", "\u202egnp", "\x1b[31m", "\r\n| a | b |", "&lt;b&gt;", "\\", "\\|", "x@y.example",
)  # fmt: skip

nasty = st.sampled_from(NASTY) | st.text(max_size=20) | st.lists(st.sampled_from(NASTY), max_size=3).map(" ".join)


class Maker:
    """Values of any type of ours by chance, every text of them one of a few given ones."""

    def __init__(self, texts, seed):
        self.texts, self.random = texts, random.Random(seed)

    def make(self, hint):
        """A value of that type."""
        origin, inner = typing.get_origin(hint), typing.get_args(hint)
        if origin in {typing.Union, types.UnionType}:
            return self.make(self.random.choice(inner))
        if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
            return self.record(hint)
        return self.collection(origin, inner) if origin else self.scalar(hint)

    def record(self, cls):
        hints = typing.get_type_hints(cls, vars(sys.modules[cls.__module__]) | KNOWN)
        made = {name: self.make(hints[name]) for name in cls.__struct_fields__}
        return cls(**made | {name: self.random.choice(CHOICES[name]) for name in made.keys() & CHOICES.keys()})

    def collection(self, origin, inner):
        if origin is tuple and inner[-1] is not Ellipsis:
            return tuple(self.make(item) for item in inner)
        count = self.random.choice((0, 1, 1, 2))
        if origin is tuple:
            return tuple(self.make(inner[0]) for _ in range(count))
        return {self.make(inner[0]): self.make(inner[1]) for _ in range(count)}

    def scalar(self, hint):
        if issubclass(hint, Enum):
            return self.random.choice(list(hint))
        plain = {
            str: self.texts,
            int: (1, 7, 12_345),
            float: (0.0, 0.5, -3.25, 1e6),
            bool: (False, True),
            type(None): (None,),
        }
        return self.random.choice(plain[hint])


# What the modules import for their types alone.
KNOWN = {
    **{name: item for module in (declared, findings, records, views, actions) for name, item in vars(module).items()},
    "Json": str | float,
    "Mapping": Mapping,
}
CHOICES = {
    "mode": ("auto", "pull-request"),
    "rule": ("SW204",),
    "seconds": (None, 0.5, 130.0),
    "direction": ("new", "removed", "tighter", "looser", "tighter and looser"),
}
texts = st.lists(nasty, min_size=1, max_size=4)
changes = st.builds(lambda words, seed: Maker(words, seed).make(Change), texts, st.integers(0, 2**32))
filled = st.builds(
    lambda words, seed: Maker(words, seed).make(Change),
    texts.map(lambda all_: [text or "x" for text in all_]),
    st.integers(0, 2**32),
)


def tokens_of(text):
    for token in RENDERER.parse(text):
        yield token
        yield from token.children or ()


@settings(max_examples=100)
@given(changes)
def test_nothing_that_anybody_typed_formats_links_or_notifies(change):
    text = pull_request_markdown(change)
    shown = []
    for token in tokens_of(text):
        if token.type == "html_inline":
            assert OURS.fullmatch(token.content)
        elif token.type == "html_block":
            assert all(BLOCKS.fullmatch(line) for line in token.content.strip().split("\n"))
            shown += re.split(r"<[^>]*>", token.content)
        elif token.type == "text":
            shown.append(token.content)
        elif token.type == "code_inline":
            assert token.content in {"stellwerk report --base REV", "+", "~", "-", "=", ">", "<"} | {
                f"{sign}?" for sign in "+~-=><"
            }
        assert token.type not in {
            "link_open",
            "image",
            "fence",
            "code_block",
            "hr",
            "s_open",
            "ordered_list_open",
            "em_open",
        }
        if token.type == "inline":
            assert {child.type for child in token.children} <= INLINE
        if token.type == "heading_open":
            assert token.tag == "h4"
    for piece in shown:  # what GitHub looks through for mentions, issues, addresses and formulas, one piece at a time
        assert not re.search(r"@\w|#\d|\bgh-\d|https?://|www\.|\$.*\$|\$\{\{", piece, re.IGNORECASE)


@settings(max_examples=40)
@given(changes)
def test_every_table_has_as_many_cells_in_each_row_as_in_its_head(change):
    text = pull_request_markdown(change)
    for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}
        assert len(widths) == 1
    rows = len(re.findall(r"^\|(?!---)", text, re.MULTILINE))
    assert sum(token.type == "tr_open" for token in RENDERER.parse(text)) == rows


@settings(max_examples=40)
@given(changes)
def test_the_first_line_is_the_marker_and_the_second_the_verdict(change):
    first, second, *_ = pull_request_markdown(change).split("\n")
    assert first == MARKER
    assert second == verdict(change)
    assert second.startswith("❌") is change.red


@settings(max_examples=40)
@given(changes)
def test_the_same_change_gives_the_same_bytes(change):
    places = dict(reversed(change.places.items()))
    assert pull_request_markdown(replace(change, places=places)) == pull_request_markdown(change)


@settings(max_examples=40)
@given(filled)
def test_every_report_as_json_fits_its_schema(change):
    content = json.loads(change_json(change))
    SCHEMA.validate(content)
    assert content["passed"] is not change.red


@pytest.mark.parametrize("wide", ["x" * 1500, "@|" * 700, "🦊" * 900])
def test_a_report_of_a_thousand_models_stays_below_the_limit_and_keeps_what_matters_most(wide):
    steps = tuple(
        Step(action=Train(model=f"m{number}", fingerprint=None), reason=wide, key=f"train:m{number}")
        for number in range(1000)
    )
    explained = tuple(
        Explanation(
            model=f"m{number}",
            environment="production",
            version=1,
            released=None,
            conditions=(Condition(text=wide, met=False),),
        )
        for number in range(20)
    )
    failing = ThresholdChange(
        model="m1",
        metric="mae",
        environments=("regression",),
        before=None,
        after=Threshold(metric="mae", max=1.0),
        direction="new",
        owner="risk",
        readings=(Reading(version=2, environments=("production",), limit="mae <= 1.0", passed=False),),
    )
    change = Change(base="1a2b3c4d", head="", added=steps, blocked=explained, thresholds=(failing,))
    text = pull_request_markdown(change)
    assert len(text) <= LIMIT
    assert "#### Thresholds touched" in text
    assert "❌ **fails**" in text
    assert re.search(r"… left out, because a comment holds no more: What will happen .*\d+ lines; What stands", text)
    assert text.count("<details>") == text.count("</details>")
    assert len(text) > LIMIT / 2, "it is cut no further than needed"


def test_a_change_of_nothing_says_so_in_one_line():
    text = pull_request_markdown(Change(base="1a2b3c4d5e", head="5e4d"))
    assert text == (
        f"{MARKER}\n✅ **Merging this starts nothing.**\n"
        "\n<sub>compared with 1a2b3c4; `stellwerk report --base REV` shows it in a clone</sub>\n"
    )


def test_the_verdict_counts_what_happens_where_and_for_how_long():
    steps = (
        Step(action=Train(model="a", fingerprint=None), reason="r", seconds=100.0),
        Step(action=Train(model="b", fingerprint=None), reason="r", seconds=80.0),
        Step(action=Check(model="a", environment="regression", version=None), reason="r", condition="c"),
        Step(
            action=Promote(model="a", environment="production", version=None), reason="r", condition="regression passes"
        ),
        Step(action=Deploy(model="a", environment="production", version=None), reason="r", condition="promoted"),
    )
    change = Change(base="1", head="2", added=steps, places={"a": "regression", "b": "regression"})
    assert verdict(change) == (
        "✅ **Merging this trains 2 models in regression and promotes 1 model to production (if it passes)**,"
        " about 3 min by recorded durations."
    )


def test_mistakes_block_and_tell_old_ones_from_new():
    new = Finding(rule="SW110", severity=Severity.ERROR, place=Place(path="mlops.yaml"), message="no such key")
    change = Change(base="1", head="2", findings=(new,), errors=3, problem="the declarations have mistakes")
    assert verdict(change) == (
        "❌ **Blocked:** the declarations have 3 mistakes (2 of them not by this change), so nothing can be planned."
    )
    assert "| ❌ error | SW110 | mlops.yaml:1 | no such key |" in pull_request_markdown(change)


def test_a_failed_development_check_warns_shows_its_message_and_gates_nothing():
    failed = SourceCheck(
        file="a.json",
        model="demand",
        environment="dev",
        checks=(CheckResult(name="smoke training", passed=False, detail="ValueError: no luck"),),
    )
    change = Change(base="1", head="2", sources=(("demand", ("code demand.py",)),), checks=(failed,))
    text = pull_request_markdown(change)
    assert not change.red
    assert "⚠️ **Merging this starts nothing.** The check of demand did not pass." in text
    assert "Smoke metrics on stand-in data" in text
    assert "ValueError: no luck" in text


def test_what_was_measured_on_other_rows_gets_no_difference():
    old, new = Measurement(value=2.0, n=50), Measurement(value=1.5, n=60)
    kept = Comparison(
        metric="mae", slice=None, limit="mae <= 5", passed=True, candidate=new, champion=old, same_rows=True
    )
    release = ReleaseChange(
        environment="production",
        model="demand",
        before=Release(version=1),
        after=Release(version=2),
        judged_in="regression",
        champion=1,
        comparisons=(kept, replace(kept, metric="rmse", same_rows=False)),
    )
    text = pull_request_markdown(Change(base="1", head="2", releases=(release,)))
    assert "| mae | all | 2 | 1.5 | -0.5 | ✅ mae &lt;= 5 |  |" in text
    assert "| rmse | all | 2 ¹ | 1.5 |  | ✅ mae &lt;= 5 |  |" in text
    assert "¹ from its own verdict" in text


@given(st.floats(-10, 10))
def test_a_bar_is_never_longer_than_its_room(share):
    assert len(bar(share)) <= 24
    assert bar(0.0) == ""
    assert bar(1.0) == "█" * 24
