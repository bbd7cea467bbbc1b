"""Judge a version in one environment from its digest-checked package, and record the verdict."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from stellwerk.declarations.records import dump
from stellwerk.errors import StellwerkError
from stellwerk.model.declared import NOTEBOOK, CommandCheck, Dataset, Environment, Model, module_name
from stellwerk.model.records import CheckResult, Incident, Verdict, VersionRecord
from stellwerk.model.views import Done
from stellwerk.planning.gates import check_words
from stellwerk.planning.policy import Policy, evaluation_digest, verdict_key
from stellwerk.planning.sources import importable, texts_of
from stellwerk.reconcile.discretion import discreet, quotes, sensitive
from stellwerk.reconcile.messages import check_lines, message
from stellwerk.reconcile.presence import fetch
from stellwerk.reconcile.standing import brought_up
from stellwerk.reconcile.world import PACKAGES, State, World, data_remote, dataset_for
from stellwerk.training.checks import Serving
from stellwerk.training.contract import decode_params
from stellwerk.training.develop import check_source
from stellwerk.training.evaluate import (
    CHAMPION,
    PREDICTIONS,
    Contender,
    EvaluationRequest,
    command_check,
    evaluate,
    function_check,
)
from stellwerk.training.masked import surroundings
from stellwerk.training.notebook_proof import SOURCE, NotebookSource, in_sync, prove_notebook
from stellwerk.training.notebook_run import refuse_without_jupyter
from stellwerk.training.serving import Served

if TYPE_CHECKING:
    from stellwerk.model.actions import Check, Step
    from stellwerk.model.observed import Version

Lines = Callable[[str], None]
ASKING = 600.0  # seconds that our own questions to a service may take
CONTROL = CommandCheck(name="", command="").timeout


def check(world: World, state: State, step: Step, action: Check, on_line: Lines) -> Done:
    """Carry out a planned check: judge, write the verdict (and an incident where what runs is violated), commit."""
    model, environment = state.model(action.model), state.environment(action.environment)
    if action.version is None:
        raise ValueError(step.key)
    version = state.version(model, action.version)
    policy = state.gates.route.policy(model, environment)
    with brought_up(world, environment):
        verdict = judge(world, state, model, environment, version, champion=action.champion, on_line=on_line)
    name, number = model.name, version.record.number
    path = f"registry/{name}/{number}/verdicts/{environment.name}.yaml"
    changes: dict[str, bytes | None] = {path: dump(verdict).encode()}
    word = "passed" if verdict.passed else "failed"
    summary = f"check: {name} v{number} {word} in {environment.name}"
    body = f"because: {step.reason}\n{check_lines(verdict.checks)}"
    if verdict.champion:
        body += f"\ncompared with champion v{verdict.champion} on the same {verdict.rows} rows"
    if not verdict.passed and policy.measures:
        incident = _violation(state, model, verdict)
        if incident is not None:
            changes[f"registry/{name}/incidents/{incident.number:04d}.yaml"] = dump(incident).encode()
            body += f"\nincident {incident.number:04d}: {incident.summary}; tell {incident.notify or 'the owner'}"
    text = message(summary, body, world.actor, action="check", model=name, version=number, environment=environment.name)
    commit = world.commits.commit(changes, text)
    failures = "\n".join(check_words(result) for result in verdict.checks if not result.passed)
    return Done(step=step, summary=summary, commit=commit, passed=verdict.passed, detail=failures)


def judge(
    world: World,
    state: State,
    model: Model,
    environment: Environment,
    version: Version,
    *,
    champion: int | None,
    on_line: Lines,
) -> Verdict:
    """Run every check the environment asks for; nothing is written."""
    policy, record = state.gates.route.policy(model, environment), version.record
    results: list[CheckResult] = []
    asked: list[CheckResult] = []
    measured: dict[str, Any] = {}
    if policy.source:
        results += source_checks(world, state, model, environment, on_line)
        _refuse_other_source(results)
    with tempfile.TemporaryDirectory(prefix="stellwerk-check-") as name:
        room = Path(name)
        on_line(f"fetching the package of v{record.number}")
        fetch(world, state, record.package.md5, room / "package", remote=PACKAGES)
        if policy.function:

            def meanwhile(url: str) -> None:
                asked.extend(_commands(world, environment, policy, room / "package", record, url=url))

            package = room / "package"
            results += _function(world, state, model, environment, record=record, package=package, meanwhile=meanwhile)
        if policy.measures:
            challenger = _contender(world, state, version, room / "package", room / "challenger-data")
            rival = None
            if champion is not None:
                rival_version = state.version(model, champion)
                on_line(f"fetching the package of champion v{champion}")
                fetch(world, state, rival_version.record.package.md5, room / "champion", remote=PACKAGES)
                rival = _contender(world, state, rival_version, room / "champion", room / "champion-data")
            on_line(f"measuring v{record.number} in {environment.name}")
            evaluation = evaluate(_request(world, state, model, environment, challenger=challenger, champion=rival))
            results += _shareable(state, model, evaluation.checks)
            measured = {"rows": evaluation.rows, "excluded": evaluation.excluded, "difference": evaluation.difference}
        results += asked or _commands(world, environment, policy, room / "package", record)
    return Verdict(
        model=model.name,
        version=record.number,
        environment=environment.name,
        key=verdict_key(record, policy),
        package=record.package.sha256,
        policy=policy.digest,
        evaluation=evaluation_digest(record, policy),
        passed=all(result.passed for result in results),
        checks=tuple(results),
        at=world.now(),
        actor=str(world.actor),
        champion=champion if policy.measures else None,
        run=world.actor.run,
        **measured,
    )


def _shareable(state: State, model: Model, checks: tuple[CheckResult, ...]) -> list[CheckResult]:
    """The checks as they may be recorded: what failing code said of confidential rows is left out."""
    if model.train is None or not sensitive(state.project, state.dataset(model.train.data)):
        return list(checks)
    return [
        replace(check, detail=discreet(check.detail).replace("\n", "; "))
        if check.name in {PREDICTIONS, CHAMPION} and not check.passed and quotes(check.detail)
        else check
        for check in checks
    ]


def judge_source(
    world: World, state: State, model: Model, on_line: Lines
) -> list[tuple[Environment, tuple[CheckResult, ...]]]:
    """The development checks of every such environment on the model's route, before a version exists."""
    found = []
    for environment in state.gates.route.of(model):
        policy = state.gates.route.policy(model, environment)
        if policy.source:
            results = source_checks(world, state, model, environment, on_line)
            results += _commands(world, environment, policy, None, None)
            found.append((environment, tuple(results)))
    return found


