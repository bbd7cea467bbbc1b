"""Continuous training: take the data that is due, commit its pointer, and let delivery do the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stellwerk.render.pipeline import Fact, Job, Pipeline, Right, Run, Triggers, When
from stellwerk.render.pipelines.facts import TRAINING_MINUTES, Facts, ids, rights, surroundings

if TYPE_CHECKING:
    from stellwerk.model.declared import Environment

MESSAGE = "stellwerk-data"
INPUTS = (("dataset", "The dataset that has new data; empty: all that are taken by themselves"),)
SNAPSHOT = 'exec stellwerk snapshot --due --schedule "$SCHEDULE" --only "$DATASET" --within "$ENVIRONMENT"'


def training(facts: Facts) -> Pipeline | None:
    """`ct.yml`; None where no model declares `retrain`."""
    if not facts.sources:
        return None
    jobs = tuple(
        _snapshot(facts, item, job) for item, job in zip(facts.sources, ids("snapshot", facts.sources), strict=True)
    )
    deliver = Job(
        id="deliver",
        title="Deliver",
        why="A commit of a workflow starts no other workflow; this one is called.",
        needs=tuple(job.id for job in jobs),
        when=When.FINISHED,
        calls="cd",
        secrets=tuple(sorted({name for item in facts.environments for name in item.secrets})),
        rights=_called(facts),
    )
    return Pipeline(
        name="ct",
        title="CT",
        about="Takes due snapshots from their sources and trains, checks and promotes what they change.",
        on=Triggers(crons=facts.schedules, message=MESSAGE if facts.messages else None, manual=True, inputs=INPUTS),
        jobs=(*jobs, deliver),
    )


def _called(facts: Facts) -> tuple[Right, ...]:
    """A pipeline that is called has at most the rights of the job that calls it."""
    more = (Right.IDENTITY,) if any(item.identity is not None for item in facts.environments) else ()
    return (Right.PUSH, Right.PULL_REQUESTS, Right.ISSUES, *more)


def _snapshot(facts: Facts, environment: Environment | None, job: str) -> Job:
    name = environment.name if environment is not None else ""
    return Job(
        id=job,
        title=f"Take data in {name}" if name else "Take data",
        why="Fetches the sources that are due, checks the rows, stores them, commits the pointers.",
        runner=facts.runner(environment),
        environment=name or None,
        secrets=environment.secrets if environment is not None else (),
        rights=rights(environment, Right.PUSH),
        lock=f"stellwerk-snapshot-{name}",
        minutes=TRAINING_MINUTES,
        steps=(
            *facts.branch(push=True),
            Run(
                name="Take what is due",
                command=SNAPSHOT,
                env=(
                    ("ENVIRONMENT", name),
                    ("SCHEDULE", Fact.CRON),
                    ("DATASET", Fact.DATASET),
                    *surroundings(environment),
                ),
            ),
        ),
    )
