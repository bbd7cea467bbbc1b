"""(declared, observed, now) -> plan. Pure and sorted: the same input gives the same bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from stellwerk.model.actions import Plan, Render, Retire, Snapshot, Step, Train, Wait, WaitKind
from stellwerk.planning.candidate import find_candidate
from stellwerk.planning.forge_files import plan_forge_files
from stellwerk.planning.gates import Gates
from stellwerk.planning.parts import Part, Parts
from stellwerk.planning.plan_files import Renderer
from stellwerk.planning.plan_route import plan_route
from stellwerk.planning.portion import Portion, take_portion, without
from stellwerk.planning.shard import Shard, take_shard

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stellwerk.model.declared import Dataset, Model, Project
    from stellwerk.model.observed import Observed
    from stellwerk.model.ports import Cache

REMOVALS = 3  # more than this, and more than a quarter of what is released, needs a confirmation


class Scope(Struct, frozen=True, kw_only=True):
    """What a plan is asked about and what was confirmed."""

    model: str | None = None
    environment: str | None = None
    trainings: int | None = None
    removals: int | None = None
    retry: bool = False
    force: tuple[str, ...] = ()
    shard: Shard | None = None
    portion: Portion | None = None
    few: bool = False  # not all models are shown, so nothing is said of what all of them decide


def make_plan(project: Project, observed: Observed, *, now: float, cache: Cache, scope: Scope) -> Plan:
    """Everything that must be done, in order, and everything that waits. `now`: seconds since the epoch, UTC."""
    return plan_all(project, observed, now=now, cache=cache, scope=scope)[0]


class Planner(Struct, kw_only=True):
    """Plans models one by one. `snapshots`: the datasets whose first snapshot the plan takes."""

    observed: Observed
    scope: Scope
    parts: Parts
    datasets: Mapping[str, Dataset]
    snapshots: frozenset[str]
    gates: Gates
    renderer: Renderer

    def part(self, model: Model) -> Part:
        """What the plan says of the model, kept for the next time."""
        return self.parts.part(model, self.observed, self._plan)

    def _plan(self, model: Model) -> Part:
        files = self.renderer.files(model, self.observed, asked=_asked(model, self.scope))
        if model.train is None or model.train.data not in self.datasets or self.scope.model not in {None, model.name}:
            return Part(files=files)
        self.gates.timed, first = False, model.train.data in self.snapshots
        part = plan_route(find_candidate(model, self.observed), self.gates, snapshot=first, retry=self.scope.retry)
        return Part(files=files, steps=tuple(part.steps), waits=tuple(part.waits), timed=self.gates.timed)


def planner_of(
    project: Project, observed: Observed, *, now: float, cache: Cache, scope: Scope, parts: Parts | None = None
) -> Planner:
    """The planner of a project's models; arguments as in `plan_all`."""
    parts = Parts() if parts is None else parts
    datasets = {dataset.name: dataset for dataset in project.datasets}
    snapshots = frozenset(name for name in datasets if name not in observed.pointers)
    return Planner(
        observed=observed,
        scope=scope,
        parts=parts,
        datasets=datasets,
        snapshots=snapshots,
        gates=Gates(project, observed, parts.start(project, observed, snapshots), now),
        renderer=Renderer(project=project, datasets=datasets, cache=cache, force=scope.force),
    )


def plan_all(
    project: Project, observed: Observed, *, now: float, cache: Cache, scope: Scope, parts: Parts | None = None
) -> tuple[Plan, frozenset[str]]:
    """The plan, and the models that are settled: nothing is done for them, nothing waits, and time changes nothing.

    `parts` are those of an earlier plan with the same scope, and become those of this one.
    """
    planner = planner_of(project, observed, now=now, cache=cache, scope=scope, parts=parts)
    datasets, snapshots, renderer = planner.datasets, planner.snapshots, planner.renderer
    found = {model.name: planner.part(model) for model in project.models}
    unwanted = renderer.unwanted(observed, {path for part in found.values() for path in part.files.paths})
    files = [*(part.files for part in found.values()), unwanted]
    steps = [step for item in files for step in item.steps]
    waits = [wait for item in files for wait in item.waits]
    retired, held = _plan_retirements(project, observed, steps, scope)
    if held:
        steps = [step for step in steps if not _deletes(step)]
    for name in sorted(snapshots):
        if name in observed.tracked:
            waits.append(_tracked(datasets[name]))
        else:
            steps.append(Step(action=Snapshot(dataset=name), reason="it has no snapshot yet", key=f"snapshot:{name}"))
    steps = [*retired, *_after(retired, steps)]
    if not scope.few:
        forge, asked = plan_forge_files(project, observed, cache=cache, force=scope.force)
        steps, waits = [*forge, *steps], [*asked, *waits]
    steps += [step for part in found.values() for step in part.steps]
    waits += [*held, *(wait for part in found.values() for wait in part.waits)]
    timed = {name for name, part in found.items() if part.timed}
    busy = {getattr(step.action, "model", None) for step in steps} | {wait.model for wait in waits} | timed
    settled = frozenset(model.name for model in project.models if model.name not in busy)
    edited = {f"train:{wait.model}" for wait in waits if wait.kind is WaitKind.EDITED}
    steps = without(steps, {f"snapshot:{name}" for name in snapshots & observed.tracked} | edited)
    if not observed.dvc:
        steps, waits = _without_dvc(steps, waits)
    plan = _scoped(project, Plan(basis=observed.basis, steps=tuple(steps), waits=tuple(waits)), scope)
    plan = _cap_trainings(project, plan, scope)
    if scope.shard is not None:  # after the cap: many small parts may be many trainings
        plan = take_shard(project, plan, scope.shard)
    if scope.portion is not None:
        plan = take_portion(project, plan, scope.portion)
    return plan, settled