def source_verdict(
    world: World,
    policy: Policy,
    environment: str,
    record: VersionRecord,
    checks: tuple[CheckResult, ...],
) -> Verdict:
    """The development checks as a verdict of the version they let be born."""
    return Verdict(
        model=record.model,
        version=record.number,
        environment=environment,
        key=verdict_key(record, policy),
        package=record.package.sha256,
        policy=policy.digest,
        evaluation=evaluation_digest(record, policy),
        passed=all(check.passed for check in checks),
        checks=checks,
        at=world.now(),
        actor=str(world.actor),
        run=world.actor.run,
    )


def source_checks(
    world: World, state: State, model: Model, environment: Environment, on_line: Lines
) -> list[CheckResult]:
    """Unit tests, a smoke training and the proof of a notebook, on data the environment may see."""
    on_line(f"checking the source of {model.name} in {environment.name}")
    dataset = dataset_for(state, model, environment)
    with tempfile.TemporaryDirectory(prefix="stellwerk-source-") as room:
        rows = _rows(world, state, dataset, Path(room)) if dataset else None
        return list(
            check_source(
                world.root,
                stage_params(state, model),
                rows_file=rows,
                folder=f"models/{model.name}",
                masked=world.masked,
                environ=world.environ,
                notebook=notebook_source(world, state, model),
            )
        )


def _refuse_other_source(results: list[CheckResult]) -> None:
    """A module that is not what the notebook becomes says nothing of a version, whose code is what it becomes."""
    for result in results:
        if result.name == SOURCE and not result.passed:
            raise StellwerkError(result.detail, hint="no verdict is recorded; the next run checks again")


