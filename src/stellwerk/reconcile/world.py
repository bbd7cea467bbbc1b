"""What reconcile works with: the ports it acts through, and the state it acts on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from stellwerk.errors import StellwerkError
from stellwerk.model.actions import Plan, Step
from stellwerk.planning.candidate import facts_of
from stellwerk.planning.gates import Case, Gates, time_text
from stellwerk.planning.training_place import covers

if TYPE_CHECKING:
    from pathlib import Path

    from stellwerk.model.declared import Dataset, DeployTarget, Environment, Model, Project
    from stellwerk.model.observed import ModelFacts, Observed, Version
    from stellwerk.model.ports import Actor, Clock, DataStore, DeployPort, Trainer, Tree
    from stellwerk.model.records import Release
    from stellwerk.model.views import Done

PACKAGES = "packages"


class Committer(Protocol):
    """Writes commits on the reconciler's ref."""

    def tip(self) -> str | None: ...

    def commit(self, changes: Mapping[str, bytes | None], message: str) -> str: ...

    def propose(self, branch: str, changes: Mapping[str, bytes | None], message: str) -> str:
        """Point the branch to one commit with the changes on top of the tip; returns the commit."""


class Publisher(Protocol):
    """Brings commits to the remote. Raises PushLostError where another run was faster."""

    def push(self) -> str:
        """Push the ref and the promotion branches; returns where to, in words ('' where there is no remote)."""


class Event(Struct, frozen=True, kw_only=True):
    """What happens during a reconcile. kind: start | line | done | failed | wait | push | observe."""

    kind: str
    text: str = ""
    step: Step | None = None
    done: Done | None = None


class World(Struct, frozen=True, kw_only=True):
    """The ports, and who acts when."""

    root: Path
    commits: Committer
    publisher: Publisher
    store: DataStore
    trainer: Callable[[Project], Trainer]
    target: Callable[[DeployTarget], DeployPort]
    clock: Clock
    actor: Actor
    environ: Mapping[str, str]
    masked: tuple[Path, ...] = ()

    def now(self) -> str:
        return time_text(self.clock.now())


class State(Struct, frozen=True, kw_only=True):
    """One observed state, with the lookups actions need."""

    project: Project
    observed: Observed
    gates: Gates
    tree: Tree

    def model(self, name: str) -> Model:
        for model in self.project.models:
            if model.name == name:
                return model
        raise StellwerkError(f"there is no model {name!r}", hint=_known([model.name for model in self.project.models]))

    def environment(self, name: str) -> Environment:
        for environment in self.project.environments:
            if environment.name == name:
                return environment
        known = [environment.name for environment in self.project.environments]
        raise StellwerkError(f"there is no environment {name!r}", hint=_known(known))

    def dataset(self, name: str) -> Dataset:
        for dataset in self.project.datasets:
            if dataset.name == name:
                return dataset
        known = [dataset.name for dataset in self.project.datasets]
        raise StellwerkError(f"there is no dataset {name!r}", hint=_known(known))

    def facts(self, model: Model) -> ModelFacts:
        return facts_of(model, self.observed)

    def version(self, model: Model, number: int) -> Version:
        found = self.facts(model).versions.get(number)
        if found is None:
            numbers = ", ".join(str(item) for item in self.facts(model).versions) or "none yet"
            raise StellwerkError(f"{model.name} has no version {number}", hint=f"its versions: {numbers}")
        return found

    def release(self, environment: str, model: str) -> Release | None:
        return self.observed.releases.get((environment, model))

    def case(self, model: Model, environment: Environment, version: Version | None) -> Case:
        return Case(
            model=model,
            environment=environment,
            version=version,
            facts=self.facts(model),
            release=self.release(environment.name, model.name),
            trigger=version.record.trigger if version else "change",
        )


LoadState = Callable[[str | None], State]
MakePlan = Callable[[State], Plan]


def _known(names: list[str]) -> str:
    return f"declared are: {', '.join(sorted(names))}" if names else "none is declared"


def dataset_for(state: State, model: Model, environment: Environment) -> Dataset | None:
    """The model's data where the environment may see them, else their stand-in; None where there is neither."""
    if model.train is None:
        return None
    dataset = state.dataset(model.train.data)
    if covers(environment, dataset) and environment.purpose.value != "development":
        return dataset
    names = {item.name: item for item in state.project.datasets}
    stand_in = names.get(dataset.stand_in or "")
    if stand_in is not None and covers(environment, stand_in):
        return stand_in
    return dataset if covers(environment, dataset) else None


def data_remote(project: Project, dataset: Dataset) -> str | None:
    """The DVC remote for a dataset: of the first environment that may see it and names one; None: DVC's default."""
    for environment in project.environments:
        if environment.remote and environment.allows is not None and covers(environment, dataset):
            return environment.remote
    return None


def incident_path(model: str, number: int) -> str:
    """Where the incident of that number is recorded."""
    return f"registry/{model}/incidents/{number:04d}.yaml"


def release_path(environment: str, model: str) -> str:
    """Where the release is declared."""
    return f"environments/{environment}/{model}.yaml"
