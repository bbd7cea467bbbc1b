"""Stand-ins for a model's own work, which takes seconds and has no effect on the repository: training and measuring.

The package is real and goes through the real DVC store. A model's error is its parameter `bias`.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from stellwerk.adapters.dvc import DvcStore
from stellwerk.adapters.folders import digest_folder
from stellwerk.adapters.git.read import CommitTree, open_reader
from stellwerk.model.ports import TrainingResult
from stellwerk.model.records import CheckResult, Measurement
from stellwerk.training.evaluate import Evaluation

ROWS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class QuickTrainer:
    """`Trainer`: a package that holds what it was trained from."""

    root: Path
    environ: dict[str, str]

    def train(self, model: str, *, commit: str, on_line: Callable[[str], None]) -> TrainingResult:
        tree, folder = CommitTree(open_reader(self.root, self.environ), commit), f"models/{model}"
        params = yaml.safe_load(tree.read([f"{folder}/params.yaml"])[f"{folder}/params.yaml"])
        pointer = f"{params['data']['path']}.dvc"
        data = yaml.safe_load(tree.read([pointer])[pointer])["outs"][0]
        on_line(f"training {model}")
        bias = float(params["train"]["params"].get("bias", 0.0))
        with tempfile.TemporaryDirectory() as room:
            package = Path(room) / "package"
            (package / "code").mkdir(parents=True)
            (package / "package.json").write_text(json.dumps({"bias": bias, "data": data["md5"]}))
            for path, content in tree.read(params["model"]["code"]).items():
                (package / "code" / Path(path).name).write_bytes(content)
            digest, md5 = digest_folder(package), DvcStore(self.root).cache_folder(package)
        found = hashlib.sha256(data["md5"].encode()).hexdigest()
        report: dict[str, Any] = {
            "data": {
                "md5": data["md5"],
                "sha256": found,
                "size": data["size"],
                "rows": ROWS,
                "columns": ["id", "x", "sold"],
            },
            "holdout": {"seed": 0, "rows": ROWS // 5, "digest": found, "train_rows": ROWS, "fraction": 0.2},
            "metrics": {"mean_absolute_error": {"value": bias, "n": ROWS // 5, "low": bias, "high": bias}},
            "package": {"sha256": digest.sha256, "size": digest.size, "files": digest.files, "format": "pickle"},
            "task": "regression",
            "python": "3.12.0",
            "packages": {},
            "isolation": "directory",
            "duration": 1.0,
            "cpu": 1.0,
            "peak_memory": 1,
        }
        files = {
            f"{folder}/dvc.lock": yaml.safe_dump({"package": md5}).encode(),
            f"{folder}/metrics.json": json.dumps({"mean_absolute_error": bias}).encode(),
        }
        return TrainingResult(report=report, profile=PROFILE, package_md5=md5, files=files)


PROFILE = json.dumps({"rows": ROWS, "min_group": 10, "columns": {}}) + "\n"


def evaluate(request: Any) -> Evaluation:
    """In place of `training.evaluate.evaluate`: every threshold is met."""
    measured = Measurement(value=json.loads((request.challenger.package / "package.json").read_text())["bias"], n=20)
    checks = (CheckResult(name="mean_absolute_error", passed=True, measured=measured),)
    return Evaluation(checks=checks, rows=20, excluded=0, difference=None)


def function_check(package: Path, *, sha256: str, **_: Any) -> tuple[CheckResult, ...]:
    """In place of `training.checks.function_check`."""
    return (CheckResult(name="function", passed=digest_folder(package).sha256 == sha256),)


def check_source(*_: Any, **__: Any) -> tuple[CheckResult, ...]:
    """In place of `training.develop.check_source`."""
    return (CheckResult(name="unit tests", passed=True),)


def put_in() -> None:
    """Use the stand-ins in this process from now on."""
    import os

    from stellwerk.app import session
    from stellwerk.reconcile import check

    setattr(session, "_trainer", lambda root, *_: QuickTrainer(root=root, environ=dict(os.environ)))  # noqa: B010
    check.evaluate, check.function_check, check.check_source = evaluate, function_check, check_source
