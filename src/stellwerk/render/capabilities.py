"""What a CI service cannot do that the pipelines ask for, each with what stands in for it: nothing is dropped silently.

Pure. The list stands at the head of rendered files, `stellwerk render` prints it, docs/workflows.md explains it.
"""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from msgspec import Struct

from stellwerk.render.pipeline import Fact, Right, Run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from stellwerk.model.declared import Workflows
    from stellwerk.render.pipeline import Job, Pipeline

WIDTH = 110
MOST_JOBS = 256
MOST_STEPS = 100
SELF_HOSTED = "self.hosted"
LABEL, LABELS = 50, 10  # characters of a runner's label, labels of a step


class Gap(Struct, frozen=True, kw_only=True):
    """`what` the provider cannot do, for the pipelines named in `where`; `instead`: what is done, or a person does."""

    provider: str
    where: str
    what: str
    instead: str


def gaps(pipelines: tuple[Pipeline, ...], workflows: Workflows) -> tuple[Gap, ...]:
    """Those that these pipelines run into, in a fixed order."""
    found = _bitbucket(pipelines, workflows) if workflows.provider == "bitbucket" else _github(pipelines, workflows)
    return tuple(
        Gap(provider=workflows.provider, where=where, what=what, instead=instead)
        for where, what, instead in found
        if where
    )


def gap_lines(found: Iterable[Gap]) -> tuple[str, ...]:
    """One sentence or two for each, in words for people."""
    return tuple(f"{gap.where}: {gap.what}. {gap.instead}." for gap in found)


def comment_lines(found: tuple[Gap, ...]) -> tuple[str, ...]:
    """The list as lines of a comment, without the sign; nothing where there is no gap. No line has a line break."""
    if not found:
        return ()
    name = {"github": "GitHub Actions", "bitbucket": "Bitbucket Pipelines"}[found[0].provider]
    lines = [f"What {name} cannot do, and what is done instead:"]
    for text in gap_lines(found):
        plain = "".join(char if char.isprintable() else " " for char in text)
        lines += textwrap.wrap(plain, WIDTH, initial_indent="- ", subsequent_indent="  ", break_long_words=False)
    return tuple(lines)


def _where(pipelines: Iterable[Pipeline]) -> str:
    return ", ".join(sorted({pipeline.name for pipeline in pipelines}))


def _with_job(pipelines: Iterable[Pipeline], fits: Callable[[Job], bool]) -> str:
    return _where(pipeline for pipeline in pipelines if any(fits(job) for job in pipeline.jobs))


def _bitbucket(pipelines: tuple[Pipeline, ...], workflows: Workflows) -> Iterator[tuple[str, str, str]]:
    crons = [pipeline for pipeline in pipelines if pipeline.on.crons]
    yield (
        _where(crons),
        "a schedule cannot be part of the file",
        "Set it in the repository's settings, for the custom pipeline and the time in the comment above it",
    )
    yield (
        _where(pipeline for pipeline in pipelines if pipeline.on.message is not None),
        "no message from outside starts a pipeline",
        "Who has new data starts the custom pipeline through Bitbucket's API, with the variable DATASET",
    )
    yield (
        _with_job(pipelines, lambda job: job.matrix is not None),
        "a list that a step found cannot become parallel steps",
        "One step does all of it, one after another",
    )
    yield (
        _where(pipeline for pipeline in pipelines if len(pipeline.jobs) > 1),
        "steps run one after another, and what a step leaves to later ones is kept as artifacts of the run",
        (
            "A step without anything to do ends before it installs anything; after a failure the run goes on where it "
            "may, and its last step fails"
        ),
    )
    yield (
        _with_job(pipelines, lambda job: job.lock is not None and job.environment is None),
        "only a deployment keeps others waiting",
        "Other steps may run at once; a push that loses is planned again",
    )
    yield (
        _with_job(pipelines, lambda job: job.environment is not None),
        "a deployment may be named once in a pipeline, and secrets of an environment are variables of a deployment",
        (
            "Make one for each `deployment:` of this file, with the secrets as secured variables of their names; who "
            "may deploy is set there, not here"
        ),
    )
    yield (
        _with_job(pipelines, lambda job: bool(job.rights)),
        "a step cannot be given fewer rights than the repository's pipelines have",
        "Keep secrets out of the repository's variables: steps of pull requests would read them",
    )
    yield (
        _with_job(pipelines, lambda job: _asks(job, Fact.TOKEN)),
        "a step has no token for pull requests, comments and issues",
        "What would be posted is printed in the log",
    )
    yield (
        _with_job(pipelines, lambda job: job.calls is not None),
        "a pipeline's steps cannot be shared by another without repeating them",
        "They are written again",
    )
    yield (
        _with_job(pipelines, _always),
        "what runs at the end of a step in any case cannot fail it",
        "Read the log of the after-script where an environment was not taken down",
    )
    yield (
        _where(pipeline for pipeline in pipelines if pipeline.on.push),
        "a commit that a run pushes starts another run",
        "It finds nothing to do and ends",
    )
    yield (
        _where(pipeline for pipeline in pipelines if len(pipeline.jobs) >= MOST_STEPS),
        f"a pipeline has at most {MOST_STEPS} steps",
        "Declare fewer environments",
    )
    yield (
        _with_job(pipelines, lambda job: _labelled(job.runner or workflows.runner)),
        f"a runner has at most {LABELS} labels of {LABEL} characters, {SELF_HOSTED} among them",
        "The rest of them is cut off",
    )
    yield (
        _where(pipelines),
        "who owns which file is not rendered",
        "Default reviewers and code owners are set in Bitbucket",
    )
    if workflows.identity == "github-app":
        yield _where(pipelines), "there are no apps of GitHub", "Pipelines push as themselves"
    if workflows.actions:
        yield _where(pipelines), "there are no actions", "`workflows.actions` is without effect"


def _github(pipelines: tuple[Pipeline, ...], workflows: Workflows) -> Iterator[tuple[str, str, str]]:
    yield (
        _with_job(pipelines, lambda job: job.matrix is not None),
        f"a matrix has at most {MOST_JOBS} jobs",
        "The plan puts more models into one job",
    )
    yield (
        _with_job(pipelines, lambda job: job.calls is not None),
        (
            "a workflow that is called reads no secret that it is not handed by name, and runners of one's own must be "
            "2.336 or newer, and the server github.com, to find it"
        ),
        "Every secret that an environment declares is named in the call",
    )
    if workflows.identity != "github-app":
        yield (
            _with_job(pipelines, lambda job: Right.PUSH in job.rights),
            "GITHUB_TOKEN cannot push workflow files, nor to a protected branch that does not let it",
            "People commit what is rendered; or declare identity: github-app",
        )
        yield (
            _with_job(pipelines, lambda job: Right.PULL_REQUESTS in job.rights and not job.own_branches),
            "a pull request that GITHUB_TOKEN opens starts no checks",
            "Close and open it again, or declare identity: github-app",
        )
    yield (
        _where(pipeline for pipeline in pipelines if pipeline.on.crons),
        "a schedule may start late, and ends after 60 days without a commit in a public repository",
        "The next run does what is due",
    )


def _asks(job: Job, fact: Fact) -> bool:
    return any(value is fact for step in job.steps if isinstance(step, Run) for _, value in step.env)


def _labelled(labels: tuple[str, ...]) -> bool:
    return len({*labels, SELF_HOSTED} - {"self-hosted"}) > LABELS or any(len(label) > LABEL for label in labels)


def _always(job: Job) -> bool:
    return any(isinstance(step, Run) and step.always for step in job.steps)
