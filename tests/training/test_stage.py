"""The stage leaves package, evidence and metrics, or a clear failure and nothing."""

from __future__ import annotations

import hashlib
import json
import textwrap

import pytest

from stellwerk.declarations.records import decode
from stellwerk.errors import StellwerkError, TrainingFailed
from stellwerk.model.records import HoldoutRecord, Measurement
from stellwerk.training.package import package_digest, verify_package
from stellwerk.training.stage import stage_main

OUTPUTS = {
    "models/m/metrics.json",
    "models/m/training/log.txt",
    "models/m/training/profile.json",
    "models/m/training/report.json",
    "models/m/package/package.json",
    "models/m/package/model.pkl",
    "models/m/package/code/models/m/m.py",
}
TRAIN_MEAN = "def train(frame):\n    return float(frame['y'].mean())\n"


def failure(model, **changes) -> TrainingFailed:
    before = model.files()
    with pytest.raises(TrainingFailed) as caught:
        model.run(**changes)
    assert model.files() == before
    return caught.value


def test_a_training_leaves_package_evidence_and_metrics(model) -> None:
    before = model.files()
    done = model.run()
    assert model.files() - before == OUTPUTS
    report = json.loads((model.out / "training/report.json").read_text())
    assert report["task"] == "regression"
    data = model.root / "data/d.csv"
    assert report["data"]["sha256"] == hashlib.sha256(data.read_bytes()).hexdigest()
    assert report["data"]["size"] == data.stat().st_size
    assert (report["data"]["rows"], report["data"]["columns"]) == (400, ["id", "x", "group", "y"])
    holdout = decode(HoldoutRecord, report["holdout"], where="")
    assert holdout.rows + holdout.train_rows == 400
    error = decode(Measurement, report["metrics"]["mean_absolute_error"], where="")
    assert error.n == holdout.rows
    assert error.low <= error.value <= error.high
    assert json.loads((model.out / "metrics.json").read_text())["mean_absolute_error"] == error.value
    assert report["packages"]["pandas"]
    assert report["isolation"] in {"namespace", "directory"}
    assert report["package"]["sha256"] == package_digest(model.out / "package").sha256
    assert done.metrics["mean_absolute_error"] == error


def test_the_same_inputs_give_the_same_package_and_metrics(model) -> None:
    model.source(
        "import numpy as np\n\ndef train(frame):\n    return {'w': np.random.rand(3), 's': {'a', 'b', 'c'}}\n\n"
        "def predict(model, frame):\n    return frame['x'] * model['w'][0]\n"
    )
    first = model.run().report
    second = model.run().report
    assert first["package"] == second["package"]
    assert first["metrics"] == second["metrics"]
    text = "".join(path.read_text(errors="replace") for path in (model.out / "package").rglob("*") if path.is_file())
    assert str(model.root) not in text
    assert "/tmp/" not in text


def test_a_changed_byte_in_a_package_is_noticed(model) -> None:
    digest = model.run().report["package"]["sha256"]
    verify_package(model.out / "package", digest)
    (model.out / "package/model.pkl").write_bytes(b"other")
    with pytest.raises(StellwerkError, match=f"expected {digest}, found [0-9a-f]{{64}}"):
        verify_package(model.out / "package", digest)


def test_a_column_that_gives_the_target_away_is_suspected(model) -> None:
    rows = (model.root / "data/d.csv").read_text().splitlines()
    leaking = [f"{rows[0]},copy", *(f"{row},{row.split(',')[3]}" for row in rows[1:])]
    model.write({"data/d.csv": "\n".join(leaking) + "\n"})
    done = model.run()
    assert [suspect.column for suspect in done.suspects] == ["copy"]
    assert done.report["suspects"][0]["column"] == "copy"
    assert "warning: copy may give the target away" in (model.out / "training/log.txt").read_text()


