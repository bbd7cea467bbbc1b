"""Projects and observed states from a few words, and a pure reconcile: what each step would make of a state."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from msgspec.structs import replace

from stellwerk.model.actions import Check, Deploy, Plan, Promote, Render, Retire, Snapshot, Step, Train
from stellwerk.model.declared import (
    Dataset,
    DeployTarget,
    Environment,
    Member,
    Model,
    Project,
    Purpose,
    Team,
    Threshold,
)
from stellwerk.model.declared import Train as Training
from stellwerk.model.observed import CodeFile, GeneratedFile, ModelFacts, Observed, Version
from stellwerk.model.records import (
    Approval,
    CheckResult,
    DataRecord,
    Deployment,
    Hold,
    HoldoutRecord,
    Incident,
    PackageRecord,
    Pointer,
    Release,
    Rollback,
    Verdict,
    VersionRecord,
)
from stellwerk.planning.candidate import Candidate, facts_of, find_candidate
from stellwerk.planning.gates import time_text
from stellwerk.planning.plan import Scope, make_plan
from stellwerk.planning.policy import Policy, Route, evaluation_digest, verdict_key

NOW = 1_800_000_000.0
DAY = 86400
ROUTE = ("development", "integration", "regression", "production")
LOCAL = DeployTarget(target="local", path="deployed")
TRAINER = "Robot <robot@example.com>"

Passes = Callable[[Step], bool]


def always(_: Step) -> bool:
    return True


def fails(*keys: str) -> Passes:
    """Every step passes but those whose key starts so."""
    return lambda step: not step.key.startswith(keys)


class Memory(dict):
    """A cache that forgets nothing: rendering the same stage again would be most of the time of a law."""

    def get(self, kind, blob):
        return super().get((kind, blob))

    def put(self, kind, blob, value):
        self[kind, blob] = value


REMEMBERED = Memory()


def dataset(name="customers", **changes) -> Dataset:
    return Dataset(**{"name": name, "path": f"data/{name}.csv", **changes})


def model(name="churn", *, data="customers", params=None, **changes) -> Model:
    train = Training(data=data, params=params or {})
    return Model(**{"name": name, "source": f"{name}.py", "target": "churned", "train": train, **changes})


def environments(*names: str, deploy: Iterable[str] = ("production",), **changes: Mapping[str, object]):
    """A chain of environments named by their purpose (`production-eu` is a production); changes by name."""
    made, before = [], None
    for name in names or ROUTE:
        own = dict(changes.get(name.replace("-", "_"), {}))
        purpose = Purpose(name.partition("-")[0])
        target = LOCAL if name in deploy else None
        made.append(Environment(**{"name": name, "purpose": purpose, "after": before, "deploy": target, **own}))
        before = name
    return tuple(made)


def project(*models: Model, route: tuple[Environment, ...] = (), **changes) -> Project:
    chosen = models or (model(),)
    names = sorted({item.train.data for item in chosen if item.train})
    datasets = tuple(dataset(name) for name in names)
    ordered = tuple(sorted(chosen, key=lambda item: item.name))
    return Project(**{"models": ordered, "datasets": datasets, "environments": route, **changes})


def team(name: str, *members: str) -> Team:
    people = tuple(Member(name=member, email=f"{member}@example.com") for member in sorted(members))
    return Team(name=name, members=people, contact=f"{name}@example.com")


def at_least(value: float, metric: str = "accuracy", **changes) -> Threshold:
    return Threshold(metric=metric, min=value, **changes)


def fresh(declared: Project, **code: str) -> Observed:
    """A repository with code and nothing else. `code` gives a model's source another digest."""
    files = {}
    for item in declared.models:
        if item.source:
            text = code.get(item.name.replace("-", "_"), "first")
            files[item.name] = (CodeFile(path=item.source, digest=_sha(item.source, text)),)
    return Observed(basis="0" * 40, code=files)


def with_code(observed: Observed, name: str, text: str) -> Observed:
    path = observed.code[name][0].path
    return replace(observed, code={**observed.code, name: (CodeFile(path=path, digest=_sha(path, text)),)})