def _asked(model: Model, scope: Scope) -> bool:
    """Whether the scope lets through what is planned for the model's files."""
    return scope.model in {None, model.name} and (scope.shard is None or scope.shard.holds(model.name))


def concerns_models_only(plan: Plan) -> bool:
    """Whether every step and wait is about one model, so that no other model could change it."""
    for step in plan.steps:
        action = step.action
        if isinstance(action, Snapshot | Retire):
            return False
        if isinstance(action, Render) and (
            action.model is None or action.text is None or action.rename_from is not None
        ):
            return False
    return all(wait.model is not None for wait in plan.waits)


def _without_dvc(steps: list[Step], waits: list[Wait]) -> tuple[list[Step], list[Wait]]:
    """Nothing that needs DVC, and a wait that says so where there is anything."""
    stored = {step.key for step in steps if isinstance(step.action, Snapshot | Train)}
    if not stored:
        return steps, waits
    reason = "DVC is not set up in this repository, so nothing can be stored"
    wait = Wait(
        kind=WaitKind.CONFIRMATION, reason=reason, unblock="stellwerk init && git add -A && git commit -m 'Set up DVC'"
    )
    return without(steps, stored), [*waits, wait]


def _tracked(dataset: Dataset) -> Wait:
    """Git and DVC cannot both version a file, and data that is in git stays in its history: a person must decide."""
    return Wait(
        kind=WaitKind.DATA,
        reason=f"git versions {dataset.path}, so DVC cannot",
        unblock=f"git rm --cached {dataset.path} && git commit -m 'Leave {dataset.path} to DVC' (the file stays)",
    )


def _deletes(step: Step) -> bool:
    return isinstance(step.action, Render) and step.action.text is None and step.action.rename_from is None


def _after(retired: list[Step], steps: list[Step]) -> list[Step]:
    """What a model leaves behind is deleted once it is taken out everywhere."""
    keys: dict[str, tuple[str, ...]] = {}
    for step in retired:
        if isinstance(step.action, Retire):
            keys[step.action.model] = (*keys.get(step.action.model, ()), step.key)
    return [
        replace(step, needs=keys.get(step.action.model or "", ()))
        if isinstance(step.action, Render) and _deletes(step)
        else step
        for step in steps
    ]


def _plan_retirements(
    project: Project, observed: Observed, renders: list[Step], scope: Scope
) -> tuple[list[Step], list[Wait]]:
    """Take out what is released and not declared; many models at once wait, their generated files too."""
    known = {model.name for model in project.models} | {model.previously for model in project.models}
    gone = sorted((model, environment) for environment, model in observed.releases if model not in known)
    there = {model for _, model in observed.releases} | {path.split("/")[1] for path in observed.generated}
    models = {model for model, _ in gone}
    models |= {step.action.path.split("/")[1] for step in renders if isinstance(step.action, Render) and _deletes(step)}
    untrained = {model.name for model in project.models if model.train is None}
    models -= known - untrained
    if len(models) > REMOVALS and len(models) * 4 > len(there) and (scope.removals or 0) < len(models):
        wait = Wait(
            kind=WaitKind.CONFIRMATION,
            reason=f"{len(models)} of {len(there)} models are no longer declared"
            f"{' or trained' if models & untrained else ''}: {', '.join(sorted(models)[:5])}",
            unblock=f"if that is meant: stellwerk reconcile --confirm-removals {len(models)}",
        )
        return [], [wait]
    steps = []
    for model, environment in gone:
        version = observed.releases[environment, model].version
        action = Retire(model=model, environment=environment, version=version)
        steps.append(Step(action=action, reason="it is not declared any more", key=f"retire:{model}:{environment}"))
    return steps, []


def _cap_trainings(project: Project, plan: Plan, scope: Scope) -> Plan:
    """More trainings than `limits.trainings` wait for a confirmation, with all that depends on them."""
    trainings = [step for step in plan.steps if isinstance(step.action, Train)]
    if len(trainings) <= project.limits.trainings or (scope.trainings or 0) >= len(trainings):
        return plan
    known = [step.seconds for step in trainings if step.seconds is not None]
    minutes = max(1, round(sum(known) / len(known) * len(trainings) / 60)) if known else 0
    estimate = f", about {minutes} minute{'s' if minutes > 1 else ''}" if minutes else ""
    wait = Wait(
        kind=WaitKind.CONFIRMATION,
        reason=f"{len(trainings)} trainings in one plan{estimate}; limits.trainings is {project.limits.trainings}",
        unblock=f"if that is meant: stellwerk reconcile --confirm-trainings {len(trainings)}",
    )
    steps = without(list(plan.steps), {step.key for step in trainings})
    return Plan(basis=plan.basis, steps=tuple(steps), waits=(*plan.waits, wait))


def _scoped(project: Project, plan: Plan, scope: Scope) -> Plan:
    """The part of a plan that was asked about; steps that need a step left out are left out too."""
    if scope.model is None and scope.environment is None:
        return plan
    data = {model.train.data for model in project.models if model.name == scope.model and model.train}
    dropped = set()
    for step in plan.steps:
        action = step.action
        model, environment = getattr(action, "model", None), getattr(action, "environment", None)
        other = scope.model is not None and model != scope.model
        if isinstance(action, Snapshot):
            other = scope.model is not None and action.dataset not in data
        if other or (scope.environment is not None and environment != scope.environment):
            dropped.add(step.key)
    waits = tuple(
        wait
        for wait in plan.waits
        if (scope.model is None or wait.model in (None, scope.model))
        and (scope.environment is None or wait.environment in (None, scope.environment))
    )
    return Plan(basis=plan.basis, steps=tuple(without(list(plan.steps), dropped)), waits=waits)