def test_a_training_that_raises_is_told_with_its_own_line(model) -> None:
    model.source("def train(frame):\n    value = frame['y']\n    return value.no_such_thing\n")
    error = failure(model)
    assert error.kind == "raised"
    assert error.message.startswith("AttributeError: ")
    assert error.message.endswith("(models/m/m.py:3 in train)")
    assert "Traceback" in error.log


def test_a_syntax_error_is_told_with_its_line(model) -> None:
    model.source("def train(frame:\n    pass\n")
    error = failure(model)
    assert error.kind == "raised"
    assert "m.py, line 1" in error.message


def test_a_training_that_hangs_is_ended(model) -> None:
    model.params["train"]["timeout"] = 4
    model.source("import time\n\ndef train(frame):\n    print('started', flush=True)\n    time.sleep(1000)\n")
    error = failure(model)
    assert (error.kind, error.message) == ("timeout", "train took longer than 4 seconds")


def test_a_training_that_prints_too_much_goes_on_with_a_cut_log(model) -> None:
    model.source(
        "def train(frame):\n    for _ in range(1000):\n        print('x' * 999)\n    print('the end')\n    return 1\n\ndef predict(model, frame):\n    return frame['x']\n"
    )
    model.run(output_limit=100_000)
    log = (model.out / "training/log.txt").read_text()
    assert "the log is cut: 1000008 bytes were printed, 100000 are kept" in log
    assert len(log) < 101_000


def test_a_training_that_prints_without_end_is_stopped(model) -> None:
    model.source("def train(frame):\n    while True:\n        print('x' * 9999)\n")
    assert failure(model, output_limit=100_000).kind == "output-limit"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("return None", "train() returned None"),
        ("import os; os._exit(0)", "ended by itself"),
        ("import sys; sys.exit(0)", "sys.exit(0)"),
    ],
)
def test_a_training_without_a_model_is_a_failure(model, body: str, words: str) -> None:
    model.source(f"def train(frame):\n    {body}\n")
    error = failure(model)
    assert error.kind == "no-model"
    assert words in error.message


def test_a_source_without_train_says_what_is_missing(model) -> None:
    model.source("x = 1\n")
    error = failure(model)
    assert (error.kind, error.message) == ("no-model", "models/m/m.py defines no function train(frame, **params)")


def test_a_killed_training_says_by_which_signal(model) -> None:
    model.source("import os\n\ndef train(frame):\n    os.kill(os.getpid(), 9)\n")
    error = failure(model)
    assert (error.kind, error.message) == ("killed", "train was ended by SIGKILL")


@pytest.mark.usefixtures("namespaces")
def test_writing_outside_the_job_folder_fails(model) -> None:
    target = model.root / "models/m/written.txt"
    model.source(f"def train(frame):\n    open({str(target)!r}, 'w').write('x')\n    return 1\n")
    error = failure(model)
    assert error.kind == "raised"
    assert "Read-only file system" in error.message
    assert "only below its working folder" in error.hint


def test_writing_into_the_working_folder_is_fine(model) -> None:
    model.source(
        "def train(frame):\n    open('cache.txt', 'w').write('x')\n    return 1\n\ndef predict(model, frame):\n    return frame['x']\n"
    )
    model.run()
    assert not (model.out / "package/code/cache.txt").exists()


def test_a_model_that_cannot_be_saved_says_so(model) -> None:
    model.source("def train(frame):\n    return lambda x: x\n")
    error = failure(model)
    assert error.kind == "bad-output"
    assert "cannot be saved" in error.message


