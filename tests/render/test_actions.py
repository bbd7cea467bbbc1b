import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellwerk.errors import StellwerkError
from stellwerk.render.actions import ACTIONS, PinnedAction, pinned

HEX = st.text("0123456789abcdef", min_size=40, max_size=40)
VERSIONS = st.tuples(*[st.integers(0, 99)] * 3).map(lambda parts: "v" + ".".join(map(str, parts)))


def test_every_action_of_the_table_is_a_full_commit_with_its_full_version():
    assert ACTIONS
    for name, action in ACTIONS.items():
        assert action.name == name
        assert re.fullmatch(r"[0-9a-f]{40}", action.commit)
        assert re.fullmatch(r"v\d+\.\d+\.\d+", action.version)
        assert action.reference == f"{name}@{action.commit}"
    assert len({action.commit for action in ACTIONS.values()}) == len(ACTIONS)


def test_every_entry_of_the_table_names_two_projects_that_confirm_it(checkout: Path):
    lines = (checkout / "src/stellwerk/render/actions.py").read_text("utf-8").splitlines()
    entries = [number for number, line in enumerate(lines) if line.startswith("    PinnedAction(")]
    assert len(entries) == len(ACTIONS)
    for number in entries:
        owners = {project.split("/")[0] for project in lines[number - 1].removeprefix("    # ").split(", ")}
        assert len(owners) >= 2, lines[number - 1]
        assert "actions" not in owners


def test_an_action_nobody_overrides_is_as_the_table_pins_it():
    assert pinned("actions/checkout", {"actions/cache": ("0" * 40, "v1")}) is ACTIONS["actions/checkout"]


@given(HEX, VERSIONS)
def test_an_override_may_be_written_as_a_line_or_as_a_pair(commit: str, version: str):
    wanted = PinnedAction(name="actions/checkout", version=version, commit=commit)
    assert pinned("actions/checkout", {"actions/checkout": f"{commit} # {version}"}) == wanted
    assert pinned("actions/checkout", {"actions/checkout": (commit, version)}) == wanted


def test_an_action_the_table_lacks_can_be_pinned_by_the_project():
    name = "aws-actions/configure-aws-credentials"
    assert pinned(name, {name: ("a" * 40, "v5.1.0")}).reference == f"{name}@{'a' * 40}"


def test_an_action_that_nobody_pins_is_refused_and_told_how_to_pin_it():
    with pytest.raises(StellwerkError) as caught:
        pinned("evil/action", {})
    assert "evil/action" in caught.value.message
    assert "evil/action: COMMIT # VERSION" in caught.value.hint


@pytest.mark.parametrize(
    "override",
    [
        "v5",
        "v5.0.0 # v5.0.0",
        "08c6903",
        f"{'A' * 40} # v5.0.0",
        f"{'0' * 39} # v5.0.0",
        f"{'0' * 41} # v5.0.0",
        "\N{ARABIC-INDIC DIGIT ZERO}" * 40 + " # v5.0.0",
        "0" * 40,
        f"{'0' * 40} #",
        f"{'0' * 40} # v5.0.0\n        run: evil",
        f"{'0' * 40}\n      - run: evil # v5.0.0",
        f"{'0' * 40} # ${{{{ github.token }}}}",
        ("0" * 40, ""),
        ("main", "v5.0.0"),
    ],
)
def test_an_override_that_is_no_full_commit_with_a_version_is_refused(override):
    with pytest.raises(StellwerkError) as caught:
        pinned("actions/checkout", {"actions/checkout": override})
    assert "actions/checkout" in caught.value.message
    assert "40 hexadecimal digits" in caught.value.hint


@pytest.mark.parametrize(
    "name", ["checkout", "actions/checkout@v5", "actions/checkout # x", "../x", "./x/y", "a/b\n", ""]
)
def test_a_name_that_is_no_repository_is_refused(name):
    with pytest.raises(StellwerkError):
        pinned(name, {name: ("0" * 40, "v1.0.0")})