def with_data(observed: Observed, name: str, text: str) -> Observed:
    pointer = Pointer(path=f"data/{name}.csv", md5=_sha(name, text)[:32], size=1)
    return replace(observed, pointers={**observed.pointers, name: pointer})


def with_release(observed: Observed, environment: str, name: str, release: Release | None) -> Observed:
    releases = {**observed.releases}
    releases.pop((environment, name), None)
    return replace(observed, releases=releases if release is None else {**releases, (environment, name): release})


def with_approval(observed: Observed, environment: str, name: str, by: str, decision: str = "approved", number=None):
    facts = observed.models[name]
    number = number or max(facts.versions)
    approval = Approval(
        model=name, version=number, environment=environment, by=by, decision=decision, at=time_text(NOW)
    )
    version = facts.versions[number]
    others = [item for item in version.approvals.get(environment, ()) if item.by != by]
    changed = replace(version, approvals={**version.approvals, environment: (*others, approval)})
    return _with_version(observed, name, changed)


def plan(declared: Project, observed: Observed, *, now: float = NOW, **scope) -> Plan:
    return make_plan(declared, observed, now=now, cache=REMEMBERED, scope=Scope(**scope))


@dataclass(frozen=True)
class Settled:
    """What a reconcile leaves: the state, the keys of the steps it took, its first and its last plan."""

    observed: Observed
    done: tuple[str, ...]
    first: Plan
    rest: Plan


def settle(declared: Project, observed: Observed, passes: Passes = always, *, now: float = NOW, **scope) -> Settled:
    """The loop of reconcile: the next planned step that needs nothing, at most once each."""
    first = rest = plan(declared, observed, now=now, **scope)
    allowed, done = {step.key for step in first.steps}, []
    while True:
        ready = [step for step in rest.steps if not step.needs and step.key in allowed and step.key not in done]
        if not ready:
            return Settled(observed, tuple(done), first, rest)
        done.append(ready[0].key)
        observed = carry_out(declared, observed, ready[0], passes, now=now)
        rest = plan(declared, observed, now=now, **scope)


def carry_out(  # noqa: PLR0911  one return per action
    declared: Project, observed: Observed, step: Step, passes: Passes, *, now: float = NOW
) -> Observed:
    """The state after that step, as reconcile would leave it."""
    models = {item.name: item for item in declared.models}
    match step.action:
        case Render() as action:
            return _render(observed, action)
        case Snapshot(dataset=name):
            return with_data(observed, name, "first") if passes(step) else observed
        case Train(model=name):
            return _train(declared, observed, models[name], born=passes(step), now=now)
        case Check(model=name, environment=environment, version=number, champion=champion):
            version = facts_of(models[name], observed).versions[number]
            policy = _policy(declared, observed, models[name], environment)
            verdict = _verdict(version.record, environment, policy, passed=passes(step), champion=champion, now=now)
            changed = replace(version, verdicts={**version.verdicts, environment: verdict})
            return _with_version(observed, name, changed)
        case Promote() as action:
            return _promote(observed, action)
        case Deploy(model=name, environment=environment, version=number):
            if not passes(step):
                return observed
            return _deploy(observed, name, environment, number, now=now)
        case Retire(model=name, environment=environment):
            gone = _deploy(observed, name, environment, None, now=now)
            return with_release(gone, environment, name, None)


def rendered(declared: Project, observed: Observed) -> Observed:
    """The state in which every generated file is there."""
    for step in plan(declared, observed).steps:
        if isinstance(step.action, Render):
            observed = _render(observed, step.action)
    return observed