@pytest.mark.parametrize(
    ("predict", "words"),
    [
        ("return frame['x'][:-1]", "predictions for"),
        ("return frame['x'].where(frame['x'] > 50)", "are missing, infinite or no number"),
        ("return ['many'] * len(frame)", "are missing, infinite or no number"),
        ("import numpy as np; return np.ones((len(frame), 2))", "shape"),
        ("return frame.rename(columns={'x': 'y'})", "without a column prediction"),
    ],
)
def test_predictions_that_are_not_one_number_per_row_are_refused(model, predict: str, words: str) -> None:
    model.source(f"{TRAIN_MEAN}\ndef predict(model, frame):\n    {predict}\n")
    error = failure(model)
    assert error.kind == "bad-output"
    assert words in error.message


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        ("return frame.iloc[1:]", "rows to predict must all be kept"),
        ("return frame.sort_values('x')", "changed the order"),
    ],
)
def test_prepare_must_keep_the_rows_to_predict(model, prepare: str, words: str) -> None:
    model.source(
        f"{TRAIN_MEAN}\ndef prepare(frame):\n    {prepare}\n\ndef predict(model, frame):\n    return frame['x']\n"
    )
    error = failure(model)
    assert error.kind == "bad-output"
    assert words in error.message


def test_params_are_passed_and_a_wrong_one_names_both_sides(model) -> None:
    model.params["train"]["params"] = {"slop": 3}
    error = failure(model)
    assert error.message == "models/m/m.py: train() does not take the declared params slop; it takes: slope, seed"


def test_a_param_that_train_needs_and_nobody_declares_is_named(model) -> None:
    model.params["train"]["params"] = {"a": 1}
    model.source("def train(frame, a, b):\n    return 1\n")
    assert failure(model).message == "models/m/m.py: train() needs b, which the declared params lack; they are: a"


def test_train_sees_params_seed_and_only_the_declared_features(model) -> None:
    model.params["train"] |= {"params": {"slope": 3}, "seed": 7}
    model.params["model"]["features"] = {"include": ["x", "id"], "exclude": ["id"]}
    model.source(
        """
def prepare(frame):
    return frame.assign(twice=frame["x"] * 2)

def train(frame, slope, seed):
    assert list(frame.columns) == ["x", "y", "twice"], list(frame.columns)
    assert (slope, seed) == (3, 7)
    return slope

def predict(model, frame):
    assert list(frame.columns) == ["x", "twice"], list(frame.columns)
    return frame["twice"]
"""
    )
    model.run()


def test_types_seen_in_training_are_used_in_prediction(model) -> None:
    """`rare` is text in one row only: without the row pandas would read numbers."""
    lines = ["id,x,rare,y", *(f"{i},{i % 10},{'A7' if i == 3 else '007'},{i % 10}" for i in range(100))]
    model.write({"data/d.csv": "\n".join(lines) + "\n"})
    model.source(
        "def train(frame):\n    return str(frame['rare'].dtype)\n\n"
        "def predict(model, frame):\n    assert str(frame['rare'].dtype) == model, (model, frame['rare'].dtype)\n    return frame['x']\n"
    )
    for seed in range(20):
        from stellwerk.data.holdout import split
        from stellwerk.model.declared import Holdout
        from stellwerk.training.snapshot import read_snapshot

        frame = read_snapshot(model.root / "data/d.csv", "csv").rows
        if split(frame, Holdout(), seed=seed, identity=("id",), time=None).train[3]:
            model.params["train"]["seed"] = seed
            break
    model.run()


def test_a_model_of_its_own_class_and_an_import_beside_it_survive(model) -> None:
    model.write({"models/m/features.py": "def double(x):\n    return x * 2\n"})
    model.params["model"]["code"].append("models/m/features.py")
    model.source(
        """
import features

class Model:
    def predict(self, frame):
        return features.double(frame["x"])

def train(frame):
    return Model()
"""
    )
    assert model.run().metrics["r2_score"].value > 0.8


def test_a_missing_package_names_the_environment_to_change(model) -> None:
    model.source("import no_such_package\n\ndef train(frame):\n    return 1\n")
    error = failure(model)
    assert error.kind == "environment"
    assert "add no_such_package there" in error.message


