"""What a first training costs beside the same training without Stellwerk, and without DVC: trivial models, two at a time.

    python tests/benchmarks/trainings.py                        # 30 models that predict a mean
    python tests/benchmarks/trainings.py --models 1000
    python tests/benchmarks/trainings.py --model linear         # with scikit-learn

- *bare*: a script for each that reads the rows with pandas, fits, writes the model and measures it.
- *dvc*: the same script as a DVC stage, all stages by two `dvc repro --single-item`, each in a repository of its own.
- *stellwerk*: `stellwerk reconcile --jobs 2`; rendered and with a snapshot already, so that all it does is to train.

All figures are of the run that was made: seconds by the clock, and of all processors, divided by the number of models. Whole
processes are measured, start and end included. Exits 1 where the overhead is more than the limit.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import random
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SCRIPTS = Path(sysconfig.get_path("scripts"))
AT_ONCE = 2
LIMIT = 0.2  # seconds of overhead in a training
SUBREAPER = 36  # prctl(2): what a child leaves behind is waited for by this process, and its time counted

DATA = "data/sales.csv"
MODELS = {
    "mean": """\
class Mean:
    def __init__(self, value):
        self.value = value

    def predict(self, frame):
        return [self.value] * len(frame)


def train(frame, offset=0):
    return Mean(float(frame["sold"].mean()) + offset)


def predict(model, frame):
    return model.predict(frame)
""",
    "linear": """\
from sklearn.linear_model import LinearRegression


def train(frame, offset=0):
    return LinearRegression().fit(frame[["day", "price"]], frame["sold"] + offset)


def predict(model, frame):
    return model.predict(frame[["day", "price"]])
""",
}
BARE = """\
import json
import pickle
import sys

import pandas as pd

from model import predict, train

frame = pd.read_csv(sys.argv[1])
held = frame.sample(frac=0.2, random_state=0)
model = train(frame.drop(held.index), offset=int(sys.argv[2]))
error = (held["sold"] - predict(model, held.drop(columns="sold"))).abs().mean()
with open("model.pkl", "wb") as file:
    pickle.dump(model, file)
with open("metrics.json", "w") as file:
    json.dump({"mean_absolute_error": float(error)}, file)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Each:
    """Seconds per training: by the clock, two being at work at once, and of all processors."""

    wall: float
    cpu: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """The same `models` trainings three times."""

    models: int
    bare: Each
    dvc: Each
    stellwerk: Each

    @property
    def overhead(self) -> Each:
        """Of Stellwerk, DVC included."""
        return Each(wall=self.stellwerk.wall - self.bare.wall, cpu=self.stellwerk.cpu - self.bare.cpu)

    @property
    def share_of_dvc(self) -> Each:
        """What DVC alone adds."""
        return Each(wall=self.dvc.wall - self.bare.wall, cpu=self.dvc.cpu - self.bare.cpu)


def measure(folder: Path, models: int, *, model: str = "mean") -> Figures:
    """Prepare everything in the empty `folder`, then run the three one after the other. Linux: counts all processes."""
    room = folder / "temporary"  # what others left in the one of this machine would have to be hidden from each model
    room.mkdir()
    tempfile.tempdir = str(room)
    ctypes.CDLL(None).prctl(SUBREAPER, 1, 0, 0, 0)
    names = [f"m{number:04d}" for number in range(models)]
    bare = [_bare(folder / "bare" / name, MODELS[model], number) for number, name in enumerate(names)]
    shards = [_stages(folder / f"dvc{shard}", MODELS[model], names[shard::AT_ONCE]) for shard in range(AT_ONCE)]
    project = _project(folder / "project", MODELS[model], names)
    taken = {
        "bare": _timed([(command, folder / "bare" / name) for name, command in zip(names, bare, strict=True)]),
        "dvc": _timed([(command, folder / f"dvc{shard}") for shard, command in enumerate(shards) if command]),
        "stellwerk": _timed([([str(SCRIPTS / "stellwerk"), "-q", "reconcile", "--jobs", str(AT_ONCE)], project)]),
    }
    trained = [name for name in names if (project / f"registry/{name}/1/version.yaml").exists()]
    if trained != names:
        raise SystemExit(f"only {len(trained)} of {models} models were trained")
    return Figures(models=models, **{name: Each(wall=w / models, cpu=c / models) for name, (w, c) in taken.items()})


def _rows() -> str:
    draw = random.Random(0)
    lines = [f"{i},{i % 7},{draw.randint(5, 20)},{draw.randint(0, 50) + i % 7 * 3}\n" for i in range(200)]
    return "id,day,price,sold\n" + "".join(lines)


def _write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def _bare(folder: Path, code: str, number: int) -> list[str]:
    _write(folder, {"model.py": code, "train_bare.py": BARE, "sales.csv": _rows()})
    return [sys.executable, "train_bare.py", "sales.csv", str(number)]


