"""Rendering a model's stage, and DVC's own opinion of what was rendered."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from stellwerk.adapters.dvc.setup import init_dvc
from stellwerk.adapters.dvc.store import DvcStore
from stellwerk.model.declared import Column, Command, Dataset, Features, Holdout, Limits, Model, Train
from stellwerk.render import stage
from stellwerk.render.seal import edited, ours
from stellwerk.render.stage import GENERATED, render_stage

SALES = Dataset(name="sales", path="data/sales.csv", key=("style", "day"), time="day")
DEMAND = Model(
    name="shoe-demand",
    source="models/shoe-demand/demand.py",
    target="sold",
    train=Train(data="sales", params={"depth": 3}),
)
CODE = ("lib/seasons.py", "models/shoe-demand/demand.py")


def rendered(model: Model = DEMAND, dataset: Dataset = SALES, code: tuple[str, ...] = CODE) -> dict[str, str]:
    return {path.rpartition("/")[2]: text for path, text in render_stage(model, dataset, code, Limits()).items()}


def test_the_stage_names_its_inputs_relative_to_its_folder():
    assert yaml.safe_load(rendered()["dvc.yaml"])["stages"]["train"] == {
        "cmd": "stellwerk stage",
        "desc": "Split, train in a process of its own, measure on rows the model never saw",
        "deps": ["../../data/sales.csv", "../../lib/seasons.py", "demand.py"],
        "params": ["model", "data", "train", "privacy"],
        "outs": ["package", "training"],
        "metrics": [{"metrics.json": {"cache": False}}],
    }


def test_the_parameters_say_what_is_declared_of_the_features_columns_and_no_more():
    columns = (
        Column(name="shop", type="string", pattern="S[0-9]{3}", missing=0.1, description="where"),
        Column(name="sold", type="integer"),
        Column(name="free", unique=True),
    )
    values = yaml.safe_load(rendered(dataset=replace(SALES, columns=columns))["params.yaml"])
    assert values["data"]["columns"] == [{"name": "shop", "type": "string", "pattern": "S[0-9]{3}"}]


def test_the_parameters_are_the_resolved_values():
    assert yaml.safe_load(rendered()["params.yaml"]) == {
        "model": {
            "source": "models/shoe-demand/demand.py",
            "command": None,
            "code": list(CODE),
            "requirements": None,
            "task": None,
            "target": "sold",
            "positive": None,
            "features": {"include": [], "exclude": []},
        },
        "data": {
            "dataset": "sales",
            "path": "data/sales.csv",
            "format": "csv",
            "time": "day",
            "identity": ["style", "day"],
        },
        "train": {
            "params": {"depth": 3},
            "seed": 0,
            "timeout": 3600,
            "holdout": {"fraction": 0.2, "last_share": None, "last_seconds": None, "by": []},
        },
        "privacy": {"min_group": 10},
    }


def test_everything_that_a_training_reads_reaches_the_parameters():
    model = replace(
        DEMAND,
        command=Command(train="sh train.sh", predict="sh predict.sh"),
        requirements="requirements.txt",
        task="classification",
        positive=True,
        features=Features(include=("a",), exclude=("b",)),
        train=Train(data="sales", seed=7, timeout=60, holdout=Holdout(fraction=None, last_seconds=86400, by=("c",))),
    )
    params = yaml.safe_load(rendered(model)["params.yaml"])
    assert params["model"]["command"] == {"train": "sh train.sh", "predict": "sh predict.sh"}
    assert params["model"]["positive"] is True
    assert params["model"]["features"] == {"include": ["a"], "exclude": ["b"]}
    assert params["train"]["holdout"] == {"fraction": None, "last_share": None, "last_seconds": 86400, "by": ["c"]}
    assert "../../requirements.txt" in yaml.safe_load(rendered(model)["dvc.yaml"])["stages"]["train"]["deps"]


def test_the_order_in_which_code_is_named_does_not_matter():
    assert rendered(code=CODE) == rendered(code=CODE[::-1])


def test_generated_lists_what_is_generated():
    assert tuple(sorted(rendered())) == GENERATED


def test_our_files_are_known_and_a_change_by_hand_is_seen():
    for text in rendered().values():
        assert ours(text)
        assert not edited(text)
        assert not edited(text.replace("\n", "\r\n"))
        assert edited(text + "# mine\n")
        assert edited(text.replace("sha256=", "sha256=0"))
    assert not ours("stages: {}\n")
    assert not edited("stages: {}\n")


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.sampled_from(
    [
        "1e5",
        "0o17",
        "no",
        "~",
        "1.10",
        "2026-01-31",
        "12:30",
        "${x}",
        "a: b",
        "# c",
        " x ",
        "é" * 200,
        "0x1F",
        "null",
        ".5",
    ]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=60)
@given(params=st.dictionaries(TEXTS, VALUES, max_size=4), name=TEXTS)
def test_values_come_back_as_they_were_by_yaml_1_1_and_by_dvc(params, name):
    from dvc.utils.serialize import parse_yaml

    model = replace(DEMAND, target=name, train=Train(data="sales", params=params))
    text = rendered(model)["params.yaml"]
    for read in (yaml.safe_load(text), parse_yaml(text, "params.yaml")):
        assert read["train"]["params"] == params
        assert read["model"]["target"] == name
    assert not edited(text)


FAKE = """#!/bin/sh
set -e
echo ran >> "$STELLWERK_TEST_RUNS"
mkdir -p package/code training
cp params.yaml package/package.json
echo '{}' > training/report.json
echo '{}' > training/profile.json
echo '{"mae": 1.5}' > metrics.json
"""


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("shoe-demand", "models/shoe-demand/demand.py"),
        ("nachfrage-größe", "lib/über ${x} [1]#.py"),
        ("n" * 200, "models/" + "n" * 200 + "/train.py"),
    ],
)
def test_dvc_reproduces_what_was_rendered_and_is_clean_afterwards(repo, tmp_path, monkeypatch, name, code):
    init_dvc(repo.root)
    fake = tmp_path / "bin/stellwerk"
    fake.parent.mkdir()
    fake.write_text(FAKE)
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("STELLWERK_TEST_RUNS", str(tmp_path / "runs"))
    model = replace(DEMAND, name=name, source=code, train=Train(data="sales", params={"a.b": "${c}", "1e5": "1e5"}))
    files = render_stage(model, SALES, (code,), Limits())
    repo.gen({**files, "data/sales.csv": "day,sold\n1,2\n", code: "x = 1\n"})
    DvcStore(repo.root).add("data/sales.csv")
    folder = repo.root / "models" / name
    subprocess.run(["dvc", "repro", "-q"], cwd=folder, check=True)
    assert subprocess.run(["dvc", "status", "-q"], cwd=folder, check=False).returncode == 0
    subprocess.run(["dvc", "repro", "-q"], cwd=folder, check=True)
    assert Path(tmp_path / "runs").read_text() == "ran\n"
    for path, text in files.items():
        assert repo.read(path) == text
    (repo.root / code).write_text("x = 2\n")
    assert subprocess.run(["dvc", "status", "-q"], cwd=folder, check=False).returncode == 1


keys = st.from_regex(r"[A-Za-z_][A-Za-z0-9_.]{0,8}", fullmatch=True) | st.text(max_size=6)
words = (
    st.text(max_size=20)
    | st.text(alphabet="ab:'\"\\ #-?[]{},&*!|>%@`", max_size=90)
    | st.sampled_from(["1e5", "0o17", "yes", "On", "NULL", "../a", "a b ", "a - b", "_1", "A_.b"])
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | words,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,
)


@given(value=st.dictionaries(keys, values, min_size=1, max_size=4))
def test_both_dumpers_write_the_same_bytes_of_what_is_simple(value):
    assert stage._dump(value) == stage.slow_dump(value)
