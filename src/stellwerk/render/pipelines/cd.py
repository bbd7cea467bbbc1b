"""Delivery: train, check, promote and deploy what the branch declares, one job for each environment of the route."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stellwerk.render.pipeline import Busy, Fact, Job, Listed, Matrix, Pipeline, Right, Run, Triggers, Value, When
from stellwerk.render.pipelines.facts import (
    MINUTES,
    TRAINING_MINUTES,
    Facts,
    announcing,
    entry,
    ids,
    rights,
    surroundings,
    up_and_down,
)

if TYPE_CHECKING:
    from stellwerk.model.declared import Environment

# A job that is cancelled signals its shell alone: `exec` puts the command in its place.
RECONCILE = "exec stellwerk reconcile --no-render --accept-waiting --summary"
CONFIRMED: tuple[tuple[str, Value], ...] = (
    ("CONFIRM_TRAININGS", Fact.TRAININGS),
    ("CONFIRM_REMOVALS", Fact.REMOVALS),
)
CONFIRM = '--confirm-trainings "$CONFIRM_TRAININGS" --confirm-removals "$CONFIRM_REMOVALS"'
# Only jobs with something to do have a summary: what waits, for a person to render or to confirm, is said here.
SHOW = f'stellwerk plan --format markdown {CONFIRM} >> "${{GITHUB_STEP_SUMMARY:-/dev/stdout}}"'
INPUTS = (
    ("confirm-trainings", "How many trainings were asked for, where they are more than limits.trainings"),
    ("confirm-removals", "How many models were removed, where they are many"),
)


def delivery(facts: Facts) -> Pipeline:
    """`cd.yml`."""
    plan = Job(
        id="plan",
        title="Plan",
        why="Says which of the jobs below have anything to do.",
        minutes=MINUTES,
        steps=(
            *facts.branch(),
            Run(
                name="What is there to do?",
                command=f"stellwerk jobs --format github {CONFIRM}",
                env=CONFIRMED,
                outputs=("training", "environments"),
            ),
            Run(name="What waits?", command=SHOW, env=CONFIRMED),
        ),
    )
    trainings = tuple(
        _training(facts, item, job) for item, job in zip(facts.training, ids("train", facts.training), strict=True)
    )
    names = ids("in", facts.delivered)
    known = {item.name: job for item, job in zip(facts.delivered, names, strict=True)}
    trained = tuple(job.id for job in trainings)
    environments = tuple(_environment(facts, item, known, trained) for item in facts.delivered)
    before = (*trained, *(job.id for job in environments))
    return Pipeline(
        name="cd",
        title="CD",
        about="Makes what the branch declares true: trains, checks, promotes, deploys. With nothing to do: one job.",
        on=Triggers(push=True, called=True, manual=True, inputs=INPUTS),
        jobs=(plan, *trainings, *environments, announcement(facts, before)),
    )


def announcement(facts: Facts, before: tuple[str, ...]) -> Job:
    """Tell the forge what git says: pull requests that ask for a promotion, issues of open incidents."""
    return Job(
        id="announce",
        title="Announce",
        why="Opens, updates and closes pull requests and issues; git has decided before.",
        needs=("plan", *before),
        when=When.PLANNED,
        condition=Busy(job="plan", outputs=(("training", "{}"), ("environments", "[]"))),
        rights=announcing(facts),
        lock="stellwerk-announce",
        minutes=MINUTES,
        steps=(
            *facts.branch(),
            Run(name="Announce", command="stellwerk announce", env=(("GITHUB_TOKEN", Fact.TOKEN),)),
        ),
    )


def _training(facts: Facts, environment: Environment | None, job: str) -> Job:
    name = environment.name if environment is not None else ""
    return Job(
        id=job,
        title=f"Train in {name}" if name else "Train",
        why="Takes first snapshots and trains, where the training data may be read.",
        needs=("plan",),
        matrix=Matrix(job="plan", output="training", key=name),
        runner=facts.runner(environment),
        environment=name or None,
        secrets=environment.secrets if environment is not None else (),
        rights=rights(environment, Right.PUSH),
        minutes=TRAINING_MINUTES,
        steps=(
            *facts.branch(push=True),
            Run(
                name="Train",
                command=f'{RECONCILE} --training "$ENVIRONMENT" --models "$MODELS" {CONFIRM}',
                env=(("ENVIRONMENT", name), ("MODELS", entry("models")), *CONFIRMED, *surroundings(environment)),
            ),
        ),
    )


def _environment(facts: Facts, environment: Environment, known: dict[str, str], trained: tuple[str, ...]) -> Job:
    job, name = known[environment.name], environment.name
    after = (known[environment.after],) if environment.after in known else ()
    standing: tuple[tuple[str, Value], ...] = (("STELLWERK_STANDING", name),) if environment.up is not None else ()
    reconcile = Run(
        name="Check, promote, deploy",
        command=f'{RECONCILE} --environment "$ENVIRONMENT" {CONFIRM}',
        env=(("ENVIRONMENT", name), *standing, *CONFIRMED, *surroundings(environment)),
    )
    return Job(
        id=job,
        title=name,
        why="Checks, promotes and deploys here what the environments before let pass.",
        needs=("plan", *trained, *after),
        when=When.PLANNED,
        condition=Listed(job="plan", output="environments", name=name),
        runner=facts.runner(environment),
        environment=name,
        secrets=environment.secrets,
        rights=rights(environment, Right.PUSH),
        lock=f"stellwerk-{name}",
        minutes=TRAINING_MINUTES,
        steps=(*facts.branch(push=True), *up_and_down(environment, reconcile)),
    )
