"""One racer: a whole run of Stellwerk, with stand-ins for DVC and for the training alone.

    python racer.py CLONE '{"shard": "3/16"}'               # reconcile a part of the models
    python racer.py CLONE '{}'                              # reconcile all of them, as everybody else does
    python racer.py CLONE '{"holds": 20, "model": "m1"}'    # decide, again and again, about one model

Says `ready`, waits for a line, and ends with a line of JSON.
"""

from __future__ import annotations

import hashlib
import json
import os
import resource
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from msgspec.structs import replace

from stellwerk.adapters.git.read import CommitTree, GitReader
from stellwerk.app import ReconcileRequest, Workspace
from stellwerk.app.session import Session
from stellwerk.errors import PushLostError
from stellwerk.model.ports import TrainingResult
from stellwerk.planning.shard import Shard


class NoStore:
    """`DataStore` that has everything."""

    def push(self, hashes: Iterable[str], *, remote: str | None) -> None:
        """Everything is there already."""

    def missing(self, hashes: Iterable[str], *, remote: str | None) -> frozenset[str]:
        return frozenset()

    def fetch(self, md5: str, destination: Path, *, remote: str | None) -> None:
        raise AssertionError(md5)

    add = fetch


@dataclass(frozen=True)
class QuickTrainer:
    """`Trainer` whose result follows from the model's parameters."""

    reader: GitReader

    def train(self, model: str, *, commit: str, on_line: Callable[[str], None]) -> TrainingResult:
        path, pointer = f"models/{model}/params.yaml", "data/sales.csv.dvc"
        files = CommitTree(self.reader, commit, only=[path, pointer]).read([path, pointer])
        digest = hashlib.sha256(files[path]).hexdigest()
        md5 = yaml.safe_load(files[pointer])["outs"][0]["md5"]
        report = {
            "task": "regression",
            "data": {"md5": md5, "sha256": digest, "size": 9, "rows": 100, "columns": ["x", "sold"]},
            "holdout": {"seed": 0, "rows": 20, "digest": digest, "train_rows": 80, "fraction": 0.2},
            "metrics": {"mean_absolute_error": {"value": 1.0, "n": 20}},
            "package": {"sha256": digest, "size": 9, "files": 1, "format": "joblib"},
            "python": "3.12.0",
            "packages": {},
            "isolation": "directory",
            "duration": 1.0,
            "cpu": 1.0,
            "peak_memory": 1,
        }
        made = {f"models/{model}/dvc.lock": digest.encode(), f"models/{model}/metrics.json": b"{}\n"}
        return TrainingResult(report=report, profile="{}\n", package_md5=f"{digest[:32]}.dir", files=made)


@dataclass(slots=True)
class Watched:
    """When pushing began and when it went through, in seconds on the clock of the machine; and what was lost."""

    began: float | None = None
    losses: int = 0
    waits: list[float] | None = None

    def around(self, push: Callable[..., str]) -> Callable[..., str]:
        def watched(*given: Any) -> str:
            now = time.monotonic()
            self.began = now if self.began is None else self.began
            try:
                words = push(*given)
            except PushLostError:
                self.losses += 1
                raise
            if words:
                self.waits = [*(self.waits or []), time.monotonic() - self.began]
            self.began = None
            return words

        return watched


class RacingWorkspace(Workspace):
    """A workspace whose session trains at once and stores nothing."""

    watched = Watched()

    def session(self, loaded: Any, *, push: bool | None) -> Session:
        made = super().session(loaded, push=push)
        trainer = QuickTrainer(self.reader)
        made.publisher.push = self.watched.around(made.publisher.push)
        return replace(made, world=replace(made.world, store=NoStore(), trainer=lambda _: trainer))


def processors() -> float:
    """Processor seconds of this process and of all it started."""
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def main() -> None:
    """Race."""
    root, job = Path(sys.argv[1]), json.loads(sys.argv[2])
    workspace = RacingWorkspace.open(root, environ=dict(os.environ))
    import git

    del git  # imported before the race begins, as everything else
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    began, used, done = time.monotonic(), processors(), []
    if "holds" in job:
        for number in range(job["holds"]):
            because = f"{job['name']} says {number}"
            fresh = RacingWorkspace.open(root, environ=dict(os.environ))
            decision = fresh.hold(job["model"], "production", because=because, until=None, release=False, push=None)
            assert decision.pushed
            done.append(decision.commit)
    else:
        number, _, of = job.get("shard", "").partition("/")
        shard = Shard(number=int(number), of=int(of)) if of else None
        outcome = workspace.reconcile(ReconcileRequest(shard=shard), lambda _: None)
        assert not outcome.problems, outcome.problems
        done = [item.commit for item in outcome.done]
    watched = RacingWorkspace.watched
    answer = {"began": began, "ended": time.monotonic(), "cpu": processors() - used, "commits": done}
    answer |= {"waits": watched.waits or [], "losses": watched.losses}
    sys.stdout.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
