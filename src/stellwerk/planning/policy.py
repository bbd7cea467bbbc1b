"""What an environment demands of a version: the resolved checks, and the key that makes a verdict current."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from stellwerk.model.declared import (
    NOTEBOOK,
    CommandCheck,
    Control,
    Environment,
    Json,
    Model,
    Project,
    Purpose,
    Threshold,
)
from stellwerk.planning.fingerprint import digest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stellwerk.model.observed import CodeFile
    from stellwerk.model.records import Verdict, VersionRecord


SOURCE, STAND_IN = digest("source"), digest("stand-in")  # evaluation sets that are no part of a version


class Policy(Struct, frozen=True, kw_only=True):
    """The checks of one model in one environment. `digest` is '' where nothing is checked."""

    source: bool = False  # unit tests and a smoke training, before a version exists
    equivalence: str = ""  # of a notebook and its module: `exact`, or how far apart they may predict; '' without one
    function: bool = False  # the package loads in a clean process and predicts
    thresholds: tuple[Threshold, ...] = ()
    measures: bool = False  # thresholds are judged here, even if there are none
    commands: tuple[CommandCheck, ...] = ()
    controls: tuple[Control, ...] = ()
    digest: str = ""

    @property
    def empty(self) -> bool:
        return not self.digest


class Route:
    """The environments in order, and what each demands of each model. Built once per plan."""

    def __init__(self, project: Project, metric_code: Mapping[str, tuple[CodeFile, ...]]) -> None:
        self.project = project
        self.environments = {environment.name: environment for environment in project.environments}
        self.metric_code = metric_code
        self._policies: dict[tuple[str, str], Policy] = {}
        self._digests: dict[tuple[object, ...], str] = {}  # of policies without thresholds, which many models share
        self._measured = {name: self._measures_upstream(name) for name in self.environments}

    def of(self, model: Model) -> tuple[Environment, ...]:
        """The environments the model goes through, in route order."""
        if model.environments is None:
            return self.project.environments
        return tuple(item for item in self.project.environments if item.name in model.environments)

    def before(self, model: Model, environment: Environment) -> Environment | None:
        """The nearest environment before this one that the model goes through."""
        seen = {environment.name}
        name = environment.after
        while name and name in self.environments and name not in seen:
            if model.environments is None or name in model.environments:
                return self.environments[name]
            seen.add(name)
            name = self.environments[name].after
        return None

    def ancestors(self, model: Model, environment: Environment) -> tuple[Environment, ...]:
        """Every environment before this one on the model's route, nearest first."""
        found: list[Environment] = []
        current = self.before(model, environment)
        while current is not None and current not in found:
            found.append(current)
            current = self.before(model, current)
        return tuple(found)

    def judges(self, model: Model, environment: Environment) -> tuple[Environment, ...]:
        """The environments whose thresholds guard a release in this one: itself or the ones before it."""
        chain = (environment, *self.ancestors(model, environment))
        return tuple(item for item in chain if self.policy(model, item).measures)

    def released_in(self, environment: Environment) -> bool:
        """Whether the environment has release files."""
        if environment.purpose is Purpose.PRODUCTION:
            return True
        return environment.purpose is not Purpose.DEVELOPMENT and environment.deploy is not None

    def compared_with(self, model: Model, environment: Environment) -> str | None:
        """The environment whose release is the champion of checks made in this one."""
        if environment.clone_of in self.environments:
            return environment.clone_of
        if self.released_in(environment):
            return environment.name
        for item in self.of(model):
            if item.purpose is Purpose.PRODUCTION and environment in self.ancestors(model, item):
                return item.name
        return None

    def policy(self, model: Model, environment: Environment) -> Policy:
        """What the environment demands of the model; worked out once."""
        key = (model.name, environment.name)
        if key not in self._policies:
            self._policies[key] = self._policy(model, environment)
        return self._policies[key]

    def _policy(self, model: Model, environment: Environment) -> Policy:
        purpose = environment.purpose
        measures = purpose is Purpose.REGRESSION or (
            purpose is Purpose.PRODUCTION and bool(model.thresholds) and not self._measured_before(model, environment)
        )
        policy = Policy(
            source=purpose is Purpose.DEVELOPMENT,
            equivalence=_equivalence(model) if purpose is Purpose.DEVELOPMENT else "",
            function=purpose is Purpose.INTEGRATION,
            thresholds=model.thresholds if measures else (),
            measures=measures,
            commands=(*(model.checks if purpose is Purpose.INTEGRATION else ()), *environment.checks),
            controls=tuple(control for control in environment.controls if control.check),
        )
        if not (policy.source or policy.function or policy.measures or policy.commands or policy.controls):
            return policy
        return Policy(
            source=policy.source,
            equivalence=policy.equivalence,
            function=policy.function,
            thresholds=policy.thresholds,
            measures=policy.measures,
            commands=policy.commands,
            controls=policy.controls,
            digest=self._digest(model, policy),
        )

    @staticmethod
    def _words(policy: Policy) -> Json:
        return [_threshold(item) for item in policy.thresholds]

    def _digest(self, model: Model, policy: Policy) -> str:
        if policy.thresholds:
            return self._digest_of(model, policy)
        key = (policy.source, policy.equivalence, policy.function, policy.measures, policy.commands, policy.controls)
        if key not in self._digests:
            self._digests[key] = self._digest_of(model, policy)
        return self._digests[key]

    def _digest_of(self, model: Model, policy: Policy) -> str:
        code = self.metric_code.get(model.name, ()) if policy.thresholds else ()
        return digest(
            {
                "source": policy.source,
                "function": policy.function,
                "measures": policy.measures,
                "thresholds": self._words(policy),
                "metrics": {file.path: file.digest for file in code},
                "commands": [[item.name, item.command] for item in policy.commands],
                "controls": [[item.name, item.check] for item in policy.controls],
                **({"equivalence": policy.equivalence} if policy.equivalence else {}),
            }
        )

    def _measured_before(self, model: Model, environment: Environment) -> bool:
        """Whether the model meets a regression environment on its own way here."""
        if model.environments is None:
            return self._measured[environment.name]
        return any(item.purpose is Purpose.REGRESSION for item in self.ancestors(model, environment))

    def _measures_upstream(self, name: str) -> bool:
        seen: set[str] = set()
        current = self.environments[name].after
        while current and current in self.environments and current not in seen:
            if self.environments[current].purpose is Purpose.REGRESSION:
                return True
            seen.add(current)
            current = self.environments[current].after
        return False


