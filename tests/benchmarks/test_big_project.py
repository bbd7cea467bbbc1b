"""The benchmark measures what it says: nothing is to be done, and one change is one plan."""

from __future__ import annotations

import importlib.util
from pathlib import Path

spec = importlib.util.spec_from_file_location("big_project", Path(__file__).with_name("big_project.py"))
big_project = importlib.util.module_from_spec(spec)
spec.loader.exec_module(big_project)


def test_a_generated_project_is_valid_and_needs_nothing(tmp_path, stellwerk):
    big_project.generate(tmp_path, 12)
    validated = stellwerk("validate", cwd=tmp_path)
    assert (validated.returncode, validated.stdout) == (0, "No mistakes found.\n"), validated.stdout
    planned = stellwerk("plan", "--detailed-exitcode", cwd=tmp_path)
    assert planned.returncode == 0, planned.stdout


def test_one_changed_parameter_of_a_generated_project_is_one_training(tmp_path, stellwerk):
    big_project.generate(tmp_path, 12)
    declared = tmp_path / "models/m0003/model.yaml"
    declared.write_text(declared.read_text().replace("depth: 3", "depth: 4"))
    planned = stellwerk("plan", "--detailed-exitcode", cwd=tmp_path)
    assert planned.returncode == 2
    assert "1 to train" in planned.stdout
