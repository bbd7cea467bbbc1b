"""The pipelines as one `bitbucket-pipelines.yml`. Pure. What Bitbucket cannot express is listed by `capabilities`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import yaml
from msgspec import Struct

from stellwerk.render.bitbucket_steps import BitbucketStep, bitbucket_steps
from stellwerk.render.capabilities import comment_lines, gaps
from stellwerk.render.pipeline import Fact, Pipeline, Run
from stellwerk.render.quoting import scalar, template

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from stellwerk.model.declared import Workflows

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
UNSAFE = re.compile(r"[^\n -~\xa1-\u1fff\u2030-\ud7ff\uf900-\ufdcf\ufe70-\ufefc\U00010000-\U0001fffd]|\xad|[ ](?=\n)")


class _Flow(Struct, frozen=True, kw_only=True):
    """Steps under a name; `cron` is what the schedule that starts it says."""

    name: str
    about: str
    steps: tuple[BitbucketStep, ...]
    variables: tuple[tuple[str, str], ...] = ()
    cron: str = ""


def render_bitbucket(pipelines: tuple[Pipeline, ...], workflows: Workflows) -> str:
    """The body of `bitbucket-pipelines.yml`."""
    filters: dict[str, Callable[[Any], str]] = {"item": _item, "names": _names}
    known = {pipeline.name: pipeline for pipeline in pipelines}
    sections = {"pull-requests": _pulls, "branches": _branches, "custom": _custom}
    flows = {
        key: found
        for key, build in sections.items()
        if (found := [flow for pipeline in pipelines for flow in build(pipeline, known, workflows)])
    }
    text = str(
        template("bitbucket.yml.j2", filters).render(
            notes=comment_lines(gaps(pipelines, workflows)), image=f"python:{workflows.python}", sections=flows
        )
    )
    _prove(text, flows)
    return text


def _prove(text: str, meant: dict[str, list[_Flow]]) -> None:
    """Raises ValueError where the text, read as YAML, does not run these very lines."""
    try:
        read = yaml.load(text, Loader=LOADER)["pipelines"]  # noqa: S506 - a safe loader, in C where there is one
    except yaml.YAMLError as error:
        raise ValueError(f"bitbucket-pipelines.yml is no YAML: {error}") from error
    said = {
        (key, name): [
            (part["step"]["name"], part["step"]["script"], part["step"].get("after-script", []))
            for part in parts
            if "step" in part
        ]
        for key, named in read.items()
        for name, parts in named.items()
    }
    wanted = {
        (key, flow.name): [(step.name, _texts(step.script), _texts(step.after)) for step in flow.steps]
        for key, flows in meant.items()
        for flow in flows
    }
    if said != wanted:
        raise ValueError("bitbucket-pipelines.yml is not what was meant")


def _texts(items: tuple[tuple[str, ...], ...]) -> list[str]:
    return ["\n".join(lines) for lines in items]


def _pulls(pipeline: Pipeline, known: dict[str, Pipeline], workflows: Workflows) -> Iterator[_Flow]:
    if pipeline.on.pull_request:
        yield _Flow(name="**", about=pipeline.about, steps=bitbucket_steps(pipeline, known, workflows))


def _branches(pipeline: Pipeline, known: dict[str, Pipeline], workflows: Workflows) -> Iterator[_Flow]:
    if pipeline.on.push:
        name = re.sub(r"([*?{}\[\]\\])", r"\\\1", workflows.branch)  # a pattern there
        yield _Flow(name=name, about=pipeline.about, steps=bitbucket_steps(pipeline, known, workflows))


def _custom(pipeline: Pipeline, known: dict[str, Pipeline], workflows: Workflows) -> Iterator[_Flow]:
    """By hand, and one for each schedule: a step is not told which schedule started it."""
    on = pipeline.on
    if on.manual:
        asked = tuple((_variable(name), about) for name, about in on.inputs)
        steps = bitbucket_steps(pipeline, known, workflows)
        only = on.crons[0] if len(on.crons) == 1 and not _asks(pipeline, Fact.CRON) else ""
        yield _Flow(name=pipeline.name, about=pipeline.about, steps=steps, variables=asked, cron=only)
    if _asks(pipeline, Fact.CRON):
        for number, cron in enumerate(on.crons, start=1):
            steps = bitbucket_steps(pipeline, known, workflows, cron=cron)
            yield _Flow(name=f"{pipeline.name}-{number}", about=pipeline.about, steps=steps, cron=cron)


def _asks(pipeline: Pipeline, fact: Fact) -> bool:
    runs = (step for job in pipeline.jobs for step in job.steps if isinstance(step, Run))
    return any(value is fact for run in runs for _, value in run.env)


def _variable(name: str) -> str:
    return name.upper().replace("-", "_")


def _item(lines: tuple[str, ...]) -> str:
    """One entry of a script, below `- ` at ten blanks: a block where YAML gives it back unchanged, else a scalar."""
    text = "\n".join(lines)
    if UNSAFE.search(text) or text.startswith(" "):
        return scalar(text)
    if len(lines) == 1 and "\n" not in text:
        return scalar(text)
    return "|-\n" + "\n".join(f"{' ' * 14}{line}" if line else "" for line in text.split("\n"))


def _names(names: tuple[str, ...]) -> str:
    return "[" + ", ".join(scalar(name) for name in names) + "]"
