"""`format: onnx`: the file predicts as the trained model does, and it is the file that is measured and served."""

from __future__ import annotations

import importlib.util
import json

import pytest

from stellwerk.errors import TrainingFailed
from stellwerk.training.checks import Serving, function_check
from stellwerk.training.package import package_digest, read_contract
from stellwerk.training.serving import Served
from stellwerk.worker.onnx_convert import RefusedError, difference, save

HERE = all(importlib.util.find_spec(name) for name in ("onnx", "onnxruntime", "skl2onnx"))
with_onnx = pytest.mark.skipif(not HERE, reason="the extra `onnx` is not installed: pip install 'stellwerk[onnx]'")
PIPELINE = """
import numpy as np
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

def prepare(frame):
    return frame.assign(x=frame["x"] / 3)

def train(frame, *, classes=False):
    parts = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["Größe (cm)", "n"]), (StandardScaler(), ["x"])
    )
    model = make_pipeline(parts, LogisticRegression() if classes else Ridge())
    return model.fit(frame[["Größe (cm)", "n", "x"]], frame["y"])
"""
OWN = """
import numpy as np
import onnx
from onnx import TensorProto, helper

def train(frame):
    numbers = [helper.make_tensor_value_info(name, TensorProto.DOUBLE, [None, 1]) for name in ("x", "y")]
    two = helper.make_tensor("two", TensorProto.DOUBLE, [1], [2.0])
    graph = helper.make_graph([helper.make_node("Mul", ["x", "two"], ["y"])], "twice", numbers[:1], numbers[1:], [two])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)SUFFIX
"""


def write_rows(model, target) -> None:
    lines = [f"{i},{'SML'[i % 3]},{i % 4},{i / 7},{target(i)}" for i in range(300)]
    model.write({"data/d.csv": "\n".join(["id,Größe (cm),n,x,y", *lines]) + "\n"})


def checked(model):
    package = model.out / "package"
    results = function_check(
        package,
        sha256=package_digest(package).sha256,
        rows_file=model.root / "data/d.csv",
        root=model.root,
        serving=Serving(served=Served(model="m", version=1)),
    )
    return {result.name: result for result in results}


@with_onnx
@pytest.mark.parametrize("task", ["regression", "classification"])
def test_a_pipeline_of_scikit_learn_becomes_onnx_that_is_measured_and_served(model, task) -> None:
    write_rows(model, (lambda i: i / 7 + 3 * (i % 3)) if task == "regression" else lambda i: i % 3 == 0 or i > 200)
    model.source(PIPELINE)
    model.params["model"]["format"] = "onnx"
    model.params["train"]["params"] = {"classes": task == "classification"}
    done = model.run()
    package = model.out / "package"
    first = package_digest(package)
    assert sorted(path.name for path in package.iterdir()) == ["code", "model.onnx", "package.json"]
    assert (first.format, read_contract(package).task) == ("onnx", task)
    assert first.why.startswith("declared; converted by skl2onnx in ")
    assert {"onnx", "onnxruntime", "skl2onnx"} <= set(done.report["packages"])
    found = checked(model)
    assert found["service"].passed, found["service"].detail
    assert found["service"].detail.startswith("answered 300 rows as the package does")
    if task == "classification":
        assert done.metrics["roc_auc_score"].value > 0.9  # there is a probability, of True
    model.params["model"]["format"] = None
    python = model.run()
    assert package_digest(package).format != "onnx"
    assert {"onnx", "onnxruntime", "skl2onnx"} & set(python.report["packages"]) == set()
    for name, measured in done.metrics.items():
        assert measured.value == pytest.approx(python.metrics[name].value, rel=1e-4), name
    model.params["model"]["format"] = "onnx"
    model.run()
    assert package_digest(package) == first


class Kept(dict):
    """A cache of what was rendered."""

    def get(self, kind, key):
        return super().get((kind, key))

    def put(self, kind, key, value):
        self[kind, key] = value