def notebook_checks(
    world: World, state: State, model: Model, environment: Environment, timeout: float | None
) -> tuple[CheckResult, ...]:
    """Run the model's notebook on data the environment may see. StellwerkError where there are none."""
    notebook, dataset = notebook_source(world, state, model), dataset_for(state, model, environment)
    if notebook is None:
        raise ValueError(model.name)
    refuse_without_jupyter(notebook.path)
    sync = in_sync(notebook, world.root)
    if not sync.passed:
        return (sync,)
    if dataset is None:
        message = (
            f"{environment.name} may not see the data of {model.name}, and they have no `stand_in` that it may see"
        )
        raise StellwerkError(message, hint="stellwerk stand-in makes up rows; declare them as `stand_in`")
    stage = decode_params(stage_params(state, model), where=model.name)
    with tempfile.TemporaryDirectory(prefix="stellwerk-source-") as room:
        rows = _rows(world, state, dataset, Path(room))
        if rows is None:
            message = f"there is no snapshot of {dataset.name} to run the notebook on"
            raise StellwerkError(message, hint=f"stellwerk snapshot {dataset.name} --because TEXT")
        hidden = (*world.masked, rows)
        limit = stage.timeout if timeout is None else timeout
        around = surroundings(world.root, masked=hidden, environ=world.environ, timeout=limit)
        return (sync, *prove_notebook(notebook, stage, rows_file=rows, root=world.root, around=around))


def notebook_source(world: World, state: State, model: Model) -> NotebookSource | None:
    """The model's notebook as it lies in the work tree, where its source is one."""
    if model.source is None or model.module is None or not model.source.endswith(NOTEBOOK):
        return None
    local = frozenset(importable(state.tree.blobs()))
    try:
        texts = texts_of(model, (world.root / model.source).read_bytes(), local)
    except OSError as error:
        raise StellwerkError("the notebook cannot be read", where=model.source, hint=str(error.strerror)) from error
    return NotebookSource(
        model=model.name,
        path=model.source,
        module=model.module,
        tests=f"models/{model.name}/tests/test_{module_name(model.source)}.py",
        texts=texts,
        tolerance=model.tolerance,
        local=local,
    )


def stage_params(state: State, model: Model) -> Mapping[str, Any]:
    """The resolved values of the model's training, as `params.yaml` has them."""
    from stellwerk.render.stage import stage_values

    if model.train is None:
        raise StellwerkError(f"{model.name} declares no `train`", hint="add `train: {data: DATASET}`")
    code = tuple(file.path for file in state.observed.code.get(model.name, ()))
    return stage_values(model, state.dataset(model.train.data), code, state.project.limits)


def _rows(world: World, state: State, dataset: Dataset, room: Path) -> Path | None:
    """The dataset's current snapshot as a file in `room`; None where it has none."""
    pointer = state.observed.pointers.get(dataset.name)
    if pointer is None:
        return None
    file = room / f"{dataset.name}.{dataset.format}"
    fetch(world, state, pointer.md5, file, remote=data_remote(state.project, dataset))
    return file


def _function(
    world: World,
    state: State,
    model: Model,
    environment: Environment,
    *,
    record: VersionRecord,
    package: Path,
    meanwhile: Callable[[str], None] | None = None,
) -> list[CheckResult]:
    """Function, and service where it can be started; `meanwhile` is called with its URL as long as it runs."""
    dataset = dataset_for(state, model, environment)
    with tempfile.TemporaryDirectory(prefix="stellwerk-rows-") as room:
        rows = _rows(world, state, dataset, Path(room)) if dataset else None
        if rows is None:
            # No verdict: its key names no stand-in, so a failure would outlive the snapshot that is missing.
            named = (
                f"stellwerk snapshot {dataset.name} --because TEXT"
                if dataset
                else "declare a `stand_in` of the model's data"
            )
            raise StellwerkError(
                f"there are no data that {environment.name} may see to ask {model.name} with", hint=named
            )
        return list(
            function_check(
                package,
                sha256=record.package.sha256,
                rows_file=rows,
                root=world.root,
                masked=world.masked,
                environ=world.environ,
                serving=_serving(state, model, environment, record=record, dataset=dataset, meanwhile=meanwhile),
            )
        )


def _serving(
    state: State,
    model: Model,
    environment: Environment,
    *,
    record: VersionRecord,
    dataset: Dataset | None,
    meanwhile: Callable[[str], None] | None,
) -> Serving:
    """The service runs as long as the declared commands may take; whose data it gets says what is personal."""
    policy = state.gates.route.policy(model, environment)
    own = None if model.train is None else state.dataset(model.train.data)
    personal = {column for item in (own, dataset) if item is not None for column in item.personal}
    seconds = sum(command.timeout for command in policy.commands) + CONTROL * len(policy.controls) + ASKING
    return Serving(
        served=Served(model=record.model, version=record.number, seconds=seconds),
        personal=tuple(sorted(personal)),
        meanwhile=meanwhile,
    )


