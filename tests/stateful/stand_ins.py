"""Stand-ins for what takes seconds: DVC, trainings, measurements, targets. All that they know lies in files.

A model's mean absolute error is the sum of its parameter `bias`, its code's `QUALITY` and its data's `difficulty`. Its
code fails where it says `raise`, its tests where it says `UNTESTED`, its package where it says `BROKEN`.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from stellwerk.adapters.git.read import CommitTree, GitReader
from stellwerk.declarations.records import encode
from stellwerk.errors import StellwerkError, TrainingFailed
from stellwerk.model.ports import AddResult, TrainingResult
from stellwerk.model.records import CheckResult, Measurement, Pointer
from stellwerk.training.evaluate import Evaluation

METRIC = "mean_absolute_error"
ROWS = 20


def md5_of(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def rows(difficulty: int) -> bytes:
    """A dataset as hard as that."""
    return "".join(["id,difficulty,sold\n", *(f"{i},{difficulty},{i * 2}\n" for i in range(ROWS))]).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderStore:
    """`DataStore`: objects in files by hash, in this machine's cache and in remotes that all machines see."""

    root: Path
    cache: Path
    remotes: Path

    def _remote(self, name: str | None) -> Path:
        return self.remotes / (name or "default")

    def add(self, path: str) -> AddResult:
        file = self.root / path
        if not file.exists():
            raise StellwerkError(f"there is no file {path}", where=path)
        content = file.read_bytes()
        md5 = md5_of(content)
        self._put(self.cache, md5, content)
        out = {"md5": md5, "size": len(content), "hash": "md5", "path": file.name}
        return AddResult(
            pointer=Pointer(path=path, md5=md5, size=len(content)),
            files={f"{path}.dvc": yaml.safe_dump({"outs": [out]}, sort_keys=False).encode()},
        )

    def add_folder(self, files: dict[str, str]) -> str:
        content = json.dumps(files, sort_keys=True).encode()
        md5 = f"{md5_of(content)}.dir"
        self._put(self.cache, md5, content)
        return md5

    def push(self, hashes: Any, *, remote: str | None) -> None:
        for md5 in sorted(hashes):
            if self._good(self._remote(remote), md5) is None:
                content = self._good(self.cache, md5)
                if content is None:
                    raise StellwerkError(f"cannot push {md5}: it is neither in the cache nor in the remote")
                self._put(self._remote(remote), md5, content)

    def missing(self, hashes: Any, *, remote: str | None) -> frozenset[str]:
        return frozenset(md5 for md5 in hashes if self._good(self._remote(remote), md5) is None)

    def fetch(self, md5: str, destination: Path, *, remote: str | None) -> None:
        content = self.bring(md5, remote=remote)
        if not md5.endswith(".dir"):
            destination.write_bytes(content)
            return
        destination.mkdir(parents=True)
        for name, text in json.loads(content).items():
            (destination / name).write_text(text)

    def bring(self, md5: str, *, remote: str | None) -> bytes:
        content = self._good(self.cache, md5)
        if content is None:
            content = self._good(self._remote(remote), md5)
            if content is None:
                raise StellwerkError(f"cannot fetch {md5}: neither the cache nor the remote has it", where=str(remote))
            self._put(self.cache, md5, content)
        return content

    def _good(self, place: Path, md5: str) -> bytes | None:
        """The object, if it is there and what its name says."""
        file = place / md5
        content = file.read_bytes() if file.exists() else None
        return content if content is not None and md5_of(content) == md5.removesuffix(".dir") else None

    @staticmethod
    def _put(place: Path, md5: str, content: bytes) -> None:
        place.mkdir(parents=True, exist_ok=True)
        part = place / f"{md5}.part"
        part.write_bytes(content)
        part.replace(place / md5)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuickTrainer:
    """`Trainer`: works out how good the model of a commit would be. Notes every attempt in the file `log`."""

    reader: GitReader
    store: FolderStore
    log: Path

    def train(self, model: str, *, commit: str, on_line: Any) -> TrainingResult:
        tree = CommitTree(self.reader, commit)
        params = _read(tree, f"models/{model}/params.yaml")
        code = {path: content.decode() for path, content in tree.read(params["model"]["code"]).items()}
        out = _read(tree, f"{params['data']['path']}.dvc")["outs"][0]
        data = self.store.bring(out["md5"], remote=None)
        bias, text = params["train"]["params"].get("bias", 0), "\n".join(code[path] for path in sorted(code))
        on_line(f"training {model}")
        with self.log.open("a") as file:
            file.write(f"{model} {out['md5']} {md5_of(text.encode())} {json.dumps(params['train'], sort_keys=True)}\n")
        if "raise" in text:
            raise TrainingFailed("ValueError: no luck", kind="raised", log="Traceback\nValueError: no luck")
        found = re.search(r"QUALITY = (\d+)", text)
        error = float(bias + int(found[1] if found else 0) + difficulty(data))
        package = json.dumps({"code": code, "train": params["train"], "data": out["md5"], "error": error})
        md5 = self.store.add_folder({"package.json": package})
        measured = Measurement(value=error, n=ROWS // 5)
        report = {
            "task": "regression",
            "data": {
                "md5": out["md5"],
                "sha256": hashlib.sha256(data).hexdigest(),
                "size": len(data),
                "rows": ROWS,
                "columns": ["id", "difficulty", "sold"],
            },
            "holdout": {
                "seed": params["train"]["seed"],
                "rows": ROWS // 5,
                "digest": hashlib.sha256(data).hexdigest(),
                "train_rows": ROWS - ROWS // 5,
                "fraction": 0.2,
            },
            "metrics": {METRIC: encode(measured)},
            "package": {"sha256": package_sha256(package), "size": len(package), "files": 1, "format": "joblib"},
            "python": "3.12.0",
            "packages": {},
            "isolation": "directory",
            "duration": 1.0,
            "cpu": 1.0,
            "peak_memory": 1,
        }
        files = {
            f"models/{model}/dvc.lock": f"package: {md5}\n".encode(),
            f"models/{model}/metrics.json": json.dumps({METRIC: error}).encode(),
        }
        return TrainingResult(report=report, profile=f'{{"data": "{out["md5"]}"}}\n', package_md5=md5, files=files)


def _read(tree: CommitTree, path: str) -> Any:
    return yaml.safe_load(tree.read([path])[path])


def difficulty(data: bytes) -> int:
    return int(data.splitlines()[1].split(b",")[1])


def package_sha256(package: str) -> str:
    inner = hashlib.sha256(package.encode()).hexdigest()
    return hashlib.sha256(f"{inner}  package.json\n".encode()).hexdigest()


def package_facts(folder: Path, sha256: str) -> dict[str, Any]:
    """What the fetched package holds; it must be the recorded one."""
    text = (folder / "package.json").read_text()
    assert package_sha256(text) == sha256
    return dict(json.loads(text))


def evaluate(request: Any) -> Evaluation:
    """In place of `training.evaluate.evaluate`."""
    error = package_facts(request.challenger.package, request.challenger.record.package.sha256)["error"]
    assert md5_of(request.challenger.snapshot.read_bytes()) == request.challenger.record.data.md5
    rival = None
    if request.champion:
        rival = package_facts(request.champion.package, request.champion.record.package.sha256)["error"]
    checks = [CheckResult(name="predictions", passed=True, detail=f"{ROWS // 5} held-out rows predicted")]
    for threshold in request.thresholds:
        assert threshold.metric == METRIC
        worse = threshold.max_worsening
        passed = threshold.max is None or error <= threshold.max
        passed = passed and (worse is None or rival is None or error <= rival + worse.value)
        measured = Measurement(value=error, n=ROWS // 5)
        checks.append(
            CheckResult(
                name=METRIC,
                passed=passed,
                limit=f"at most {threshold.max}",
                measured=measured,
                champion=Measurement(value=rival, n=ROWS // 5) if rival is not None else None,
            )
        )
    return Evaluation(checks=tuple(checks), rows=ROWS // 5, excluded=0, difference=None)


def function_check(package: Path, *, sha256: str, rows_file: Path, **_: Any) -> tuple[CheckResult, ...]:
    """In place of `training.checks.function_check`."""
    broken = "BROKEN" in json.dumps(package_facts(package, sha256)["code"])
    assert rows_file.exists()
    return (CheckResult(name="function", passed=not broken, detail="it does not predict" if broken else "it predicts"),)


def check_source(root: Path, params: Any, **_: Any) -> tuple[CheckResult, ...]:
    """In place of `training.develop.check_source`."""
    bad = any("UNTESTED" in (root / path).read_text() for path in params["model"]["code"] if (root / path).exists())
    return (CheckResult(name="unit tests", passed=not bad, detail="1 failed" if bad else "1 passed"),)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileTarget:
    """`DeployPort`: a file per model says what runs. Fails while the file `down` exists."""

    folder: Path
    down: Path

    def deploy(self, request: Any) -> str:
        if self.down.exists():
            raise StellwerkError("the target does not answer", hint="try again later")
        place = self.folder / request.environment / request.model
        if request.version is None:
            place.unlink(missing_ok=True)
            return "nothing runs"
        package_facts(request.package, request.sha256)
        place.parent.mkdir(parents=True, exist_ok=True)
        part = place.with_suffix(".part")
        part.write_text(request.sha256)
        part.replace(place)
        return f"runs {request.sha256[:12]}"

    def running(self, request: Any) -> str | None:
        place = self.folder / request.environment / request.model
        return place.read_text() if place.exists() else None


def clear(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
