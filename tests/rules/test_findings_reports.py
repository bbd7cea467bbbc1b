"""Findings for people, for GitHub, for SARIF viewers and for programs say the same."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellwerk.errors import UsageError
from stellwerk.model.findings import Finding, Place, Severity
from stellwerk.planning.rules.catalogue import ALL_RULES, RULES, find_rule
from stellwerk.report.findings import findings_github, findings_json, findings_sarif, findings_text, rule_text
from stellwerk.report.terminal import cells

SCHEMA = json.loads((Path(__file__).resolve().parents[2] / "schemas/findings.schema.json").read_text())
SOURCE = "version: 1\nowners: {develops: forecastin}\n"
TEAM = Finding(
    rule="SW201",
    severity=Severity.ERROR,
    place=Place(path="mlops.yaml", line=2, column=20),
    message="there is no team 'forecastin'",
    hint="did you mean 'forecasting'?",
)
texts = st.text(max_size=80)
findings_of_any_text = st.lists(
    st.builds(
        Finding,
        rule=st.sampled_from([rule.id for rule in RULES]),
        severity=st.sampled_from(Severity),
        place=st.builds(
            Place, path=st.text(min_size=1, max_size=60), line=st.integers(1, 9), column=st.integers(1, 2000)
        ),
        message=st.text(min_size=1, max_size=200),
        hint=texts,
    ),
    max_size=4,
).map(tuple)


def test_the_text_shows_the_place_the_line_and_a_caret_under_the_column():
    assert findings_text((TEAM,), {"mlops.yaml": SOURCE}, color=False, width=80) == (
        "mlops.yaml:2:20\n"
        "  error[SW201]: there is no team 'forecastin'\n"
        "    2 | owners: {develops: forecastin}\n"
        "      |                    ^\n"
        "  help: did you mean 'forecasting'?\n"
        "\n"
        "1 error. `stellwerk rule ID` explains a rule.\n"
    )


def test_without_the_source_the_text_has_no_excerpt():
    assert "|" not in findings_text((TEAM,), {}, color=False, width=80)


def test_colour_adds_only_escapes():
    coloured = findings_text((TEAM,), {"mlops.yaml": SOURCE}, color=True, width=80)
    plain = findings_text((TEAM,), {"mlops.yaml": SOURCE}, color=False, width=80)
    assert "\x1b[31m" in coloured
    assert re.sub(r"\x1b\[\d+m", "", coloured) == plain


def test_the_line_with_a_secret_is_never_shown():
    secret = Finding(rule="SW503", severity=Severity.ERROR, place=TEAM.place, message="the value looks like a password")
    text = findings_text((TEAM, secret), {"mlops.yaml": SOURCE.replace("}", ", x: hunter2}")}, color=False, width=80)
    assert "hunter2" not in text


def test_a_line_that_holds_a_token_is_not_shown_for_another_mistake_either():
    text = findings_text((TEAM,), {"mlops.yaml": f"version: 1\nx: ghp_{'a1B2' * 9}\n"}, color=False, width=80)
    assert "there is no team" in text
    assert "ghp_" not in text


def test_a_long_line_is_cut_around_the_caret():
    line = "x" * 500 + "HERE" + "y" * 500
    finding = Finding(rule="SW101", severity=Severity.ERROR, place=Place(path="a", line=1, column=501), message="m")
    excerpt = findings_text((finding,), {"a": line}, color=False, width=60).splitlines()[2:4]
    assert all(cells(shown) <= 60 for shown in excerpt)
    assert excerpt[0][excerpt[1].index("^") :].startswith("HERE")


def test_a_caret_stands_under_a_character_that_follows_wide_ones():
    line = "名前: 価値x"
    finding = Finding(rule="SW101", severity=Severity.ERROR, place=Place(path="a", line=1, column=7), message="m")
    shown, caret = findings_text((finding,), {"a": line}, color=False, width=60).splitlines()[2:4]
    assert cells(shown.partition("x")[0]) == caret.index("^")


@given(findings=findings_of_any_text, source=texts, width=st.integers(1, 200))
def test_any_text_is_harmless_on_a_terminal(findings, source, width):
    sources = {finding.place.path: source for finding in findings}
    text = findings_text(findings, sources, color=False, width=width)
    assert all(character.isprintable() or character in "\n\u200c\u200d" for character in text if ord(character) < 0xA0)


def test_github_commands_escape_what_would_end_them():
    finding = Finding(
        rule="SW501",
        severity=Severity.WARNING,
        place=Place(path="a,b:c%.yaml", line=3, column=4),
        message="50% of\r\n::error::it",
    )
    assert findings_github((finding,)) == (
        "::warning file=a%2Cb%3Ac%25.yaml,line=3,col=4,title=SW501::50%25 of%0D%0A::error::it\n"
    )


def test_github_shows_notes_as_notices_with_their_hint():
    note = Finding(rule="SW314", severity=Severity.NOTE, place=Place(path="m.yaml"), message="none", hint="add one")
    assert findings_github((note,)) == "::notice file=m.yaml,line=1,col=1,title=SW314::none%0Aadd one\n"


@given(findings=findings_of_any_text)
def test_github_gets_one_line_per_finding_whatever_the_text(findings):
    lines = findings_github(findings).split("\n")
    assert len(lines) == len(findings) + 1
    for line, finding in zip(lines, findings, strict=False):
        properties, _, message = line.removeprefix("::").partition("::")
        assert properties.count(",") == 3
        asked = f"{finding.message}\n{finding.hint}" if finding.hint else finding.message
        assert message.replace("%0A", "\n").replace("%0D", "\r").replace("%25", "%") == asked


@given(findings=findings_of_any_text)
def test_the_json_keeps_its_schema_and_every_word(findings):
    report = json.loads(findings_json(findings))
    jsonschema.Draft202012Validator(SCHEMA).validate(report)
    assert [item["message"] for item in report["findings"]] == [finding.message for finding in findings]
    assert sum(report["summary"].values()) == len(findings)


def test_the_schema_is_valid_and_so_are_its_examples():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    for example in SCHEMA["examples"]:
        jsonschema.Draft202012Validator(SCHEMA).validate(example)


def test_sarif_has_the_structure_its_specification_demands():
    log = json.loads(findings_sarif((TEAM,)))
    assert log["version"] == "2.1.0"
    assert log["$schema"].endswith("sarif-schema-2.1.0.json")
    (run,) = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == [rule.id for rule in ALL_RULES]
    for rule in rules:
        assert rule["shortDescription"]["text"]
        assert rule["defaultConfiguration"]["level"] in {"error", "warning", "note"}
    (result,) = run["results"]
    assert rules[result["ruleIndex"]]["id"] == result["ruleId"] == "SW201"
    assert result["level"] == "error"
    assert result["message"]["text"] == "there is no team 'forecastin' (did you mean 'forecasting'?)"
    location = result["locations"][0]["physicalLocation"]
    assert location["artifactLocation"] == {"uri": "mlops.yaml", "uriBaseId": "%SRCROOT%"}
    assert location["region"] == {"startLine": 2, "startColumn": 20}


def test_a_sarif_uri_is_percent_encoded():
    finding = Finding(rule="SW201", severity=Severity.NOTE, place=Place(path="models/größe 1.yaml"), message="m")
    log = json.loads(findings_sarif((finding,)))
    location = log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]
    assert location["artifactLocation"]["uri"] == "models/gr%C3%B6%C3%9Fe%201.yaml"


@pytest.mark.parametrize("rule", ALL_RULES, ids=lambda rule: rule.id)
def test_a_rule_is_explained_with_both_examples(rule):
    text = rule_text(rule, width=80)
    assert text.startswith(f"{rule.id} {rule.title}\n")
    assert "Breaks it" in text
    assert "Keeps it" in text


def test_an_unknown_rule_is_wrong_usage_and_names_the_nearest():
    with pytest.raises(UsageError) as caught:
        find_rule("SW2044")
    assert "SW204" in caught.value.hint
