"""What is installed is what was tested: every dependency is pinned, and no file points at a place of its own."""

from __future__ import annotations

import re
import tomllib

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def pins(checkout):
    lines = [line for line in (checkout / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    return {canonicalize_name(name): version for name, _, version in (line.partition("==") for line in lines)}


def test_constraints_are_exact_versions_and_nothing_else(checkout):
    lines = [line for line in (checkout / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.!+]+", line)] == []


def test_every_dependency_of_core_and_tests_is_pinned_within_its_range(checkout):
    project = tomllib.loads((checkout / "pyproject.toml").read_text())["project"]
    pinned = pins(checkout)
    for text in project["dependencies"] + project["optional-dependencies"]["test"]:
        wanted = Requirement(text)
        assert pinned.get(canonicalize_name(wanted.name)) in wanted.specifier, text


def test_the_changelog_names_the_version_or_has_it_still_to_come(checkout):
    import stellwerk

    text = (checkout / "CHANGELOG.md").read_text()
    assert f"## [{stellwerk.__version__}]" in text or "## [Unreleased]" in text
