"""Lets the tests of this folder import the harness; `forge` and `run` begin a story with it."""

import os
import sys
import textwrap
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from harness import Machine
from harness.story import begin

PATH = os.environ["PATH"]


@pytest.fixture
def forge(tmp_path):
    """`forge({"ci.yml": ...}, **settings)`: a forge with these files on `main`, and ada's clone of it as `.ada`."""

    def build(files, machine=(), **settings):
        python = {f"{sys.version_info.major}.{sys.version_info.minor}": Path(sys.executable)}
        made = Machine(path=PATH, **{"pythons": python, "grace": 0.5, **dict(machine)})
        github, github.ada = begin(tmp_path / "forge", files, made, **settings)
        return github

    return build


@pytest.fixture
def run(forge):
    """`run(JOBS)`: the run of a workflow with these jobs, started by hand."""

    def start(jobs, *, machine=(), inputs=None, kill=None, top="", files=None, **settings):
        text = f"name: Test\non:\n  workflow_dispatch:\n    inputs: {{kind: {{default: none}}}}\n{top}\njobs:\n"
        text += textwrap.indent(textwrap.dedent(jobs), "  ")
        github = forge({"test.yml": text, **(files or {})}, machine, **settings)
        return github.dispatch("test.yml", inputs, kill=kill)

    return start
