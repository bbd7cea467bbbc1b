"""Versions are measured from their packages, on rows no compared version was trained on."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from stellwerk.declarations.records import decode
from stellwerk.errors import StellwerkError
from stellwerk.model.declared import CommandCheck, Threshold, Worsening
from stellwerk.model.records import DataRecord, HoldoutRecord, PackageRecord, VersionRecord
from stellwerk.training.checks import command_check, function_check
from stellwerk.training.evaluate import Contender, Evaluation, EvaluationRequest, evaluate

DECIDING = """
def train(frame, slope=2.0):
    return slope

def predict(model, frame):
    return model * frame["x"]

def decide(prediction, frame):
    return frame.assign(margin=prediction - frame["x"])[["margin"]]
"""


def version(model, folder: Path, number: int = 1, snapshot: Path | None = None, **params) -> Contender:
    """Train the model as it stands now and keep its package in `folder`."""
    model.params["train"]["params"] = params
    report = model.run().report
    (model.out / "package").rename(folder)
    record = VersionRecord(
        model="m",
        number=number,
        origin="trained",
        trigger="change",
        reason="",
        fingerprint="f",
        parts={},
        data=decode(DataRecord, {**report["data"], "md5": "0"}, where=""),
        holdout=decode(HoldoutRecord, report["holdout"], where=""),
        task=report["task"],
        params=params,
        seed=0,
        metrics={},
        package=decode(PackageRecord, {**report["package"], "md5": "0"}, where=""),
        parent=None,
        python="",
        packages={},
        isolation=report["isolation"],
        duration=0.0,
        cpu=0.0,
        peak_memory=0,
        actor="",
    )
    return Contender(package=folder, record=record, snapshot=snapshot or model.root / "data/d.csv")


def evaluated(model, challenger: Contender, champion: Contender | None, *thresholds: Threshold, **more) -> Evaluation:
    request = EvaluationRequest(
        challenger=challenger,
        champion=champion,
        thresholds=thresholds,
        min_group=10,
        root=model.root,
        environ=dict(os.environ),
        **more,
    )
    return evaluate(request)


def test_thresholds_are_judged_per_slice_and_against_the_champion(model, tmp_path) -> None:
    champion = version(model, tmp_path / "v1", slope=2.0)
    challenger = version(model, tmp_path / "v2", number=2, slope=1.0)
    result = evaluated(
        model,
        challenger,
        champion,
        Threshold(metric="mae", max=1000, max_worsening=Worsening(value=0.1, relative=True), slices=("group",)),
        Threshold(metric="r2", min=0.9),
    )
    assert (result.rows, result.excluded) == (challenger.record.holdout.rows, 0)
    assert [(check.name, check.slice, check.passed) for check in result.checks] == [
        ("predictions", None, True),
        ("mean_absolute_error", None, True),
        ("mean_absolute_error", None, False),
        ("mean_absolute_error", "group=a", True),
        ("mean_absolute_error", "group=a", False),
        ("mean_absolute_error", "group=b", True),
        ("mean_absolute_error", "group=b", False),
        ("r2_score", None, False),
    ]
    worsened = result.checks[2]
    assert worsened.measured.value > worsened.champion.value
    assert result.difference["rows"] == result.rows
    assert result.difference["changed"] > 0.9


def test_rows_the_champion_was_trained_on_are_excluded_and_counted(model, tmp_path) -> None:
    model.params["train"]["seed"] = 1
    champion = version(model, tmp_path / "v1")
    model.params["train"]["seed"] = 2
    challenger = version(model, tmp_path / "v2", number=2)
    alone = evaluated(model, challenger, None)
    both = evaluated(model, challenger, champion)
    assert (alone.rows, alone.excluded) == (challenger.record.holdout.rows, 0)
    assert both.excluded > 0
    assert 0 < both.rows < alone.rows
    assert both.rows + both.excluded == alone.rows
    assert f"{both.excluded} left out" in both.checks[0].detail


def test_a_champion_of_an_older_snapshot_is_compared_on_the_same_rows(model, tmp_path) -> None:
    text = (model.root / "data/d.csv").read_text()
    older = tmp_path / "older.csv"
    older.write_text("".join(text.splitlines(keepends=True)[:201]))
    model.write({"data/d.csv": older.read_text()})
    champion = version(model, tmp_path / "v1", snapshot=older)
    model.write({"data/d.csv": text})
    challenger = version(model, tmp_path / "v2", number=2)
    result = evaluated(model, challenger, champion, Threshold(metric="mae", max_worsening=Worsening(value=0.0)))
    assert (result.rows, result.excluded) == (challenger.record.holdout.rows, 0)
    assert all(check.passed for check in result.checks)
    assert result.difference["changed"] == 0.0


def test_nothing_left_to_compare_on_is_a_failed_check(model, tmp_path) -> None:
    model.params["train"]["holdout"]["fraction"] = 0.02
    champion = version(model, tmp_path / "v1")
    model.params["train"]["seed"] = 4
    challenger = version(model, tmp_path / "v2", number=2)
    result = evaluated(model, challenger, champion)
    assert (result.rows, result.excluded) == (0, challenger.record.holdout.rows)
    assert [(check.name, check.passed) for check in result.checks] == [("predictions", False)]
    assert "there is nothing to compare on" in result.checks[0].detail


def test_business_outputs_and_own_metrics_can_be_judged(model, tmp_path) -> None:
    model.source(DECIDING)
    model.write(
        {
            "metrics/cost.py": "def cost(truth, prediction, margin):\n    assert len(margin) == len(truth)\n    return (truth - prediction).abs().sum() / len(truth)\n\ndef broken(truth, prediction):\n    raise ValueError('no')\n",
        }
    )
    challenger = version(model, tmp_path / "v1")
    result = evaluated(
        model,
        challenger,
        None,
        Threshold(metric="margin", min=0),
        Threshold(metric="metrics.cost:cost", max=20, slices=("group",)),
        Threshold(metric="metrics.cost:broken", max=20),
        Threshold(metric="mae", max=20),
        metric_code=("metrics/cost.py",),
    )
    found = {(check.name, check.slice): check for check in result.checks}
    assert found["margin", None].passed
    assert found["metrics.cost:cost", None].measured.value == pytest.approx(
        found["mean_absolute_error", None].measured.value
    )
    assert found["metrics.cost:cost", "group=a"].passed
    assert "ValueError: no" in found["metrics.cost:broken", None].detail


def test_a_changed_package_is_never_loaded(model, tmp_path) -> None:
    challenger = version(model, tmp_path / "v1")
    mark = tmp_path / "loaded"
    source = challenger.package / "code/models/m/m.py"
    source.write_text(f"open({str(mark)!r}, 'w')\n{source.read_text()}")
    result = evaluated(model, challenger, None)
    assert not result.checks[0].passed
    assert f"expected {challenger.record.package.sha256}" in result.checks[0].detail
    assert not mark.exists()


def test_another_snapshot_than_the_recorded_one_is_an_error(model, tmp_path) -> None:
    challenger = version(model, tmp_path / "v1")
    model.write({"data/d.csv": (model.root / "data/d.csv").read_text().replace("a", "b")})
    with pytest.raises(StellwerkError, match="the snapshot is not the recorded one"):
        evaluated(model, challenger, None)


def test_a_champion_that_cannot_predict_fails_only_where_it_is_compared(model, tmp_path) -> None:
    challenger = version(model, tmp_path / "v1")
    champion = version(model, tmp_path / "v2", number=2)
    (champion.package / "code/models/m/m.py").write_text("changed")
    plain = evaluated(model, challenger, champion, Threshold(metric="mae", max=1000))
    assert [check.name for check in plain.checks] == ["predictions", "mean_absolute_error"]
    assert "cannot predict" in plain.difference["problem"]
    compared = evaluated(model, challenger, champion, Threshold(metric="mae", max_worsening=Worsening(value=1)))
    assert [(check.name, check.passed) for check in compared.checks] == [("predictions", True), ("champion", False)]


def test_a_package_that_works_passes_its_function_check(model, tmp_path) -> None:
    made = version(model, tmp_path / "v1")
    results = function_check(
        made.package, sha256=made.record.package.sha256, rows_file=model.root / "data/d.csv", root=model.root
    )
    assert [(check.name, check.passed) for check in results] == [("digest", True), ("function", True)]
    assert results[1].detail.startswith("400 predictions for 400 rows")


def test_unknown_classes_and_missing_columns_fail_the_function_check(model, tmp_path) -> None:
    lines = ["id,x,y", *(f"{i},{i % 20},{int(i % 20 > 9)}" for i in range(300))]
    model.write({"data/d.csv": "\n".join(lines) + "\n"})
    model.source("def train(frame):\n    return 1\n\ndef predict(model, frame):\n    return frame['x'].clip(upper=2)\n")
    made = version(model, tmp_path / "v1")
    sha256 = made.record.package.sha256
    classes = function_check(made.package, sha256=sha256, rows_file=model.root / "data/d.csv", root=model.root)[-1]
    assert (classes.name, classes.passed) == ("classes", False)
    assert "of 300 predictions are classes the target never is" in classes.detail
    other = tmp_path / "other.csv"
    other.write_text("id,z\n1,2\n3,4\n")
    function = function_check(made.package, sha256=sha256, rows_file=other, root=model.root)[-1]
    assert (function.name, function.passed) == ("function", False)
    assert "lack the columns x" in function.detail


def test_commands_get_their_variables_and_are_judged_by_their_exit_code(model, tmp_path) -> None:
    environ = {**os.environ, "GIT_DIR": "x", "STELLWERK_OLD": "x", "TOKEN": "kept"}

    def checked(command: str, timeout: int = 30):
        check = CommandCheck(name="c", command=command, timeout=timeout)
        return command_check(check, root=model.root, variables={"STELLWERK_PACKAGE": "/p"}, environ=environ)

    passed = checked('test -f models/m/m.py && echo "$STELLWERK_PACKAGE $TOKEN ${GIT_DIR:-} ${STELLWERK_OLD:-}"')
    assert (passed.passed, passed.detail) == (True, "/p kept")
    failed = checked("echo why; exit 4")
    assert (failed.passed, failed.detail) == (False, "exited with 4: why")
    assert checked("sleep 100", timeout=1).detail == "took longer than 1 seconds"
