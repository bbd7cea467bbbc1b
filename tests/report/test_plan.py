import json
import re
import string
import unicodedata
from pathlib import Path
from unittest.mock import ANY

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stellwerk.errors import StellwerkError
from stellwerk.model.actions import (
    Check,
    Deploy,
    Plan,
    Promote,
    Render,
    Retire,
    Snapshot,
    Step,
    Train,
    Wait,
    WaitKind,
)
from stellwerk.report.plan_json import plan_from_json, plan_json
from stellwerk.report.plan_markdown import escape, plan_markdown
from stellwerk.report.plan_text import plan_text, summary
from stellwerk.report.terminal import UNBOUNDED, cells

SCHEMA = jsonschema.Draft202012Validator(
    json.loads((Path(__file__).resolve().parents[2] / "schemas/plan.schema.json").read_text())
)
TEXT = """\
sales
  +  take a snapshot of the data
       there is no snapshot yet

shoe-demand
  +  write models/shoe-demand/dvc.yaml
       declared
  ~  update models/shoe-demand/params.yaml
  +  train a new version (about 2 min)
       sales changed: 9c1f… → 03ab…
  =? check the new version in regression against v2, if training succeeds (about 8 s)
       not judged there yet
  >? promote to production, v2 → the new version, if regression passes
       it is the current version
  >? deploy to production, v2 → the new version, if promotion to production
       the target runs v2

project
  -  delete models/old/dvc.yaml
       old is no longer declared

credit
  <  roll back in production, v2 → v1
       v2 violates roc_auc

churn
  <  withdraw v4 from production; the fallback serves
       withdrawn by ada

old
  -  retire v1 from production
       old is no longer declared

Waiting
  !  credit v3 in production: 0 of 1 approvals by credit-risk
       → stellwerk approve credit production

Plan: 3 to render, 1 to snapshot, 1 to train, 1 to check, 2 to promote, 2 to deploy, 1 to retire; 1 waiting. About 2 min.
Next: stellwerk reconcile does exactly this.
"""

name = st.text(string.ascii_lowercase + "-é", min_size=1, max_size=12)
words = st.text(max_size=30)
number = st.none() | st.integers(1, 10**6)
actions = st.one_of(
    st.builds(Render, path=words, text=st.none() | words, model=st.none() | name, new=st.booleans()),
    st.builds(Snapshot, dataset=name),
    st.builds(Train, model=name, fingerprint=st.none() | words),
    st.builds(Check, model=name, environment=name, version=number, champion=number),
    st.builds(Promote, model=name, environment=name, version=number, previous=number, back=st.booleans()),
    st.builds(Deploy, model=name, environment=name, version=number, previous=number, withdraw=st.booleans()),
    st.builds(Retire, model=name, environment=name, version=st.integers(1, 99)),
)
steps = st.builds(
    Step,
    action=actions,
    reason=words,
    condition=words,
    seconds=st.none() | st.floats(0, 1e9, allow_nan=False),
    key=words,
    needs=st.lists(words, max_size=2).map(tuple),
)
waits = st.builds(
    Wait,
    kind=st.sampled_from(WaitKind),
    reason=words,
    unblock=words,
    model=st.none() | name,
    environment=st.none() | name,
    version=number,
)


def plan_of(**parts):
    """A plan; its own module does not import what it is made of, so its hints say nothing."""
    return Plan(**parts)


plans = st.builds(
    plan_of,
    basis=words,
    steps=st.lists(steps, max_size=6).map(tuple),
    waits=st.lists(waits, max_size=3).map(tuple),
)


def test_a_plan_reads_as_grouped_steps_with_reasons_conditions_waits_and_a_summary(whole_plan):
    assert plan_text(whole_plan, color=False, width=UNBOUNDED) == TEXT


def test_colour_adds_nothing_but_escape_sequences(whole_plan):
    colored = plan_text(whole_plan, color=True, width=UNBOUNDED)
    assert colored != TEXT
    assert re.sub(r"\x1b\[\d+m", "", colored) == TEXT


def test_no_line_of_a_plan_is_wider_than_the_terminal(whole_plan):
    assert max(cells(line) for line in plan_text(whole_plan, color=False, width=60).splitlines()) <= 60


