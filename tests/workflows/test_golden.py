"""What is rendered for CI is what is kept under golden/, which others' validators read; hostile text stays text."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from stellwerk.model.declared import Workflows
from stellwerk.render.github import literal, render_workflow, text_value
from stellwerk.render.pipelines import pipelines
from stellwerk.render.pipelines.facts import Facts
from stellwerk.render.proof import prove
from stellwerk.render.quoting import scalar

sys.path.insert(0, str(Path(__file__).parent))

import golden

OPENING = "${{"
TEXT = st.text(max_size=40) | st.lists(st.sampled_from(["${{", "}}", "'", '"', "\n", "a", "$", "{"])).map("".join)


@pytest.mark.parametrize("name", sorted(golden.PROJECTS))
def test_the_rendered_files_are_those_that_are_kept_and_checked(name):
    assert golden.rendered(golden.PROJECTS[name]()) == golden.kept(name)


def test_without_workflows_nothing_is_rendered_for_ci():
    files = golden.one_model()
    del files["mlops.yaml"]["workflows"]
    assert golden.rendered(files) == {}


def test_what_is_no_longer_declared_is_deleted_and_what_somebody_wrote_is_not(tmp_path):
    files = golden.one_model()
    golden.write_project(tmp_path, files)
    own = tmp_path / ".github/workflows/ct.yml"
    own.parent.mkdir(parents=True)
    own.write_text("name: my own\n")
    stellwerk(tmp_path, "render")
    assert {path.name for path in own.parent.iterdir()} == {"cd.yml", "ci.yml", "ct.yml", "drift.yml"}
    edited = tmp_path / ".github/workflows/drift.yml"
    edited.write_text(edited.read_text() + "# mine\n")
    del files["mlops.yaml"]["workflows"]
    golden.write_project(tmp_path, files)
    said = stellwerk(tmp_path, "render", code=1)
    assert {path.name for path in own.parent.iterdir()} == {"ct.yml", "drift.yml"}
    assert "drift.yml was edited by hand" in said
    assert own.read_text() == "name: my own\n"


def test_a_script_holds_nothing_that_a_person_wrote():
    scripts = {step["run"] for step in steps("hostile") if "run" in step}
    assert not [script for script in scripts if OPENING in script or "hacked" in script or "7 * 7" in script]
    assert len(scripts) > 5


def test_a_variable_gives_the_very_text_that_was_declared():
    declared = "\n".join(golden.HOSTILE)
    given_values = [step.get("env", {}) for step in steps("hostile")]
    assert {unescaped(env["UP"]) for env in given_values if "UP" in env} == {declared}
    assert {unescaped(env["STELLWERK_IDENTITY"]) for env in given_values if "STELLWERK_IDENTITY" in env} == {declared}


def test_code_of_a_pull_request_meets_no_secret_and_may_write_nothing():
    for name in golden.IN_GITHUB:
        jobs = workflow(name, "ci")["jobs"]
        for job in ("plan", "check"):
            if job in jobs:
                assert jobs[job]["permissions"] == {"contents": "read"}
                assert "${{ secrets." not in json.dumps(jobs[job]).replace("${{ '${{' }}", "")
                assert "environment" not in jobs[job]


def test_a_fork_never_gets_a_machine_of_ones_own():
    runner = workflow("everything", "ci")["jobs"]["check"]["runs-on"]
    assert runner.startswith("${{ github.event.pull_request.head.repo.fork && 'ubuntu-24.04' || fromJSON(")


def test_every_action_is_pinned_and_every_job_ends():
    for name in golden.PROJECTS:
        for path, text in golden.kept(name).items():
            if not path.startswith(".github/workflows/"):
                continue
            for used in re.findall(r"uses: (\S+)(.*)", text):
                assert re.fullmatch(r'[\w/-]+@[0-9a-f]{40}|"\$/\.github/workflows/\w+\.yml"', used[0])
            jobs = yaml.safe_load(text)["jobs"].values()
            assert all("timeout-minutes" in job or "uses" in job for job in jobs)


@given(TEXT)
def test_text_comes_back_from_yaml_and_expressions_as_it_was(text):
    clean = re.sub("[\ud800-\udfff]", "", text)
    assert unescaped(yaml.safe_load(scalar(text_value(clean)))) == clean


@given(TEXT)
def test_a_literal_ends_where_it_should(text):
    assert re.fullmatch(r"'(?:[^']|'')*'", literal(text), re.DOTALL)


def unescaped(text: str) -> str:
    """The text as GitHub gives it to a command: every expression in it must be the one for an opening."""
    parts = text.split("${{ '${{' }}")
    assert not [part for part in parts if OPENING in part]
    return OPENING.join(parts)


def workflow(name: str, kind: str) -> dict:
    return yaml.safe_load(golden.kept(name)[f".github/workflows/{kind}.yml"])


def steps(name: str) -> list[dict]:
    found = []
    for path, text in golden.kept(name).items():
        if path.endswith(".yml"):
            for job in yaml.safe_load(text)["jobs"].values():
                found += job.get("steps", ())
    return found


def stellwerk(folder: Path, *args: str, code: int = 0) -> str:
    command = [sys.executable, "-m", "stellwerk", *args]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("old", "new", "wrong"),
    [
        ("permissions: {}\n\nconcurrency", "permissions: write-all\n\nconcurrency", "rights to every job"),
        ("  plan:\n", "  other:\n", "other jobs"),
        ("stellwerk render --check", "stellwerk render --check ${{ github.head_ref }}", "holds an expression"),
        ("08c6903cd8c0fde910a37f88322edcfb5dd907a8", "v5", "not pinned"),
        ("    timeout-minutes: 60\n", "", "no end"),
        ("name: CI", "name: [", "no YAML"),
        ('BASE: "${{ github', 'X: "${{ secrets.X }}"\n          BASE: "${{ github', "sees a secret"),
    ],
)
def test_a_workflow_that_is_not_what_was_meant_is_never_written(old, new, wrong):
    facts = Facts(workflows=Workflows())
    pipeline = next(item for item in pipelines(facts) if item.name == "ci")
    text = render_workflow(pipeline, facts.workflows)
    prove("ci.yml", text, pipeline)
    assert old in text
    with pytest.raises(ValueError, match=wrong):
        prove("ci.yml", text.replace(old, new), pipeline)
