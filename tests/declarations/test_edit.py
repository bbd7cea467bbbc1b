"""Edits of a person's YAML: what they promise, on hand-written files and on any mapping."""

import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st

from stellwerk.declarations.document import load_document
from stellwerk.declarations.edit import add_to_mapping, remove_key, set_value
from stellwerk.errors import StellwerkError

WRITTEN = """\
# The version that production runs.
version: 3  # agreed on Monday

hold:
  because: 'orders dropped'   # see the log
  by: ada
# the end
"""


def read(text):
    document, findings = load_document("x.yaml", text.encode())
    assert findings == ()
    return document.value


def test_setting_a_value_touches_only_its_characters():
    assert set_value(WRITTEN, ("version",), 4) == WRITTEN.replace("version: 3", "version: 4")


def test_setting_the_same_value_changes_nothing():
    assert set_value(WRITTEN, ("hold", "by"), "ada") == WRITTEN


def test_a_new_key_is_added_after_the_last_one():
    assert set_value(WRITTEN, ("rollback",), {"of": 4, "because": "wrong: prices", "by": "bob"}) == WRITTEN.replace(
        "  by: ada\n", '  by: ada\nrollback:\n  of: 4\n  because: "wrong: prices"\n  by: bob\n'
    )


def test_removing_a_key_takes_its_lines_and_leaves_every_other_byte():
    assert remove_key(WRITTEN, ("hold",)) == (
        "# The version that production runs.\nversion: 3  # agreed on Monday\n\n# the end\n"
    )


def test_removing_a_key_that_is_not_set_changes_nothing():
    assert remove_key(WRITTEN, ("withdrawn",)) == WRITTEN


def test_a_mapping_over_a_mapping_changes_only_the_entries_that_differ():
    changed = set_value(WRITTEN, ("hold",), {"because": "orders dropped", "by": "bob", "until": "2026-02-01"})
    assert changed == WRITTEN.replace("  by: ada\n", "  by: bob\n  until: 2026-02-01\n")


def test_windows_line_ends_stay():
    text = WRITTEN.replace("\n", "\r\n")
    changed = add_to_mapping(text, ("hold",), {"until": "2026-02-01"})
    assert changed == text.replace("  by: ada\r\n", "  by: ada\r\n  until: 2026-02-01\r\n")


def test_a_file_in_braces_stays_in_braces():
    assert set_value("{version: 3} # short\n", ("hold",), {"by": "ada"}) == "{version: 3, hold: {by: ada}} # short\n"


def test_a_file_without_a_last_line_end_can_be_added_to():
    assert read(set_value("version: 3", ("hold", "by"), "ada")) == {"version": 3, "hold": {"by": "ada"}}


def test_a_file_of_comments_gets_its_first_key():
    assert set_value("# nothing yet\n", ("version",), 1) == "# nothing yet\nversion: 1\n"


def test_the_last_key_of_a_mapping_leaves_an_empty_mapping():
    assert remove_key("a:\n  b: 1 # one\nc: 2\n", ("a", "b")) == "a: {}\nc: 2\n"


@pytest.mark.parametrize("text", ["a: &x 1\nb: *x\n", "a: [1\n", "a: 1\na: 2\n"])
def test_a_file_that_the_loader_refuses_is_not_edited(text):
    with pytest.raises(StellwerkError, match="cannot edit"):
        set_value(text, ("c",), 1)


def test_a_key_below_a_list_is_refused_with_words():
    with pytest.raises(StellwerkError, match="not a mapping"):
        set_value("a: [1]\n", ("a", "b"), 1)


@pytest.mark.parametrize(
    "text", ["yes", "1.10", "010", "null", "~", "", " x", "a: b", "a #b", "2026-01-01", "- a", "ä\n"]
)
def test_text_stays_text_when_written(text):
    assert read(set_value("version: 1\n", ("by",), text))["by"] == text


NAMES = st.text(alphabet="abcäß-_. 1:#'\"{}[],&*!|>%@`?", min_size=1, max_size=6)
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-999, 999), st.floats(-9, 9, width=16),
    st.text(alphabet="abä 1.:#-'\"\n{}[],\u2028", max_size=8),
)  # fmt: skip
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=6
)
MAPPINGS = st.dictionaries(NAMES, VALUES, min_size=1, max_size=4)
STYLES = st.sampled_from([None, False, True])


def written(value, style, line_end):
    text = yaml.safe_dump(value, default_flow_style=style, allow_unicode=True, sort_keys=False)
    return "# before\n".replace("\n", line_end) + text.replace("\n", line_end) + f"# after{line_end}"


def readable(text):
    document, findings = load_document("x.yaml", text.encode())
    assume(document is not None and not findings)
    return document.value


@given(value=MAPPINGS, key=NAMES, new=VALUES, style=STYLES, line_end=st.sampled_from(["\n", "\r\n"]))
def test_after_an_edit_the_file_reads_as_before_with_the_one_change(value, key, new, style, line_end):
    text = written(value, style, line_end)
    before = readable(text)
    changed = set_value(text, (key,), new)
    assert read(changed) == {**before, key: new}
    assert changed.startswith("# before")
    assert f"# after{line_end}" in changed


@given(value=MAPPINGS, style=STYLES, data=st.data())
def test_after_a_removal_the_file_reads_as_before_without_the_key(value, style, data):
    text = written(value, style, "\n")
    before = readable(text)
    key = data.draw(st.sampled_from(sorted(before)))
    changed = remove_key(text, (key,))
    assert read(changed) == {name: child for name, child in before.items() if name != key}
    kept = iter(text.splitlines())
    if style is False and len(before) > 1:
        assert all(any(line == other for other in kept) for line in changed.splitlines()), "lines were only taken out"


@given(value=st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 9), min_size=2), data=st.data())
def test_every_line_but_the_edited_one_is_byte_identical(value, data):
    lines = [f"{key}:   {number}  # about {key}\r\n" for key, number in value.items()]
    key = data.draw(st.sampled_from(sorted(value)))
    changed = set_value("".join(lines), (key,), 77).splitlines(keepends=True)
    place = list(value).index(key)
    assert changed[:place] + changed[place + 1 :] == lines[:place] + lines[place + 1 :]
    assert changed[place] == f"{key}:   77  # about {key}\r\n"
