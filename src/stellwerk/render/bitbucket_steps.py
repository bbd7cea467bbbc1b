"""Jobs as steps of Bitbucket Pipelines: what a step runs, in which order, and when it ends at once. Pure.

Bitbucket runs steps one after another and knows neither outputs nor conditions between them: each step leaves its
results in a folder that the next ones get, and says itself whether there is anything to do. Text of people is exported
as a quoted variable and never part of a command.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from stellwerk.render.bash import RUN, export, output_of, quoted
from stellwerk.render.bitbucket_commands import command
from stellwerk.render.capabilities import LABEL, LABELS, SELF_HOSTED
from stellwerk.render.pipeline import (
    Busy,
    Checkout,
    Fact,
    Fetch,
    Install,
    Job,
    Keep,
    Listed,
    Pipeline,
    Right,
    Run,
    When,
)
from stellwerk.render.requirements import install_command

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stellwerk.model.declared import Workflows
    from stellwerk.render.bitbucket_commands import Item
    from stellwerk.render.pipeline import Step

HOSTED = re.compile(r"(ubuntu|windows|macos)-[\w.-]+", re.ASCII)  # machines of another provider
PYTHON = ".git/stellwerk-python"  # outside of the work tree, and gone with the clone
BOT = "Bitbucket Pipelines <commits-noreply@bitbucket.org>"  # as whom Bitbucket itself lets a step commit
NOTHING = "echo 'There is nothing to do here.'"


class BitbucketStep(Struct, frozen=True, kw_only=True):
    """One step. `script` and `after` hold items: lines that one shell runs. `goes_on`: later steps run if it fails.

    `labels`: those of a machine of one's own; without any it runs in a container of Bitbucket's.
    """

    name: str
    why: str
    minutes: int
    script: tuple[Item, ...]
    after: tuple[Item, ...] = ()
    id: str = ""
    deployment: str | None = None
    labels: tuple[str, ...] = ()
    proves_identity: bool = False
    goes_on: bool = False


def bitbucket_steps(
    pipeline: Pipeline, known: dict[str, Pipeline], workflows: Workflows, *, cron: str = ""
) -> tuple[BitbucketStep, ...]:
    """One step for each job, those of a called pipeline in its place, and a last one that tells whether all passed."""
    jobs = tuple(_flat(pipeline, known))
    carried = _carried(jobs)
    # A deployment may be named once in a pipeline: it is the last job's, which releases there.
    owner = {job.environment: job.id for job in jobs}
    found: list[BitbucketStep] = []
    for job in jobs:
        named = job.environment if owner[job.environment] == job.id or job.environment is None else job.id
        found.append(_step(replace(job, environment=named), workflows, carried, cron))
    if carried and not any(_reads_results(job) for job in jobs):
        found.append(_result(tuple(job.id for job in jobs), _labels(workflows.runner)))
    if pipeline.on.pull_request:
        here = (
            export("BRANCH", workflows.branch),
            f'[ "$BITBUCKET_PR_DESTINATION_BRANCH" = "$BRANCH" ] || {{ {NOTHING}; exit 0; }}',
        )
        found = [replace(step, script=(here, *step.script)) for step in found]
    return tuple(found)


def _flat(pipeline: Pipeline, known: dict[str, Pipeline]) -> Iterator[Job]:
    """The jobs; instead of one that calls a pipeline, all of that one."""
    for job in pipeline.jobs:
        if job.calls is None:
            yield job
        else:
            yield from _flat(known[job.calls], known)


def _carried(jobs: tuple[Job, ...]) -> frozenset[str]:
    """The jobs after whose failure the run goes on: others run all the same."""
    found: set[str] = set()
    for number, job in enumerate(jobs):
        if job.when is When.PLANNED:
            found |= set(job.needs[1:])
        elif job.when in {When.FINISHED, When.ALWAYS}:
            found |= set(job.needs)
        if not job.needs and number:  # begins anew: a pipeline that was called
            found |= {before.id for before in jobs[:number]}
    return frozenset(found)


def _reads_results(job: Job) -> bool:
    return any(value is Fact.RESULTS for step in job.steps if isinstance(step, Run) for _, value in step.env)


def _result(ids: tuple[str, ...], labels: tuple[str, ...]) -> BitbucketStep:
    lines = (
        "failed=0",
        f"for step in {' '.join(ids)}; do",
        f'  [ -e "{RUN}/$step/success" ] || {{ echo "$step did not succeed."; failed=1; }}',
        "done",
        'exit "$failed"',
    )
    return BitbucketStep(name="Result", why="Fails where a step before did.", minutes=5, script=(lines,), labels=labels)


def _step(job: Job, workflows: Workflows, carried: frozenset[str], cron: str) -> BitbucketStep:
    labels = _labels(job.runner or workflows.runner)
    runs = [step for step in job.steps if isinstance(step, Run)]
    last = (f"touch {RUN}/{job.id}/success",)
    script = [
        _beginning(job, carried),
        *(
            item
            for at, step in enumerate(job.steps)
            for item in _items(step, job, workflows, job.steps[:at], cron=cron)
        ),
        last,
    ]
    always = [command(run, job, cron) for run in runs if run.always]
    path = (f'export PATH="$PWD/{PYTHON}/bin:$PATH"',)
    begun = (f"[ -e {RUN}/{job.id}/begun ] || exit 0",)
    return BitbucketStep(
        id=job.id,
        name=job.title,
        why=job.why,
        minutes=job.minutes,
        script=tuple(item for item in script if item),
        after=(begun, path, *always) if always else (),
        deployment=job.environment,
        labels=labels,
        proves_identity=Right.IDENTITY in job.rights,
        goes_on=job.id in carried,
    )


def _labels(labels: tuple[str, ...]) -> tuple[str, ...]:
    """The labels of a machine of one's own; none where Bitbucket's own machines are meant."""
    if all(HOSTED.fullmatch(label) for label in labels):
        return ()
    named = tuple(SELF_HOSTED if label == "self-hosted" else label[:LABEL] for label in labels)
    return tuple(dict.fromkeys((SELF_HOSTED, *named)))[:LABELS]


def _beginning(job: Job, carried: frozenset[str]) -> Item:
    """What must have succeeded, and whether there is anything to do: before anything is installed."""
    own = f"{RUN}/{job.id}"
    lines = [f"mkdir -p {own}"]
    needed = job.needs if job.when is When.SUCCESS else job.needs[:1] if job.when is When.PLANNED else ()
    lines += [
        f"[ -e {RUN}/{name}/success ] || {{ echo '{name} did not succeed.'; exit 0; }}"
        for name in needed
        if name in carried
    ]
    test = _test(job)
    if test:
        lines.append(f"{test} || {{ {NOTHING}; touch {own}/success; exit 0; }}")
    return tuple(lines)


def _test(job: Job) -> str:
    match job.condition:
        case Listed(job=name, output=output, name=entry):
            return f"{output_of(name, output)} | grep -qF {quoted(json.dumps(entry))}"
        case Busy(job=name, outputs=outputs):
            tests = (f'[ "$({output_of(name, output)})" != {quoted(none)} ]' for output, none in outputs)
            return "{ " + " || ".join(tests) + "; }"
        case None:
            pass
    if job.matrix is None:
        return ""
    place = "{" if job.matrix.key is None else f"{json.dumps(job.matrix.key or '.')}:"
    return f"{output_of(job.matrix.job, job.matrix.output)} | grep -qF {quoted(place)}"


def _items(step: Step, job: Job, workflows: Workflows, before: tuple[Step, ...], *, cron: str) -> list[Item]:
    match step:
        case Checkout():
            return [_checkout(step, job, workflows, before)]
        case Install(source=source):
            return [_install(source, workflows), (f"touch {RUN}/{job.id}/begun", *_kept(job))]
        case Run(always=True):
            return []  # after-script
        case Run():
            return [command(step, job, cron)]
        case Keep():
            return []  # a link leads there from the beginning
        case Fetch(artifact=artifact, path=path):
            return [
                (
                    f"mkdir -p {path}",
                    f"for kept in {RUN}/*/{artifact}*; do",
                    f'  [ ! -d "$kept" ] || cp -R "$kept" {path}/',
                    "done",
                )
            ]


def _kept(job: Job) -> Item:
    """What is written to the folder is handed on, whatever happens later."""
    return tuple(
        line
        for step in job.steps
        if isinstance(step, Keep)
        for line in (
            f"mkdir -p {RUN}/{job.id}/{_artifact(step, job)}",
            f"ln -sfn {RUN}/{job.id}/{_artifact(step, job)} {step.path}",
        )
    )


def _artifact(step: Keep, job: Job) -> str:
    """Its name; where a matrix would tell several apart, there is one."""
    return f"{step.artifact}{job.id}" if step.entry else step.artifact


def _checkout(step: Checkout, job: Job, workflows: Workflows, before: tuple[Step, ...]) -> Item:
    """The clone is there already, at the commit that started the run."""
    if step.base:
        return ("HERE=$(git rev-parse HEAD)", 'git checkout --quiet --detach "$BITBUCKET_PR_DESTINATION_COMMIT"')
    if step.ref:
        lines = (
            export("BRANCH", step.ref),
            'git fetch --quiet origin "+refs/heads/$BRANCH:refs/remotes/origin/$BRANCH"',
            'git checkout --quiet -B "$BRANCH" --track "origin/$BRANCH"',
        )
        return (*lines, *_author(job, workflows))
    if any(isinstance(other, Checkout) and other.base for other in before):
        return ('git checkout --quiet --detach "$HERE"',)
    return ()


def _author(job: Job, workflows: Workflows) -> Item:
    if Right.PUSH not in job.rights:
        return ()
    name, _, address = (workflows.author or BOT).partition(" <")
    values = (("NAME", name), ("EMAIL", address.rstrip(">")))
    return tuple(export(f"GIT_{role}_{key}", value) for role in ("AUTHOR", "COMMITTER") for key, value in values)


def _install(source: str, workflows: Workflows) -> Item:
    install = workflows.install
    folder = f"{source}/" if source else ""
    lines = [f"python3 -m venv --clear {PYTHON}", f'export PATH="$PWD/{PYTHON}/bin:$PATH"']
    if install.method == "checkout":
        return (*lines, "python -m pip install --quiet --constraint constraints.txt .")
    lines.append(export("REQUIREMENTS", f"{folder}{install.requirements}"))
    if install.method == "wheels":
        lines.append(export("PIP_FIND_LINKS", f"{folder}{install.wheels}"))
    elif install.index is not None:
        lines.append(export("PIP_INDEX_URL", install.index))
    return (*lines, *install_command(install.method))
