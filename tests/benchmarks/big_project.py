"""A project of any size whose every model is released, deployed and needs nothing: what a quiet day looks like.

    python tests/benchmarks/big_project.py FOLDER --models 1000 --versions 5

Declarations are split as a large company splits them: `include: [models/*/model.yaml]`. Every record is written by
Stellwerk's own codec with the fingerprints and verdict keys that Stellwerk computes, so a plan of it must be empty.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

from stellwerk.declarations.compose import load_declarations
from stellwerk.declarations.records import dump
from stellwerk.model.declared import Json, Model, Project, Purpose
from stellwerk.model.records import (
    Approval,
    CheckResult,
    DataRecord,
    Deployment,
    HoldoutRecord,
    Measurement,
    PackageRecord,
    Release,
    Verdict,
    VersionRecord,
)
from stellwerk.planning.fingerprint import fingerprint, fingerprint_parts
from stellwerk.planning.observe import observe
from stellwerk.planning.policy import Route, evaluation_digest, verdict_key
from stellwerk.render.stage import render_stage

AT = "2026-01-31T12:00:00Z"
ACTOR = "Ada Lovelace <ada@example.com>"
MODELS_PER_DATASET = 10

PROJECT = """\
version: 1
project: benchmark
classifications: [public, confidential]
include: [models/*/model.yaml]
teams:
  data-science: {contact: data-science@example.com, members: [{name: ada, email: ada@example.com}]}
  risk-office: {contact: risk@example.com, members: [grace, joan]}
owners: {accountable: data-science, develops: data-science, operates: data-science}
defaults:
  task: regression
  target: sold
  train: {seed: 7, timeout: 10m}
datasets:
  stand-in: {path: data/stand-in.csv, classification: public, key: [style, day], time: day}
"""
DATASET = """\
  sales-{0:04d}:
    path: data/sales-{0:04d}.csv
    classification: confidential
    stand_in: stand-in
    key: [style, day]
    time: day
    columns: {{day: date, style: string, price: {{type: number, min: 0}}, sold: {{type: integer, min: 0}}}}
"""
MODEL = """\
models:
  {name}:
    source: models/{name}/model.py
    risk: {risk}
    train:
      data: sales-{dataset:04d}
      params: {{penalty: {penalty}.0, depth: 3}}
      holdout: {{last: 12w}}
    thresholds:
      wape: {{max: 0.2, max_worsening: 5%, min_rows: 200, slices: [style]}}
      bias: {{max: 2.0}}
"""
SOURCE = """\
import numpy as np


def train(frame, *, penalty=1.0, depth=3):
    # model {name}
    return {{"level": float(np.mean(frame["sold"])), "penalty": penalty, "name": "{name}"}}


def predict(model, frame):
    return np.full(len(frame), model["level"])
"""
ENVIRONMENTS = {
    "dev": "purpose: development\ndata: {allows: public}\n",
    "integration-test": "purpose: integration\nafter: dev\ndata: {allows: public}\n",
    "regression": (
        "purpose: regression\nafter: integration-test\nclone_of: production\ncontrols: [encrypted-at-rest]\n"
    ),
    "production": (
        "purpose: production\nafter: regression\ncontrols: [encrypted-at-rest]\n"
        "approval: {by: risk-office, when: {risk: high}}\n"
        "deploy: {target: local, path: deployed/production}\n"
    ),
}


class MemoryTree:
    """Files that exist nowhere else yet."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.files = files
        self.ids = {path: sha256(content) for path, content in files.items()}

    def blobs(self) -> Mapping[str, str]:
        """Path -> an id of its content."""
        return self.ids

    def read(self, paths: Iterable[str]) -> Mapping[str, bytes]:
        """The content of the paths that exist."""
        return {path: self.files[path] for path in paths if path in self.files}


class NoCache:
    """Remembers nothing."""

    def get(self, kind: str, blob: str) -> Json:
        """Nothing."""
        del kind, blob

    def put(self, kind: str, blob: str, value: Json) -> None:
        """Do nothing."""
        del kind, blob, value


def sha256(content: str | bytes) -> str:
    """Lower-case hex."""
    return hashlib.sha256(content.encode() if isinstance(content, str) else content).hexdigest()


def md5(content: str) -> str:
    """A hash as DVC writes it, of a content that does not exist."""
    return hashlib.md5(content.encode(), usedforsecurity=False).hexdigest()


def declarations(models: int) -> dict[str, bytes]:
    """What people write, and the data pointers."""
    datasets = range(-(-models // MODELS_PER_DATASET))
    text = {".dvc/config": "", "mlops.yaml": PROJECT + "".join(DATASET.format(number) for number in datasets)}
    text |= {f"environments/{name}.yaml": body for name, body in ENVIRONMENTS.items()}
    for number in range(models):
        name, risk = f"m{number:04d}", "high" if number % 10 == 0 else "low"
        dataset = number // MODELS_PER_DATASET
        text[f"models/{name}/model.yaml"] = MODEL.format(name=name, risk=risk, dataset=dataset, penalty=number % 7 + 1)
        text[f"models/{name}/model.py"] = SOURCE.format(name=name)
    for name in ("stand-in", *(f"sales-{number:04d}" for number in datasets)):
        text[f"data/{name}.csv.dvc"] = f"outs:\n- md5: {md5(name)}\n  size: 4096\n  hash: md5\n  path: {name}.csv\n"
    return {path: body.encode() for path, body in text.items()}


def records(project: Project, files: Mapping[str, bytes], versions: int) -> dict[str, str]:
    """What Stellwerk would have written: rendered stages, versions, verdicts, approvals, releases, deployments.

    The newest of the versions is what is declared; the older ones had other parameters.
    """
    tree = MemoryTree(files)
    observed = observe(project, tree, tree, cache=NoCache(), basis="")
    datasets = {dataset.name: dataset for dataset in project.datasets}
    route = Route(project, observed.metric_code)
    made: dict[str, str] = {}
    for model in project.models:
        code = observed.code[model.name]
        dataset = datasets[model.train.data]
        made |= render_stage(model, dataset, tuple(file.path for file in code), project.limits)
        parts = fingerprint_parts(model, code, observed.pointers[dataset.name].md5)
        pointer = observed.pointers[dataset.name]
        for number in range(1, versions + 1):
            then = parts if number == versions else {**parts, "params": {"penalty": float(100 + number)}}
            version = version_record(model, then, number=number, md5=pointer.md5, path=dataset.path)
            made |= version_files(version, model, route)
        for environment in project.environments:
            if environment.purpose is Purpose.PRODUCTION:
                made[f"environments/{environment.name}/{model.name}.yaml"] = dump(Release(version=versions))
                made[f"registry/{model.name}/deployments/{environment.name}.yaml"] = dump(
                    deployment(version, environment.name)
                )
    return made


def version_files(version: VersionRecord, model: Model, route: Route) -> dict[str, str]:
    """One version with what was decided about it."""
    folder = f"registry/{model.name}/{version.number}"
    made = {f"{folder}/version.yaml": dump(version)}
    for environment in route.project.environments:
        policy = route.policy(model, environment)
        if not policy.empty:
            made[f"{folder}/verdicts/{environment.name}.yaml"] = dump(
                verdict(version, environment.name, verdict_key(version, policy), policy.digest, policy)
            )
        if environment.purpose is Purpose.PRODUCTION and model.risk == "high":
            made[f"{folder}/approvals/{environment.name}/grace.yaml"] = dump(
                approval(model.name, environment.name, version.number)
            )
    return made


def version_record(model: Model, parts: Mapping[str, Json], *, number: int, md5: str, path: str) -> VersionRecord:
    """One version of a model."""
    metrics = {
        name: Measurement(value=value, n=480, low=value * 0.9, high=value * 1.1)
        for name, value in {"wape": 0.14, "bias": 0.3, "r2_score": 0.91, "mean_absolute_error": 4.2}.items()
    }
    return VersionRecord(
        model=model.name,
        number=number,
        origin="trained",
        trigger="change",
        reason="first version",
        fingerprint=fingerprint(parts),
        parts=parts,
        data=DataRecord(
            dataset=model.train.data,
            path=path,
            md5=md5,
            sha256=sha256(path),
            size=4096,
            rows=4380,
            columns=("day", "style", "price", "sold"),
            first="2024-03-01",
            last="2026-02-28",
        ),
        holdout=HoldoutRecord(
            seed=7,
            rows=480,
            digest=sha256(f"holdout {model.name}"),
            train_rows=3900,
            last_seconds=12 * 7 * 86400,
            identity=("style", "day"),
            time="day",
            boundary="2025-12-06",
        ),
        task="regression",
        params=dict(model.train.params),
        seed=7,
        metrics=metrics,
        package=PackageRecord(
            md5=f"{hashlib.md5(model.name.encode(), usedforsecurity=False).hexdigest()}.dir",
            sha256=sha256(f"package {model.name} {number}"),
            size=20480,
            files=4,
            format="joblib",
        ),
        parent=number - 1 or None,
        python="3.11.7",
        packages={"numpy": "2.4.6", "pandas": "3.1.1"},
        isolation="namespace",
        duration=2.1,
        cpu=1.9,
        peak_memory=180_000_000,
        actor=ACTOR,
    )


def verdict(version: VersionRecord, environment: str, key: str, digest: str, policy) -> Verdict:
    """A passing verdict on every threshold there, with a slice each, as regression records it."""
    checks = [CheckResult(name="package answers", passed=True)]
    for threshold in policy.thresholds:
        measured = version.metrics[threshold.metric]
        limit = f"<= {threshold.max}"
        checks += [
            CheckResult(name=threshold.metric, passed=True, slice=part, limit=limit, measured=measured)
            for part in (None, "style=sandal", "style=sneaker", "style=rain-boot")
        ]
    return Verdict(
        model=version.model,
        version=version.number,
        environment=environment,
        key=key,
        package=version.package.sha256,
        policy=digest,
        evaluation=evaluation_digest(version, policy),
        passed=True,
        checks=tuple(checks),
        at=AT,
        actor=ACTOR,
        rows=version.holdout.rows if policy.measures else None,
    )


def deployment(version: VersionRecord, environment: str) -> Deployment:
    """What was seen to run."""
    return Deployment(
        model=version.model,
        environment=environment,
        version=version.number,
        package=version.package.sha256,
        target="local",
        at=AT,
        actor=ACTOR,
    )


def approval(model: str, environment: str, version: int) -> Approval:
    """The decision that a high risk asks for."""
    return Approval(model=model, version=version, environment=environment, by="grace", decision="approved", at=AT)


def write(root: Path, files: Mapping[str, str | bytes]) -> None:
    """Write all files below the folder."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)


def generate(root: Path, models: int, versions: int = 1) -> int:
    """Make the project in an empty folder and commit it. Returns how many files it has."""
    files = declarations(models)
    declared, findings = load_declarations(MemoryTree(files))
    if declared is None or not declared.complete:
        raise SystemExit("\n".join(f"{finding.place}: {finding.message}" for finding in findings))
    files |= {path: text.encode() for path, text in records(declared.project, files, versions).items()}
    write(root, files)
    person = {f"GIT_{role}_{part}": value for role in ("AUTHOR", "COMMITTER") for part, value in PERSON.items()}
    for command in (["init", "--quiet", "--initial-branch=main"], ["add", "."], ["commit", "--quiet", "-m", "All"]):
        subprocess.run(["git", *command], cwd=root, check=True, env={**os.environ, **person})
    return len(files)


PERSON = {"NAME": "Ada Lovelace", "EMAIL": "ada@example.com", "DATE": "2026-01-31T12:00:00+00:00"}


def main() -> None:
    """Read the command line and generate."""
    parser = argparse.ArgumentParser(description="Generate a project that needs nothing.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--models", type=int, default=1000)
    parser.add_argument("--versions", type=int, default=1)
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    print(f"{generate(asked.folder, asked.models, asked.versions)} files in {asked.folder}")


if __name__ == "__main__":
    main()
