"""A repository with one model, its data and the parameters of its stage."""

from __future__ import annotations

import copy
import os
import random
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from stellwerk.adapters.child import Isolation
from stellwerk.adapters.process import run
from stellwerk.training.jobs import Surroundings
from stellwerk.training.stage import StageReport, run_stage

ROWS = 400
SOURCE = """
import numpy as np

def train(frame, *, slope=2.0, seed=None):
    return {"slope": slope, "mean": float(frame["y"].mean())}

def predict(model, frame):
    return model["slope"] * frame["x"]
"""
PARAMS: dict[str, Any] = {
    "model": {
        "source": "models/m/m.py",
        "command": None,
        "code": ["models/m/m.py"],
        "requirements": None,
        "task": None,
        "target": "y",
        "positive": None,
        "features": {"include": [], "exclude": []},
    },
    "data": {"dataset": "d", "path": "data/d.csv", "format": "csv", "time": None, "identity": ["id"]},
    "train": {
        "params": {},
        "seed": 0,
        "timeout": 60,
        "holdout": {"fraction": 0.2, "last_share": None, "last_seconds": None, "by": []},
    },
    "privacy": {"min_group": 10},
}


def regression_csv(rows: int = ROWS, seed: int = 0) -> str:
    """`y` is 2x and a little noise with a fractional part by which a held-out target can be recognised."""
    draw = random.Random(seed)
    lines = [f"{i},{draw.randint(0, 99)},{'ab'[i % 2]}" for i in range(rows)]
    text = ["id,x,group,y"]
    text += [f"{line},{2 * int(line.split(',')[1]) + 30 * draw.random():.6f}" for line in lines]
    return "\n".join(text) + "\n"


@dataclass
class ModelRepository:
    root: Path
    params: dict[str, Any] = field(default_factory=lambda: copy.deepcopy(PARAMS))

    @property
    def out(self) -> Path:
        return self.root / "models/m"

    def write(self, files: Mapping[str, str]) -> None:
        for name, text in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")

    def source(self, text: str) -> None:
        self.write({"models/m/m.py": text})

    def redraw(self, seed: int) -> None:
        """Write data whose targets no other test has."""
        self.write({"data/d.csv": regression_csv(seed=seed)})

    def command(self, train: str, predict: str, **files: str) -> None:
        self.write({f"models/m/{name.replace('__', '.')}": text for name, text in files.items()})
        names = [f"models/m/{name.replace('__', '.')}" for name in files]
        self.params["model"] |= {"source": None, "command": {"train": train, "predict": predict}, "code": names}

    def around(self, **changes: Any) -> Surroundings:
        return Surroundings(**{"parent": dict(os.environ), "timeout": 60, "masked": (self.root / "data",), **changes})

    def run(self, **changes: Any) -> StageReport:
        return run_stage(self.params, root=self.root, out=self.out, around=self.around(**changes))

    def files(self) -> set[str]:
        return {path.relative_to(self.root).as_posix() for path in self.root.rglob("*") if path.is_file()}


@pytest.fixture
def model(tmp_path: Path) -> ModelRepository:
    repository = ModelRepository(root=tmp_path / "repo")
    repository.write({"data/d.csv": regression_csv(), "models/m/m.py": SOURCE})
    return repository


@pytest.fixture
def namespaces(tmp_path: Path) -> None:
    """Skip where the machine grants none."""
    settings = {"env": dict(os.environ), "timeout": 30, "log": tmp_path / "probe.txt", "isolation": Isolation()}
    if run(["true"], cwd=tmp_path, **settings).isolation != "namespace":
        pytest.skip("this machine grants no namespaces")


@pytest.fixture(scope="session")
def environment_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def bare_environment(
    environment_cache: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Path], str]:
    """Write `requirements.txt` into a folder: nothing but a small wheel made here, so that no index is asked."""
    monkeypatch.setenv("STELLWERK_CACHE", str(environment_cache))
    wheel = environment_cache / "small-1-py3-none-any.whl"
    if not wheel.exists():
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr("small.py", "VERSION = 1\n")
            archive.writestr("small-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: small\nVersion: 1\n")
            archive.writestr(
                "small-1.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
            )
            archive.writestr("small-1.dist-info/RECORD", "small.py,,\n")

    def write(folder: Path) -> str:
        (folder / "requirements.txt").write_text(f"{wheel}\n")
        return "requirements.txt"

    return write
