"""What a step of Bitbucket Pipelines runs for one command: its variables, and where they come from. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stellwerk.render.bash import RUN, entries, export
from stellwerk.render.pipeline import Entry, Fact, Job, Run, Secret

if TYPE_CHECKING:
    from stellwerk.render.pipeline import Value

Item = tuple[str, ...]  # lines that one shell runs
FACTS = {
    Fact.BASE: "${BITBUCKET_PR_DESTINATION_COMMIT-}",
    Fact.PULL_REQUEST: "${BITBUCKET_PR_ID-}",
    Fact.CRON: "",
    Fact.DATASET: "${DATASET-}",
    Fact.TRAININGS: "${CONFIRM_TRAININGS-}",
    Fact.REMOVALS: "${CONFIRM_REMOVALS-}",
}


def command(run: Run, job: Job, cron: str) -> Item:
    """In a shell of its own, so that its variables end with it."""
    lines = run.command.replace("stellwerk validate --format github", "stellwerk validate").rstrip("\n").split("\n")
    if run.outputs:
        lines[-1] += f" >> {RUN}/{job.id}/outputs"
    known = [(name, value) for name, value in run.env if not _known(name, value)]
    given = (_given(name, value, job, cron) for name, value in known)
    about = " ".join(run.name.split())
    return (f"# {about}", "(", *given, *lines, ")")


def _known(name: str, value: Value) -> bool:
    """A secret is a variable of that name already; a token there is none."""
    return value is Fact.TOKEN or (isinstance(value, Secret) and value.name == name)


def _given(name: str, value: Value, job: Job, cron: str) -> str:
    match value:
        case Fact.RESULTS:
            looks = "".join(
                f"; if [ -e {RUN}/{need}/success ]; then echo success; else echo failure; fi" for need in job.needs
            )
            return f'export {name}="$(echo $({looks.removeprefix("; ")}))"'
        case Fact.CRON:
            return export(name, cron)
        case Fact():
            return f'export {name}="{FACTS[value]}"'
        case Entry(key=key) if job.matrix is not None:
            return f'export {name}="{entries(job.matrix, key)}"'
        case Entry():
            raise ValueError(f"the job {job.id} asks for {name} of a list that it has not")
        case Secret(name=secret):
            return f'export {name}="${{{secret}-}}"'
        case _:
            return export(name, value)
