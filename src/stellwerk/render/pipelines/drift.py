"""Drift of what is controlled: does the world still look as git says? It only looks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stellwerk.render.pipeline import Fact, Fetch, Job, Keep, Pipeline, Right, Run, Triggers, When
from stellwerk.render.pipelines.facts import MINUTES, Facts, announcing, ids, rights, surroundings

if TYPE_CHECKING:
    from stellwerk.model.declared import Environment


def drift(facts: Facts) -> Pipeline:
    """`drift.yml`."""
    looks = tuple(
        _look(facts, item, job) for item, job in zip(facts.delivered, ids("in", facts.delivered), strict=True)
    )
    files = Job(
        id="files",
        title="Files",
        why="Are the rendered files as rendered?",
        minutes=MINUTES,
        steps=(
            *facts.branch(),
            Run(name="Look", command="stellwerk drift --out drift/files.json"),
            Keep(artifact="drift-files", path="drift"),
        ),
    )
    tell = Job(
        id="announce",
        title="Announce",
        why="One issue says what drifted and closes when nothing does.",
        needs=(files.id, *(job.id for job in looks)),
        when=When.FINISHED,
        rights=announcing(facts),
        lock="stellwerk-announce",
        minutes=MINUTES,
        steps=(
            *facts.branch(),
            Fetch(artifact="drift-", path="drift"),
            Run(name="Announce", command="stellwerk announce --drift drift", env=(("GITHUB_TOKEN", Fact.TOKEN),)),
        ),
    )
    return Pipeline(
        name="drift",
        title="Drift",
        about="Looks every day whether rendered files, targets and remotes are as git says. Changes nothing.",
        on=Triggers(crons=(facts.workflows.drift,), manual=True),
        jobs=(files, *looks, tell),
    )


def _look(facts: Facts, environment: Environment, job: str) -> Job:
    return Job(
        id=job,
        title=environment.name,
        why="Do targets run what the releases say, and are the bytes there?",
        runner=facts.runner(environment),
        environment=environment.name,
        secrets=environment.secrets,
        rights=rights(environment, Right.READ),
        minutes=MINUTES,
        steps=(
            *facts.branch(),
            Run(
                name="Look",
                command='stellwerk drift --environment "$ENVIRONMENT" --out drift/environment.json',
                env=(("ENVIRONMENT", environment.name), *surroundings(environment)),
            ),
            Keep(artifact=f"drift-{job}", path="drift"),
        ),
    )