def judge_with(
    world: World,
    state: State,
    model: Model,
    environment: Environment,
    record: VersionRecord,
    *,
    package: Path,
    snapshot: Path,
    on_line: Lines,
) -> list[CheckResult]:
    """The checks of a package that is not in the registry, against the released version where one is compared."""
    policy = state.gates.route.policy(model, environment)
    results: list[CheckResult] = []
    if policy.function:
        results += _function(world, state, model, environment, record=record, package=package)
    if policy.measures:
        champion = state.gates.champion(state.case(model, environment, None), environment)
        with tempfile.TemporaryDirectory(prefix="stellwerk-check-") as name:
            rival = None
            if champion is not None:
                version = state.version(model, champion)
                on_line(f"fetching the package of champion v{champion}")
                fetch(world, state, version.record.package.md5, Path(name) / "champion", remote=PACKAGES)
                rival = _contender(world, state, version, Path(name) / "champion", Path(name) / "champion-data")
            challenger = Contender(package=package, record=record, snapshot=snapshot)
            on_line(f"measuring as {environment.name} would")
            results += evaluate(
                _request(world, state, model, environment, challenger=challenger, champion=rival)
            ).checks
    return results


def _request(
    world: World,
    state: State,
    model: Model,
    environment: Environment,
    *,
    challenger: Contender,
    champion: Contender | None,
) -> EvaluationRequest:
    return EvaluationRequest(
        challenger=challenger,
        champion=champion,
        thresholds=state.gates.route.policy(model, environment).thresholds,
        min_group=state.project.limits.min_group,
        root=world.root,
        masked=world.masked,
        metric_code=tuple(file.path for file in state.observed.metric_code.get(model.name, ())),
        environ=world.environ,
    )


def _contender(world: World, state: State, version: Version, package: Path, data: Path) -> Contender:
    record = version.record
    known = {dataset.name: dataset for dataset in state.project.datasets}
    dataset = known.get(record.data.dataset)
    remote = data_remote(state.project, dataset) if dataset else None
    if record.data.md5 in state.observed.erased:
        return Contender(package=package, record=record, snapshot=None)
    if not data.exists():
        fetch(world, state, record.data.md5, data, remote=remote)
    return Contender(package=package, record=record, snapshot=data)


def _commands(
    world: World,
    environment: Environment,
    policy: Policy,
    package: Path | None,
    record: VersionRecord | None,
    *,
    url: str | None = None,
) -> list[CheckResult]:
    variables = {"STELLWERK_ENVIRONMENT": environment.name} | ({} if url is None else {"STELLWERK_URL": url})
    if package is not None and record is not None:
        variables |= {
            "STELLWERK_PACKAGE": str(package),
            "STELLWERK_SHA256": record.package.sha256,
            "STELLWERK_MODEL": record.model,
            "STELLWERK_VERSION": str(record.number),
        }
    asked = list(policy.commands)
    asked += [CommandCheck(name=f"control {item.name}", command=item.check or "") for item in policy.controls]
    return [command_check(item, root=world.root, variables=variables, environ=world.environ) for item in asked]


def _violation(state: State, model: Model, verdict: Verdict) -> Incident | None:
    """The incident of a released version that no longer meets its thresholds; None for a mere candidate."""
    facts = state.facts(model)
    running = [
        environment
        for (environment, name), release in sorted(state.observed.releases.items())
        if name == model.name and release.version == verdict.version and not release.withdrawn
    ]
    if not running:
        return None
    failed = ", ".join(sorted({check.name for check in verdict.checks if not check.passed}))
    return Incident(
        model=model.name,
        number=max((item.number for item in facts.incidents), default=0) + 1,
        kind="threshold-violated",
        summary=f"v{verdict.version} runs in {', '.join(running)} and violates {failed}",
        at=verdict.at,
        actor=verdict.actor,
        version=verdict.version,
        environment=running[0],
        notify=model.owners.monitors or model.owners.accountable,
        evidence=tuple(check_lines(verdict.checks).splitlines()),
        run=verdict.run,
    )