def test_a_classification_gives_probability_of_its_positive_class(model) -> None:
    lines = ["id,x,y", *(f"{i},{i % 20},{'good' if i % 20 > 9 else 'bad'}" for i in range(300))]
    model.write({"data/d.csv": "\n".join(lines) + "\n"})
    model.params["model"]["positive"] = "bad"
    model.source(
        """
from sklearn.linear_model import LogisticRegression

class Fitted:
    def __init__(self, inner):
        self.inner, self.classes_ = inner, inner.classes_
    def predict(self, frame):
        return self.inner.predict(frame[["x"]])
    def predict_proba(self, frame):
        return self.inner.predict_proba(frame[["x"]])

def train(frame):
    return Fitted(LogisticRegression().fit(frame[["x"]], frame["y"]))
"""
    )
    done = model.run()
    assert done.report["task"] == "classification"
    assert done.report["package"]["format"] == "joblib"
    assert done.report["packages"]["scikit-learn"]
    assert done.metrics["roc_auc_score"].value == 1.0
    assert done.metrics["accuracy_score"].value > 0.9


def test_numeric_classes_are_compared_as_numbers(model) -> None:
    lines = ["id,x,y", *(f"{i},{i % 20},{int(i % 20 > 9)}" for i in range(300))]
    model.write({"data/d.csv": "\n".join(lines) + "\n"})
    model.source(
        "def train(frame):\n    return 1\n\ndef predict(model, frame):\n    return (frame['x'] > 9).astype(float)\n"
    )
    done = model.run()
    assert (done.report["task"], done.metrics["accuracy_score"].value) == ("classification", 1.0)
    assert "roc_auc_score" not in done.metrics


@pytest.mark.parametrize("data_format", ["jsonl", "parquet"])
def test_other_formats_train_as_well(model, data_format: str) -> None:
    from stellwerk.data.frames import read_rows, typed, write_rows

    frame = typed(read_rows(model.root / "data/d.csv", "csv"), "csv")
    write_rows(frame, model.root / f"data/d.{data_format}", data_format)
    model.params["data"] |= {"path": f"data/d.{data_format}", "format": data_format}
    assert model.run().metrics["r2_score"].value > 0.5


def test_a_target_that_the_data_lack_is_an_error_of_the_declaration(model) -> None:
    model.params["model"]["target"] = "z"
    with pytest.raises(StellwerkError, match="`target` names z, which the data do not have") as caught:
        model.run()
    assert not isinstance(caught.value, TrainingFailed)


def test_params_of_another_shape_are_refused(model) -> None:
    del model.params["train"]["seed"]
    with pytest.raises(StellwerkError, match="not what this version of Stellwerk renders"):
        model.run()


def test_the_command_writes_the_failure_where_it_is_asked_to(model, tmp_path) -> None:
    import yaml

    (model.root / ".git").mkdir()
    model.source("def train(frame):\n    raise ValueError('no luck')\n")
    (model.out / "params.yaml").write_text(yaml.safe_dump(model.params))
    note = tmp_path / "failure.json"
    with pytest.raises(TrainingFailed):
        stage_main(model.out, parent={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "STELLWERK_FAILURE": str(note)})
    told = json.loads(note.read_text())
    assert told["kind"] == "raised"
    assert told["message"] == "ValueError: no luck (models/m/m.py:2 in train)"
    assert "no luck" in told["log"]


def test_the_command_runs_from_the_models_folder(model, capsys) -> None:
    import yaml

    (model.root / ".git").mkdir()
    (model.out / "params.yaml").write_text(yaml.safe_dump(model.params))
    assert stage_main(model.out, parent={"PATH": "/usr/bin:/bin", "HOME": str(model.root)}) == 0
    assert "mean_absolute_error: " in capsys.readouterr().out
    assert (model.out / "package/package.json").is_file()