def test_an_empty_plan_says_that_there_is_nothing_to_do():
    assert plan_text(Plan(basis="1a2b"), color=False, width=80) == (
        "Nothing to do: what is declared is what is there.\n"
    )


def test_a_plan_of_waits_only_counts_them(whole_plan):
    assert summary(Plan(basis="", waits=whole_plan.waits)) == "Nothing to do; 1 waiting."


@given(plans)
def test_no_control_character_of_a_declaration_reaches_the_terminal(plan):
    for text in (plan_text(plan, color=False, width=80), plan_markdown(plan)):
        assert [character for line in text.split("\n") for character in line if hidden(character)] == []


def hidden(character):
    return unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"} and character not in "\u200c\u200d"


@given(plans)
def test_reading_what_was_written_gives_the_same_plan(plan):
    assert plan_from_json(plan_json(plan)) == plan


@settings(max_examples=30)
@given(plans)
def test_every_plan_matches_its_schema(plan):
    SCHEMA.validate(json.loads(plan_json(plan)))


def test_plan_json_is_valid_and_counts_its_steps(whole_plan, assert_valid):
    content = assert_valid("plan", plan_json(whole_plan))
    assert content["version"] == 1
    assert content["summary"]["promote"] == 2
    assert content["steps"][0] == {
        "action": "snapshot",
        "dataset": "sales",
        "reason": "there is no snapshot yet",
        "condition": "",
        "seconds": None,
        "key": "",
        "needs": [],
    }


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["version", "steps", "x"]), inner),
    max_leaves=8,
)


@given(json_values)
def test_any_other_json_is_refused_as_no_plan(value):
    with pytest.raises(StellwerkError, match="not a plan"):
        plan_from_json(json.dumps(value))


@given(plans.filter(lambda plan: plan.steps), st.data())
def test_a_plan_with_one_field_of_a_wrong_type_is_refused_and_says_where(plan, data):
    content = json.loads(plan_json(plan))
    step = content["steps"][0]
    key = data.draw(st.sampled_from(sorted(step)))
    step[key] = [1]
    with pytest.raises(StellwerkError) as caught:
        plan_from_json(json.dumps(content))
    assert caught.value.where.removesuffix("[0]") == f"steps[0].{key}"


def paths_of(value, path=()):
    yield path
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from paths_of(inner, (*path, key))


@given(plans, json_values, st.data())
def test_a_plan_with_anything_anywhere_is_a_plan_or_refused_with_where_and_what(plan, anything, data):
    """The verdict is the schema's, whatever the file says."""
    content = json.loads(plan_json(plan))
    path = data.draw(st.sampled_from(sorted(filter(None, paths_of(content)), key=str)))
    *above, last = path
    parent = content
    for key in above:
        parent = parent[key]
    if data.draw(st.booleans()):
        parent[last] = anything
    elif isinstance(parent, dict) and data.draw(st.booleans()):
        parent[data.draw(words)] = parent.pop(last)
    else:
        del parent[last]
    content = json.loads(json.dumps(content))
    text = json.dumps(content)
    if SCHEMA.is_valid(content) and not re.search(r"NaN|Infinity", text):
        assert json.loads(plan_json(plan_from_json(text))) == {**content, "summary": ANY}
    else:
        with pytest.raises(StellwerkError, match=r"not a plan: .") as caught:
            plan_from_json(text)
        assert caught.value.message.isprintable()


@pytest.mark.parametrize(
    ("change", "where", "problem"),
    [
        ({"version": 2, "steps": 1}, "version", "it must be 1"),
        ({"basis": None}, "basis", "it must be text"),
        ({"steps": [1]}, "steps[0]", "it must be an object"),
        ({"steps": [{"action": ["train"]}]}, "steps[0].action", "it must be one of render, snapshot, train"),
        ({"steps": [{"action": "train", "key": 1}]}, "steps[0]", "the key 'model' is missing"),
        ({"waits": [{"kind": "rain"}]}, "waits[0]", "the key 'reason' is missing"),
        ({"x\n\x1b": 1}, "", "unknown key 'x\N{REPLACEMENT CHARACTER}"),
        ({"summary": {"train": -1}}, "summary", "the key 'render' is missing"),
    ],
)
def test_a_file_that_is_no_plan_is_told_where_and_what(change, where, problem):
    content = json.loads(plan_json(Plan(basis="1a2b")))
    with pytest.raises(StellwerkError) as caught:
        plan_from_json(json.dumps({**content, **change}))
    assert caught.value.where == where
    assert caught.value.message.startswith(f"this is not a plan: {problem}")