def _stages(folder: Path, code: str, names: Sequence[str]) -> list[str]:
    """A DVC repository with a stage for each name; the command that reproduces all of them."""
    files = {DATA: _rows()}
    for name in names:
        number = int(name.removeprefix("m"))
        files |= {
            f"models/{name}/model.py": code,
            f"models/{name}/train_bare.py": BARE,
            f"models/{name}/dvc.yaml": (
                f"stages:\n  train:\n    cmd: {sys.executable} train_bare.py ../../{DATA} {number}\n"
                f"    deps: [model.py, ../../{DATA}]\n    outs: [model.pkl]\n    metrics: [{{metrics.json: {{cache: false}}}}]\n"
            ),
        }
    _write(folder, files)
    _quietly(["git", "init", "--quiet"], folder)
    _quietly([str(SCRIPTS / "dvc"), "init", "--quiet"], folder)
    _quietly([str(SCRIPTS / "dvc"), "add", "--quiet", DATA], folder)
    targets = [f"models/{name}/dvc.yaml" for name in names]
    return [str(SCRIPTS / "dvc"), "repro", "--quiet", "--single-item", *targets] if targets else []


def _project(folder: Path, code: str, names: Sequence[str]) -> Path:
    """A repository in which nothing is left to do but to train each model."""
    declared = "".join(
        f"  {name}: {{source: model.py, target: sold, train: {{data: sales, params: {{offset: {number}}}}}}}\n"
        for number, name in enumerate(names)
    )
    head = f"version: 1\nlimits: {{trainings: {len(names)}}}\ndatasets: {{sales: {{path: {DATA}, key: id}}}}\nmodels:\n"
    _write(folder, {"mlops.yaml": head + declared, "model.py": code, DATA: _rows()})
    stellwerk = str(SCRIPTS / "stellwerk")
    for command in (
        ["git", "init", "--quiet", "--initial-branch=main"],
        ["git", "config", "user.name", "Ada"],
        ["git", "config", "user.email", "ada@example.com"],
        ["git", "add", "mlops.yaml", "model.py"],
        ["git", "commit", "--quiet", "--message=declare"],
        [stellwerk, "init"],
        [stellwerk, "render"],
        ["git", "add", "--all"],
        ["git", "commit", "--quiet", "--message=render"],
        [stellwerk, "snapshot", "sales", "--because", "the first"],
    ):
        _quietly(command, folder)
    return folder


def _quietly(command: Sequence[str], folder: Path) -> None:
    """Run a command of the preparation; its output only where it fails."""
    done = subprocess.run(command, cwd=folder, env=_environment(), capture_output=True, encoding="utf-8", check=False)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)}:\n{done.stdout}{done.stderr}")


def _timed(commands: Sequence[tuple[Sequence[str], Path]]) -> tuple[float, float]:
    """Run the commands, two at a time; seconds by the clock and of all processors until the last of their processes ended."""
    waiting, running, start, cpu = list(reversed(commands)), set[int](), time.perf_counter(), 0.0
    clock = 0.0
    while True:
        while waiting and len(running) < AT_ONCE:
            command, folder = waiting.pop()
            running.add(_started(command, folder))
        try:
            pid, status, usage = os.wait4(-1, 0)
        except ChildProcessError:
            return clock, cpu
        cpu += usage.ru_utime + usage.ru_stime
        if pid in running:
            running.discard(pid)
            clock = time.perf_counter() - start
            if os.waitstatus_to_exitcode(status) != 0:
                raise SystemExit("a command failed; its words are above")


def _started(command: Sequence[str], folder: Path) -> int:
    quiet = os.open(os.devnull, os.O_WRONLY)
    try:
        pid = os.fork()
        if pid == 0:
            os.dup2(quiet, 1)
            os.chdir(folder)
            os.execvpe(command[0], list(command), _environment())
    finally:
        os.close(quiet)
    return pid


def _environment() -> dict[str, str]:
    """Nothing that phones home, nothing that colours."""
    return {
        **os.environ,
        "TMPDIR": tempfile.gettempdir(),
        "DVC_NO_ANALYTICS": "1",
        "NO_COLOR": "1",
        "DVC_SITE_CACHE_DIR": str(Path(tempfile.gettempdir()) / "benchmark-dvc-site"),
    }


def table(figures: Figures) -> str:
    """The figures as text, a line each."""
    rows = {
        "bare": figures.bare,
        "dvc repro": figures.dvc,
        "stellwerk reconcile": figures.stellwerk,
        "overhead of stellwerk": figures.overhead,
        "of dvc alone": figures.share_of_dvc,
    }
    head = f"{figures.models} trainings, {AT_ONCE} at a time, {os.cpu_count()} CPUs; each:"
    lines = [f"{name:<24} {each.wall * 1000:>6.0f} ms {each.cpu * 1000:>6.0f} ms CPU" for name, each in rows.items()]
    return "\n".join((head, *lines))


def main() -> int:
    """Prepare, measure, print; 1 where the limit is missed."""
    parser = argparse.ArgumentParser(
        description="Measure what a first training costs beside the same without Stellwerk."
    )
    parser.add_argument("--models", type=int, default=30)
    parser.add_argument("--model", choices=sorted(MODELS), default="mean")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="benchmark-trainings-") as name:
        figures = measure(Path(name), asked.models, model=asked.model)
    print(table(figures))
    passed = figures.overhead.wall < LIMIT
    print(f"{'pass' if passed else 'FAIL'}  overhead of a training: {figures.overhead.wall:.3f} s (< {LIMIT} s)")
    return int(not passed)


if __name__ == "__main__":
    sys.exit(main())