def _equivalence(model: Model) -> str:
    if model.source is None or not model.source.endswith(NOTEBOOK):
        return ""
    return "exact" if model.tolerance is None else repr(float(model.tolerance))


def _threshold(item: Threshold) -> Json:
    """A threshold as JSON; spelled out because `asdict` would be a third of a plan of a thousand models."""
    worsening = item.max_worsening
    return {
        "metric": item.metric,
        "max": item.max,
        "min": item.min,
        "max_worsening": [worsening.value, worsening.relative] if worsening else None,
        "min_rows": item.min_rows,
        "confidence": item.confidence,
        "judge": item.judge,
        "slices": list(item.slices),
    }


def evaluation_digest(record: VersionRecord, policy: Policy) -> str:
    """The evaluation set's digest: the version's own recorded snapshot and holdout where thresholds are judged."""
    if policy.measures:
        return digest({"data": record.data.md5, "holdout": record.holdout.digest})
    return SOURCE if policy.source else STAND_IN


def verdict_key(record: VersionRecord, policy: Policy) -> str:
    """What a verdict must carry to be current: package, policy and evaluation set."""
    return digest([record.package.sha256, policy.digest, evaluation_digest(record, policy)])


def current(verdict: Verdict | None, record: VersionRecord, policy: Policy) -> bool:
    """Whether the verdict still speaks of this package under today's policy."""
    return verdict is not None and verdict.key == verdict_key(record, policy)
