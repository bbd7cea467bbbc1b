"""Small registries for the examples of the rules about recorded state."""

from __future__ import annotations

from stellwerk.model.findings import Place
from stellwerk.model.observed import ModelFacts, Observed, Version
from stellwerk.model.records import DataRecord, HoldoutRecord, PackageRecord, Release, Verdict, VersionRecord

AT = "2026-01-31T12:00:00Z"
ACTOR = "Ada <ada@example.com>"


def born(model: str, number: int, dataset: str, *, passed: str | None = None) -> Version:
    """A version trained on that dataset, with a passing verdict in the environment `passed`."""
    record = VersionRecord(
        model=model,
        number=number,
        origin="trained",
        trigger="change",
        reason="first version",
        fingerprint="0" * 64,
        parts={},
        data=DataRecord(
            dataset=dataset,
            path=f"data/{dataset}.csv",
            md5="0" * 32,
            sha256="0" * 64,
            size=1000,
            rows=100,
            columns=("age", "churned"),
        ),
        holdout=HoldoutRecord(seed=0, rows=20, digest="0" * 64, train_rows=80, fraction=0.2),
        task="classification",
        params={},
        seed=0,
        metrics={},
        package=PackageRecord(md5=f"{'0' * 32}.dir", sha256="0" * 64, size=1000, files=3, format="joblib"),
        parent=None,
        python="3.11",
        packages={},
        isolation="directory",
        duration=1.0,
        cpu=1.0,
        peak_memory=1,
        actor=ACTOR,
    )
    return Version(record=record, verdicts={passed: _verdict(record, passed)} if passed is not None else {})


def _verdict(record: VersionRecord, environment: str) -> Verdict:
    return Verdict(
        model=record.model,
        version=record.number,
        environment=environment,
        key="0" * 64,
        package=record.package.sha256,
        policy="0" * 64,
        evaluation="0" * 64,
        passed=True,
        checks=(),
        at=AT,
        actor=ACTOR,
    )


def registry(
    version: Version,
    *,
    release: int | None = None,
    released: str | None = None,
    unreadable: tuple[str, str] | None = None,
) -> Observed:
    """The registry with that version, and a release of it (or of the model `released`) in production."""
    record = version.record
    key = ("production", released or record.model)
    return Observed(
        models={record.model: ModelFacts(versions={record.number: version})},
        releases={key: Release(version=release)} if release is not None else {},
        release_places={key: Place(path=f"environments/production/{key[1]}.yaml")} if release is not None else {},
        unreadable=(unreadable,) if unreadable is not None else (),
    )
