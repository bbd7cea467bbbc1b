"""The documentation is complete and true where a machine can tell."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from stellwerk.cli.main import VERBS
from stellwerk.declarations.compose import load_declarations

CHECKOUT = Path(__file__).resolve().parents[2]
PAGES = [CHECKOUT / "README.md", *sorted((CHECKOUT / "docs").glob("*.md"))]


def schema(kind):
    return json.loads((CHECKOUT / f"schemas/{kind}.schema.json").read_text())


def key_names(node):
    """Every property name anywhere in a schema."""
    if isinstance(node, dict):
        properties = node.get("properties")
        if isinstance(properties, dict):
            yield from properties
        for value in node.values():
            yield from key_names(value)
    elif isinstance(node, list):
        for value in node:
            yield from key_names(value)


def yaml_blocks(page):
    return re.findall(r"^```yaml\n(.*?)^```", page.read_text(), flags=re.MULTILINE | re.DOTALL)


def test_the_reference_is_what_the_schemas_and_the_command_line_say():
    script = CHECKOUT / "docs/render_reference.py"
    done = subprocess.run([sys.executable, script, "--check"], check=False)
    assert done.returncode == 0, "a page in docs/ is stale: run python docs/render_reference.py"


@pytest.mark.parametrize("kind", ["mlops", "environment", "release"])
def test_every_declared_key_is_in_the_reference(kind):
    named = set(
        re.findall(r"^\| `(?:[^`]*\.)?([^`.]+)` \|", (CHECKOUT / "docs/reference.md").read_text(), re.MULTILINE)
    )
    assert set(key_names(schema(kind))) <= named


@pytest.mark.parametrize("page", ["README.md", "docs/reference.md"])
def test_every_command_that_people_use_is_on_the_page(page):
    text = (CHECKOUT / page).read_text()
    missing = [verb for verb in VERBS if not re.search(rf"`(?:stellwerk )?{verb}\b", text)]
    assert missing == ([] if page != "README.md" else ["stage"])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_to_a_file_leads_somewhere(page):
    targets = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text())
    assert [target for target in targets if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "rules.md"], ids=lambda page: page.name)
def test_every_declaration_shown_fits_its_schema(page):
    """A block with `version: 1` is a whole mlops.yaml, with another version a release, with `purpose:` an environment."""
    for block in yaml_blocks(page):
        value = json.loads(json.dumps(yaml.safe_load(block), default=str))
        if "purpose" in value:
            Draft202012Validator(schema("environment")).validate(value)
        elif "version" in value:
            Draft202012Validator(schema("mlops" if value["version"] == 1 else "release")).validate(value)


class Page:
    """The files that a page has shown so far, as a tree."""

    def __init__(self):
        self.files = {}

    def blobs(self):
        return {path: hashlib.sha256(content).hexdigest() for path, content in self.files.items()}

    def read(self, paths):
        return {path: self.files[path] for path in paths if path in self.files}


def test_every_step_of_the_guide_loads_without_a_mistake():
    page, steps = Page(), 0
    for block in yaml_blocks(CHECKOUT / "docs/getting-started.md"):
        named = re.match(r"# (environments/\S+\.yaml)\n", block)
        page.files[named[1] if named else "mlops.yaml"] = block.encode()
        if not named and "include:" not in block:
            steps += 1
            declared, findings = load_declarations(page)
            assert [finding.message for finding in findings] == []
            assert declared.complete
    assert steps >= 5


def test_the_readme_and_the_reference_tell_the_same_exit_codes():
    codes = [
        re.findall(r"^\| (\d+) \|", (CHECKOUT / page).read_text(), re.MULTILINE)
        for page in ("README.md", "docs/reference.md")
    ]
    assert codes[0] == codes[1] == ["0", "1", "2", "3", "4", "64", "70", "130"]


def test_the_readme_has_the_two_commands_that_ci_follows():
    lines = [line for line in (CHECKOUT / "README.md").read_text().splitlines() if line.startswith("python3 -m venv")]
    assert [line.rpartition(".venv/bin/")[2].split()[0] for line in lines] == ["stellwerk", "pytest"]