FOREST = """
from sklearn.ensemble import RandomForestRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

def prepare(frame):
    return frame[[name for name in ("x", "y") if name in frame]]

def train(frame, *, seed):
    return make_pipeline(StandardScaler(), RandomForestRegressor(3, random_state=seed)).fit(frame[["x"]], frame["y"])
"""


@with_onnx
def test_a_forest_that_splits_on_missing_values_is_refused_before_its_conversion_which_might_never_end(model) -> None:
    lines = [f"{i},{'' if i % 5 == 0 else i / 7},{500 if i % 5 == 0 else i}" for i in range(300)]
    model.write({"data/d.csv": "\n".join(["id,x,y", *lines]) + "\n"})
    model.source(FOREST)
    model.params["model"]["format"] = "onnx"
    with pytest.raises(TrainingFailed, match=r"a tree in it splits on missing values, .*: fill them in prepare"):
        model.run()


NOTEBOOK = """\
# %% train
from sklearn.tree import DecisionTreeRegressor

def train(frame):
    return DecisionTreeRegressor(random_state=0).fit(frame[["sold"]], frame["sold"] / 7)
# %% predict
def predict(model, frame):
    return model.predict(frame[["season"]].rename(columns={"season": "sold"}).map(len))
"""


@with_onnx
def test_a_notebook_is_compared_with_its_module_whatever_the_file_is_written_as(tmp_path) -> None:
    """The file rounds otherwise than the notebook's own object."""
    import proving

    from stellwerk.training.contract import decode_params
    from stellwerk.training.develop import check_source

    (tmp_path / "data").mkdir()
    (tmp_path / "data/sales.csv").write_text(proving.ROWS)
    notebook = proving.written(tmp_path, NOTEBOOK)
    params = proving.params()
    params["model"]["format"] = "onnx"
    assert decode_params(params, where="").format == "onnx"
    results = check_source(
        tmp_path, params, rows_file=tmp_path / "data/sales.csv", folder="models/demand", notebook=notebook
    )
    found = {result.name: result for result in results}
    assert found["smoke training"].passed, found["smoke training"].detail
    assert found["equivalence"].passed, found["equivalence"].detail
    assert "the same 60 predictions" in found["equivalence"].detail


@with_onnx
@pytest.mark.parametrize("suffix", ["", ".SerializeToString()"])
def test_onnx_that_train_returned_is_kept_as_it_is(model, suffix) -> None:
    model.source(OWN.replace("SUFFIX", suffix))
    model.params["model"]["format"] = "onnx"
    done = model.run()
    assert package_digest(model.out / "package").why == "declared; train() returned ONNX itself"
    assert done.metrics["r2_score"].value > 0.8


@with_onnx
@pytest.mark.parametrize(
    ("returned", "message"),
    [
        ('{"slope": 2}', "the dict that train() returned is neither ONNX nor a scikit-learn estimator: return one"),
        ('b"slope"', "the bytes that train() returned are no ONNX model: "),
        (
            "make_pipeline(FunctionTransformer(lambda x: x ** 2), LinearRegression()).fit(frame[['x']], frame['y'])",
            "the Pipeline that train() returned cannot be written as ONNX, which `format` declares: in double",
        ),
        ("LinearRegression().fit(frame[['x']], frame['y'])", "an ONNX model has predict, predict_proba and classes_"),
    ],
)
def test_what_cannot_be_onnx_fails_the_training_and_says_why(model, returned, message) -> None:
    model.source(
        "from sklearn.linear_model import LinearRegression\nfrom sklearn.pipeline import make_pipeline\n"
        "from sklearn.preprocessing import FunctionTransformer\n\n"
        f"def train(frame):\n    return {returned}\n\n"
        "def predict(model, frame):\n"
        "    return model.predict(frame[['x']]) * (1 if hasattr(model, 'steps') else model.coef_[0])\n"
    )
    model.params["model"]["format"] = "onnx"
    with pytest.raises(TrainingFailed) as caught:
        model.run()
    assert message in str(caught.value)
    assert caught.value.kind == "bad-output"
    assert not (model.out / "package").exists()