@pytest.mark.parametrize("number", ["1e999", "NaN", "9" * 5000, "-1", "true"])
def test_seconds_that_are_no_number_of_seconds_are_refused(number):
    step = Step(action=Snapshot(dataset="sales"), reason="new", seconds=77.5)
    text = plan_json(Plan(basis="", steps=(step,)))
    with pytest.raises(StellwerkError, match="not a plan"):
        plan_from_json(text.replace("77.5", number))


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, '{"version": 2, "basis": "", "steps": [], "waits": []}'])
def test_a_text_that_is_no_plan_is_an_error_with_a_way_out(text):
    with pytest.raises(StellwerkError) as caught:
        plan_from_json(text)
    assert caught.value.hint == "make one with: stellwerk plan --out plan.json"


def test_markdown_is_a_table_of_steps_and_a_list_of_waits(whole_plan):
    text = plan_markdown(whole_plan)
    assert "| **sales** | `+` | take a snapshot of the data | there is no snapshot yet |" in text
    assert "|  | `~` | update models/shoe\\-demand/params.yaml | declared |" in text
    assert (
        "- **credit v3 in production**: 0 of 1 approvals by credit\\-risk → stellwerk approve credit production" in text
    )
    assert text.endswith("<sub>planned at 1a2b3c4</sub>\n")


@pytest.mark.parametrize(
    ("hostile", "harmless"),
    [
        ("<img src=x>", "&lt;img src=x&gt;"),
        ("@everyone", "@<!-- -->everyone"),
        ("fixes #12", "fixes #<!-- -->12"),
        ("a|b\n| c", "a\\|b\\n\\| c".replace("\\n", "\\\\n")),
        ("[x](https://evil.example)", "\\[x\\]\\(https:<!-- -->//evil.example\\)"),
        ("WWW.evil.example", "WWW<!-- -->.evil.example"),
        ("`code`", "\\`code\\`"),
        ("&amp;", "&amp;amp;"),
    ],
)
def test_nothing_a_person_declares_formats_links_or_pings_in_a_comment(hostile, harmless):
    assert escape(hostile) == harmless


def test_a_comment_of_a_huge_plan_stays_below_the_limit_and_says_what_it_left_out():
    step = Step(action=Train(model="m" * 200, fingerprint=None), reason="because @you said so " * 40)
    text = plan_markdown(Plan(basis="1a2b", steps=(step,) * 1000))
    assert len(text.encode()) < 65_536
    assert "more lines: `stellwerk plan` shows them all." in text


def test_datasets_stand_before_the_models_that_need_them():
    train = Step(action=Train(model="churn", fingerprint=None), reason="first version")
    snapshot = Step(action=Snapshot(dataset="churn"), reason="it has no snapshot yet")
    assert plan_text(Plan(basis="1a2b", steps=(train, snapshot)), color=False, width=80, hints=False) == (
        "churn\n"
        "  +  take a snapshot of the data\n"
        "       it has no snapshot yet\n"
        "\n"
        "churn\n"
        "  +  train a new version\n"
        "       first version\n"
        "\n"
        "Plan: 1 to snapshot, 1 to train.\n"
    )


def test_a_plan_of_uncommitted_files_says_to_commit_them_first():
    plan = Plan(basis="1", steps=(Step(action=Train(model="m", fingerprint="f"), reason="new", key="train:m"),))
    shown = plan_text(plan, color=False, width=200, uncommitted=("a.py", "b.py", "mlops.yaml"))
    assert "Next: commit a.py, b.py and 1 more; then stellwerk reconcile does exactly this." in shown