def test_a_shell_script_can_be_a_model(model) -> None:
    model.command(
        "sh models/m/train.sh",
        "sh models/m/predict.sh",
        train__sh=textwrap.dedent(
            """
            set -eu
            test "$STELLWERK_STEP" = train; test -z "${STELLWERK_PREDICTIONS:-}"; test "$STELLWERK_TARGET" = y
            test "$STELLWERK_FORMAT" = csv; test "$STELLWERK_SEED" = 0; test "$(cat $STELLWERK_PARAMS)" = '{"a": 1}'
            awk -F, 'NR > 1 { n += 1; s += $4 } END { print s / n }' "$STELLWERK_DATA" > "$STELLWERK_MODEL/mean"
            """
        ),
        predict__sh=textwrap.dedent(
            """
            set -eu
            test "$STELLWERK_STEP" = predict; head -1 "$STELLWERK_DATA" | grep -qx id,x,group
            mean=$(cat "$STELLWERK_MODEL/mean")
            awk -v mean="$mean" 'NR == 1 { print "prediction" } NR > 1 { print mean }' "$STELLWERK_DATA" > "$STELLWERK_PREDICTIONS"
            """
        ),
    )
    model.params["train"]["params"] = {"a": 1}
    done = model.run()
    assert done.report["package"]["format"] == "command"
    assert abs(done.metrics["r2_score"].value) < 0.2


@pytest.mark.parametrize(
    ("train", "predict", "kind", "words"),
    [
        ("echo oops >&2; exit 3", "true", "raised", "train exited with 3: oops"),
        ("true", "true", "no-model", "left no model"),
        ("echo 1 > $STELLWERK_MODEL/m", "true", "bad-output", "no predictions were written"),
        ("echo 1 > $STELLWERK_MODEL/m", "echo x > $STELLWERK_PREDICTIONS", "bad-output", "header is x"),
        (
            "echo 1 > $STELLWERK_MODEL/m",
            "cp $STELLWERK_DATA $STELLWERK_PREDICTIONS",
            "bad-output",
            "header is id,x,group",
        ),
        ("ln -s /etc/passwd $STELLWERK_MODEL/m", "true", "bad-output", "a link or a device"),
        ("echo 1 > $STELLWERK_MODEL/m", "ln -s /etc/passwd $STELLWERK_PREDICTIONS", "bad-output", "no predictions"),
    ],
)
def test_a_command_that_misbehaves_is_told(model, train: str, predict: str, kind: str, words: str) -> None:
    model.command(train, predict)
    error = failure(model)
    assert error.kind == kind
    assert words in error.message


def test_a_scikit_learn_script_can_be_a_model(model) -> None:
    model.command(
        "python models/m/fit.py",
        "python models/m/fit.py",
        fit__py=textwrap.dedent(
            """
            import json, os, pathlib, pickle
            import pandas as pd
            from sklearn.linear_model import Ridge

            frame = pd.read_csv(os.environ["STELLWERK_DATA"])
            place = pathlib.Path(os.environ["STELLWERK_MODEL"]) / "ridge.pkl"
            if os.environ["STELLWERK_STEP"] == "train":
                params = json.loads(pathlib.Path(os.environ["STELLWERK_PARAMS"]).read_text())
                fitted = Ridge(**params).fit(frame[["x"]], frame[os.environ["STELLWERK_TARGET"]])
                place.write_bytes(pickle.dumps(fitted))
            else:
                answer = pickle.loads(place.read_bytes()).predict(frame[["x"]])
                pd.DataFrame({"prediction": answer}).to_csv(os.environ["STELLWERK_PREDICTIONS"], index=False)
            """
        ),
    )
    model.params["train"]["params"] = {"alpha": 0.5}
    assert model.run().metrics["r2_score"].value > 0.9


def test_a_holdout_by_time_records_the_period_of_the_data(model) -> None:
    days = [f"2026-0{1 + i // 28}-{1 + i % 28:02d}" for i in range(200)]
    model.write(
        {"data/d.csv": "\n".join(["day,x,y", *(f"{day},{i % 9},{i % 9}.5" for i, day in enumerate(days))]) + "\n"}
    )
    model.params["data"] |= {"time": "day", "identity": ["day"]}
    model.params["train"]["holdout"] = {"fraction": None, "last_share": 0.25, "last_seconds": None, "by": []}
    report = model.run().report
    assert (report["data"]["first"], report["data"]["last"]) == ("2026-01-01", days[-1])
    assert report["holdout"]["boundary"] == days[150]
