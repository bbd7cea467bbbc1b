"""docs/notebooks.md says what the code does."""

from __future__ import annotations

import re

import pytest

from stellwerk.notebooks.convert import convert
from stellwerk.notebooks.document import TAGS
from stellwerk.notebooks.problems import judge
from stellwerk.notebooks.rules import RULES
from stellwerk.notebooks.text import notebook_of


@pytest.fixture(name="page")
def the_page(checkout):
    return (checkout / "docs/notebooks.md").read_text()


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```", page, flags=re.MULTILINE | re.DOTALL)


def test_the_notebook_of_the_page_becomes_what_the_page_shows(page):
    notebook = notebook_of(blocks(page, "text")[0])
    made = convert(notebook, model="shoe-demand", params={"share": 0.8})
    assert made.problems == ()
    assert [made.module, made.tests] == blocks(page, "python")


def test_the_parameters_of_the_page_break_no_rule(page):
    assert judge(notebook_of(blocks(page, "text")[1]), {"depth": 8}) == ()


def test_every_rule_and_every_tag_is_on_the_page(page):
    assert re.findall(r"^\| (SW8\d\d) \| (\w+) \| (.*) \|$", page, re.MULTILINE) == [
        (rule.id, rule.severity.value, rule.title) for rule in RULES
    ]
    assert set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)) == TAGS
