"""A source is judged before a version exists: its tests and a smoke training, never its quality."""

from __future__ import annotations

import os
import textwrap
from pathlib import Path

import pandas as pd
import pytest

from stellwerk.model.records import CheckResult
from stellwerk.training.develop import check_source, find_tests
from stellwerk.training.smoke import learned
from stellwerk.training.snapshot import Snapshot


def checked(model, *, rows: Path | None = None) -> dict[str, CheckResult]:
    results = check_source(model.root, model.params, rows_file=rows, folder="models/m", environ=dict(os.environ))
    return {result.name: result for result in results}


def test_nothing_to_check_gives_no_result(model) -> None:
    assert checked(model) == {}


@pytest.mark.parametrize(
    ("value", "passed", "words"), [(2, True, "1 passed"), (3, False, "FAILED tests/test_m.py::test_slope")]
)
def test_pytest_tests_run_beside_the_model(model, value: int, passed: bool, words: str) -> None:
    test = f"import m\n\ndef test_slope():\n    assert m.predict({{'slope': 2}}, {{'x': 1}}) == {value}\n"
    model.write({"models/m/tests/test_m.py": test})
    result = checked(model)["unit tests"]
    assert result.passed is passed
    assert words in result.detail


def test_a_smoke_training_runs_on_stand_in_rows(model) -> None:
    result = checked(model, rows=model.root / "data/d.csv")["smoke training"]
    assert (result.passed, result.detail) == (True, "trained on 320 of 400 stand-in rows, predicted all")


def test_a_smoke_training_says_what_it_measured_and_asks_for_nothing(model) -> None:
    results = checked(model, rows=model.root / "data/d.csv")
    smoke = {name: result for name, result in results.items() if name.startswith("smoke ") and result.measured}
    assert {"smoke mean_absolute_error", "smoke wape"} <= smoke.keys()
    for result in smoke.values():
        assert result.passed
        assert result.limit is None
        assert result.measured.n == 400
        assert (result.measured.low, result.measured.high) == (None, None)
    assert smoke["smoke mean_absolute_error"].measured.value >= 0


def test_a_smoke_training_that_fails_says_why(model) -> None:
    model.source("def train(frame):\n    raise ValueError('no luck')\n")
    before = model.files()
    result = checked(model, rows=model.root / "data/d.csv")["smoke training"]
    assert not result.passed
    assert "ValueError: no luck (models/m/m.py:2 in train)" in result.detail
    assert model.files() == before


def test_a_stand_in_without_the_target_is_a_failed_check(model, tmp_path) -> None:
    rows = tmp_path / "rows.csv"
    rows.write_text("id,x\n1,2\n")
    result = checked(model, rows=rows)["smoke training"]
    assert not result.passed
    assert "`target` names y" in result.detail


def test_tests_are_found_in_the_models_folder_only(model) -> None:
    assert find_tests(model.root, "models/m") == ()
    model.write({"models/m/tests/data.csv": "x"})
    assert find_tests(model.root, "models/m") == ()
    model.write({"models/m/tests/test_a.py": "", "models/m/test_b.py": "", "models/n/test_c.py": ""})
    assert find_tests(model.root, "models/m") == (
        "models/m/test_b.py",
        "models/m/tests/data.csv",
        "models/m/tests/test_a.py",
    )


def test_without_pytest_in_the_models_environment_unittest_runs(model, bare_environment) -> None:
    model.params["model"]["requirements"] = bare_environment(model.root)
    model.write({"models/m/tests/test_m.py": "def test_x():\n    pass\n"})
    result = checked(model)["unit tests"]
    assert not result.passed
    assert "add pytest to `requirements:`" in result.detail
    unittest = """
        import unittest
        import small

        class Case(unittest.TestCase):
            def test_x(self):
                self.assertEqual(small.VERSION, 1)
        """
    model.write({"models/m/tests/test_m.py": textwrap.dedent(unittest)})
    result = checked(model)["unit tests"]
    assert (result.passed, result.detail.startswith("Ran 1 test")) == (True, True)


def test_pandas_missing_in_the_models_environment_names_the_requirements(model, bare_environment) -> None:
    model.params["model"]["requirements"] = bare_environment(model.root)
    model.source("def train(frame):\n    return 1\n")
    result = checked(model, rows=model.root / "data/d.csv")["smoke training"]
    assert not result.passed
    assert "the model runs in the environment of requirements.txt: add pandas there" in result.detail


@pytest.mark.parametrize(("rows", "used"), [(1, 1), (49, 49), (50, 40), (500, 400)])
def test_of_fifty_rows_and_more_a_fifth_is_only_predicted_so_that_learning_by_heart_hides_nothing(rows, used):
    frame = pd.DataFrame({"x": range(rows)})
    mask = learned(Snapshot(rows=frame, types=frame, md5="", sha256="", size=0))
    assert (len(mask), int(mask.sum())) == (rows, used)