def _sha(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _policy(declared: Project, observed: Observed, item: Model, environment: str) -> Policy:
    route = Route(declared, observed.metric_code)
    return route.policy(item, route.environments[environment])


def _with_facts(observed: Observed, name: str, **changes) -> Observed:
    facts = replace(observed.models.get(name, ModelFacts()), **changes)
    return replace(observed, models={**observed.models, name: facts})


def _with_version(observed: Observed, name: str, version: Version) -> Observed:
    versions = observed.models.get(name, ModelFacts()).versions
    return _with_facts(observed, name, versions={**versions, version.record.number: version})


def _render(observed: Observed, action: Render) -> Observed:
    if action.rename_from is not None:
        old, new = action.rename_from.split("/")[1], action.path.split("/")[1]
        models = {new if name == old else name: facts for name, facts in observed.models.items()}
        releases = {(where, new if name == old else name): item for (where, name), item in observed.releases.items()}
        return replace(observed, models=models, releases=releases)
    generated = {path: file for path, file in observed.generated.items() if path != action.path}
    if action.text is not None:
        generated[action.path] = GeneratedFile(sha256=_sha(action.text), state="ours")
    return replace(observed, generated=generated)


def _train(declared: Project, observed: Observed, item: Model, *, born: bool, now: float) -> Observed:
    candidate = find_candidate(item, observed)
    if not born:
        incidents = candidate.facts.incidents
        incident = Incident(
            model=item.name,
            number=len(incidents) + 1,
            kind="training-failed",
            summary="it raised",
            at=time_text(now),
            actor=TRAINER,
            fingerprint=candidate.fingerprint,
        )
        return _with_facts(observed, item.name, incidents=(*incidents, incident))
    record = version_record(candidate)
    verdicts = {}
    for environment in Route(declared, observed.metric_code).of(item):
        policy = _policy(declared, observed, item, environment.name)
        if policy.source:
            verdicts[environment.name] = _verdict(record, environment.name, policy, passed=True, now=now)
    return _with_version(observed, item.name, Version(record=record, verdicts=verdicts))


def version_record(candidate: Candidate, actor: str = TRAINER) -> VersionRecord:
    """The record of the version that training this candidate gives birth to."""
    name, number = candidate.model.name, max(candidate.facts.versions, default=0) + 1
    package = _sha("package", candidate.fingerprint)
    md5 = str(candidate.parts["data"])
    return VersionRecord(
        model=name,
        number=number,
        origin="trained",
        trigger=candidate.trigger,
        reason=candidate.reason,
        fingerprint=candidate.fingerprint,
        parts=candidate.parts,
        data=DataRecord(
            dataset="customers", path="data/customers.csv", md5=md5, sha256="b" * 64, size=1, rows=10, columns=("a",)
        ),
        holdout=HoldoutRecord(seed=0, rows=2, digest=_sha("holdout", md5), train_rows=8),
        task="classification",
        params={},
        seed=0,
        metrics={},
        package=PackageRecord(md5=f"{package[:32]}.dir", sha256=package, size=1, files=1, format="joblib"),
        parent=candidate.parent.record.number if candidate.parent else None,
        python="3.11.7",
        packages={},
        isolation="namespace",
        duration=120.0,
        cpu=1.0,
        peak_memory=1,
        actor=actor,
    )


def _verdict(
    record: VersionRecord, environment: str, policy: Policy, *, passed: bool, champion=None, now: float
) -> Verdict:
    checks = (CheckResult(name="accuracy", passed=passed, detail="0.5 is below 0.8" if not passed else ""),)
    return Verdict(
        model=record.model,
        version=record.number,
        environment=environment,
        key=verdict_key(record, policy),
        package=record.package.sha256,
        policy=policy.digest,
        evaluation=evaluation_digest(record, policy),
        passed=passed,
        checks=checks,
        at=time_text(now),
        actor=TRAINER,
        champion=champion if policy.measures else None,
    )


def _promote(observed: Observed, action: Promote) -> Observed:
    key, number = (action.environment, action.model), action.version
    if action.mode == "pull-request":
        return replace(observed, branches={**observed.branches, key: Release(version=number)})
    release = Release(version=number)
    if action.back:
        rollback = Rollback(of=action.previous, because="violated", by="Robot")
        release = Release(version=number, rollback=rollback, hold=Hold(because="violated", by="Robot"))
    return with_release(observed, *key, release)


def _deploy(observed: Observed, name: str, environment: str, number: int | None, *, now: float) -> Observed:
    facts = observed.models[name]
    package = facts.versions[number].record.package.sha256 if number is not None else None
    deployment = Deployment(
        model=name,
        environment=environment,
        version=number,
        package=package,
        target="local",
        at=time_text(now),
        actor=TRAINER,
    )
    return _with_facts(observed, name, deployments={**facts.deployments, environment: deployment})
