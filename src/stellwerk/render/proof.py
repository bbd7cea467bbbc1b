"""A rendered workflow is read back before anybody writes it: it must be what was meant, or nothing is written. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stellwerk.render.pipeline import Job, Pipeline

PINNED = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}|\$/\.github/workflows/[\w.-]+\.yml", re.ASCII)
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def prove(path: str, text: str, pipeline: Pipeline) -> None:
    """Raises ValueError where the text, read as YAML, is not a workflow with these jobs that is safe to run."""
    try:
        read = yaml.load(text, Loader=LOADER)  # noqa: S506 - a safe loader, in C where there is one
    except yaml.YAMLError as error:
        raise ValueError(f"{path} is no YAML: {error}") from error
    wrong = next(_mistakes(read, pipeline), None)
    if wrong is not None:
        raise ValueError(f"{path} is not what was meant: {wrong}")


def _mistakes(read: Any, pipeline: Pipeline) -> Iterator[str]:
    if not isinstance(read, dict) or read.get("permissions") != {}:
        yield "it gives rights to every job"
    jobs = read.get("jobs")
    if not isinstance(jobs, dict) or list(jobs) != [job.id for job in pipeline.jobs]:
        yield "it has other jobs"
        return
    for job in pipeline.jobs:
        yield from _wrong_with(job, jobs[job.id], set(jobs))


def _wrong_with(job: Job, said: Any, known: set[str]) -> Iterator[str]:
    if not isinstance(said.get("permissions"), dict):
        yield f"{job.id} does not say its rights"
    if not set(job.needs) <= known:
        yield f"{job.id} needs a job that is not there"
    if job.calls is None and (not isinstance(said.get("timeout-minutes"), int) or not said.get("steps")):
        yield f"{job.id} has no end or no steps"
    if not job.trusted and "${{ secrets." in str(said).replace("${{ '${{' }}", ""):
        yield f"{job.id} runs code of a pull request and sees a secret"
    for step in (said, *said.get("steps", ())):
        if "uses" in step and not PINNED.fullmatch(str(step["uses"])):
            yield f"{step['uses']} is not pinned"
        if "${{" in str(step.get("run", "")):
            yield f"a script of {job.id} holds an expression"