@with_onnx
def test_a_file_that_predicts_otherwise_than_the_model_is_not_written(tmp_path) -> None:
    import numpy as np
    import pandas as pd
    from sklearn.linear_model import LinearRegression

    frame = pd.DataFrame({"x": np.arange(50.0)})
    fitted = LinearRegression().fit(frame, frame["x"] * 2)

    def ask(asked):
        return (asked.predict(frame) if asked is fitted else fitted.predict(frame) + asked), None, frame

    with pytest.raises(RefusedError, match="50 of 50 predictions differ"):
        save(fitted, tmp_path, ask=ask, load=lambda data: 0.01, names=("columns", "classes"))
    assert list(tmp_path.iterdir()) == []
    assert save(fitted, tmp_path, ask=ask, load=lambda data: 0.0, names=("columns", "classes"))


@pytest.mark.skipif(HERE, reason="the extra `onnx` is installed; asked where it is not")
def test_where_onnx_is_declared_and_not_installed_the_training_names_the_packages(model) -> None:
    model.params["model"]["format"] = "onnx"
    with pytest.raises(TrainingFailed) as caught:
        model.run()
    assert caught.value.kind == "environment"
    assert "`format: onnx` needs onnx, onnxruntime in the model's environment: add to its `requirements`" in str(
        caught.value
    )
    assert "pip install 'stellwerk[onnx]'" in str(caught.value)


def test_predictions_are_compared_by_value_and_a_tie_of_two_classes_may_fall_either_way() -> None:
    import numpy as np

    frame = None
    numbers = np.array([1000.0, 1.0])
    assert difference((numbers, None, frame), (numbers + 0.009, None, frame)) == ""
    assert (
        difference((numbers, None, frame), (numbers + np.array([0, 0.02]), None, frame)) == "1 of 2 predictions differ"
    )
    assert (
        difference((numbers, None, frame), (numbers * np.array([1, np.nan]), None, frame))
        == "1 of 2 predictions differ"
    )
    sure = np.array([[0.5, 0.5], [0.2, 0.8]])
    yes, no = np.array(["a", "b"]), np.array(["b", "b"])
    assert difference((yes, sure, frame), (no, sure + 1e-7, frame)) == ""
    assert difference((yes, sure, frame), (yes[::-1], sure, frame)) == "1 of 2 predictions differ"
    assert difference((yes, sure, frame), (yes, sure + 1e-3, frame)) == "2 of 2 probabilities differ"
    assert difference((yes, sure, frame), (yes, None, frame)) == "it has no such probabilities"


def test_the_declared_format_is_a_value_that_training_depends_on_and_nothing_where_it_is_not_declared() -> None:
    from stellwerk.model.declared import Dataset, Limits, Model, Project, Train
    from stellwerk.model.observed import Observed
    from stellwerk.planning.fingerprint import changed_parts, fingerprint_parts
    from stellwerk.planning.plan_files import Renderer
    from stellwerk.render.stage import stage_values

    plain = Model(name="m", source="m.py", target="y", train=Train(data="d"))
    onnx = Model(name="m", source="m.py", target="y", train=Train(data="d"), format="onnx")
    before, after = (fingerprint_parts(one, (), "0" * 32) for one in (plain, onnx))
    assert ("format" in before, after["format"]) == (False, "onnx")
    assert changed_parts(before, after) == ("format null → onnx",)
    cache = Kept()
    rendered = [
        Renderer(project=Project(), datasets={"d": Dataset(name="d", path="d.csv")}, cache=cache).files(one, Observed())
        for one in (plain, onnx)
    ]
    params = [
        step.action.text for files in rendered for step in files.steps if step.action.path.endswith("params.yaml")
    ]
    assert ["format: onnx" in text for text in params] == [False, True]
    values = [stage_values(one, Dataset(name="d", path="d.csv"), (), Limits())["model"] for one in (plain, onnx)]
    assert json.loads(json.dumps(values[1])) == {**values[0], "format": "onnx"}
