"""A pipeline as a workflow file of GitHub Actions. Pure.

Nothing that a person wrote is part of a script: it reaches commands as variables. GitHub evaluates `${{ }}` in every
value; text is therefore written by `text_value`, which leaves none in it.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from stellwerk.render.actions import PinnedAction, pinned
from stellwerk.render.capabilities import comment_lines, gaps
from stellwerk.render.pipeline import (
    Busy,
    Checkout,
    Entry,
    Fact,
    Fetch,
    Install,
    Job,
    Keep,
    Listed,
    Matrix,
    Pipeline,
    Right,
    Run,
    Secret,
    Step,
    Triggers,
    When,
)
from stellwerk.render.quoting import scalar, template
from stellwerk.render.requirements import install_command

if TYPE_CHECKING:
    from collections.abc import Callable

    from stellwerk.model.declared import Workflows
    from stellwerk.render.pipeline import Value

HOSTED = re.compile(r"(ubuntu|windows|macos)-[\w.-]+", re.ASCII)
FALLBACK = "ubuntu-24.04"  # for what comes from a fork
FACTS = {
    Fact.BASE: "github.event.pull_request.base.sha",
    Fact.PULL_REQUEST: "github.event.pull_request.number",
    Fact.CRON: "github.event.schedule",
    Fact.DATASET: "github.event.client_payload.dataset || inputs.dataset",
    Fact.TRAININGS: "inputs.confirm-trainings",
    Fact.REMOVALS: "inputs.confirm-removals",
    Fact.RESULTS: "join(needs.*.result, ' ')",
}
PERMISSIONS = {
    Right.READ: ("contents", "read", "check out the repository"),
    Right.PUSH: ("contents", "write", "push the commits of its decisions"),
    Right.PULL_REQUESTS: ("pull-requests", "write", "open and update pull requests and their comments"),
    Right.ISSUES: ("issues", "write", "open and close issues"),
    Right.IDENTITY: ("id-token", "write", "prove its identity to the cloud of the environment"),
}
BOT = "github-actions[bot] <41898282+github-actions[bot]@users.noreply.github.com>"
APP = "app"  # the id of the step that gets the app's token


class _Expression(Struct, frozen=True, kw_only=True):
    """Something that GitHub evaluates; never made from what a person wrote."""

    text: str


_Setting = str | _Expression | int


class _Step(Struct, frozen=True, kw_only=True):
    name: str
    id: str = ""
    always: bool = False
    uses: PinnedAction | None = None
    settings: tuple[tuple[str, _Setting], ...] = ()
    env: tuple[tuple[str, str | _Expression], ...] = ()
    lines: tuple[str, ...] = ()


def render_workflow(pipeline: Pipeline, workflows: Workflows) -> str:
    """The body of `.github/workflows/<name>.yml`."""
    filters: dict[str, Callable[[Any], str]] = {"expression": _expression, "value": _value, "names": _names}
    return str(
        template("github.yml.j2", filters).render(
            about=pipeline.about,
            notes=comment_lines(gaps((pipeline,), workflows)),
            title=pipeline.title,
            triggers=[{"key": key, "lines": lines} for key, lines in _triggers(pipeline, workflows)],
            group=_group(pipeline),
            cancel="true" if pipeline.on.pull_request else "false",
            jobs=[_job(job, workflows) for job in pipeline.jobs],
        )
    )


def text_value(text: str) -> str:
    """Text in which GitHub finds no expression: the opening of one is written as an expression that gives it."""
    return text.replace("${{", "${{ '${{' }}")


def literal(text: str) -> str:
    """Text inside an expression."""
    quoted = text.replace("'", "''")
    return f"'{quoted}'"


def _value(value: _Setting) -> str:
    match value:
        case int():  # booleans too
            return str(value).lower()
        case _Expression():
            return _expression(value)
        case _:
            return scalar(text_value(value))


def _expression(value: str | _Expression) -> str:
    """A whole scalar that is evaluated."""
    return scalar("${{ " + (value if isinstance(value, str) else value.text) + " }}")


def _names(names: tuple[str, ...]) -> str:
    return "[" + ", ".join(scalar(name) for name in names) + "]"


def _group(pipeline: Pipeline) -> str:
    """A pull request's newer run takes the place of the older; elsewhere each run stands alone, jobs queue.

    Named after the pipeline: for GitHub a workflow that is called has the name of its caller.
    """
    return f"stellwerk-{pipeline.name}-${{{{ " + ("github.ref" if pipeline.on.pull_request else "github.run_id") + " }}"


def _triggers(pipeline: Pipeline, workflows: Workflows) -> list[tuple[str, list[str]]]:
    on: Triggers = pipeline.on
    escaped = re.sub(r"([*+?!])", r"\\\1", workflows.branch)  # a branch's name is a pattern there
    branches = f"branches: [{scalar(escaped)}]"
    found: list[tuple[str, list[str]]] = []
    if on.pull_request:
        found.append(("pull_request", [branches]))
    if on.push:
        found.append(("push", [branches]))
    if on.crons:
        found.append(("schedule", [f"- cron: {json.dumps(cron)}" for cron in on.crons]))
    if on.message is not None:
        found.append(("repository_dispatch", [f"types: [{scalar(on.message)}]"]))
    if on.called:
        secrets = _wanted(pipeline, workflows)
        found.append(
            ("workflow_call", ["secrets:", *(f"  {name}: {{required: false}}" for name in secrets)] if secrets else [])
        )
    if on.manual:
        lines = []
        for name, about in on.inputs:
            lines += [f"  {name}:", f"    description: {scalar(about)}", "    required: false", "    type: string"]
        found.append(("workflow_dispatch", ["inputs:", *lines] if lines else []))
    return found


def _wanted(pipeline: Pipeline, workflows: Workflows) -> list[str]:
    names = {name for job in pipeline.jobs for name in job.secrets}
    return sorted(names | ({workflows.app.key} if workflows.identity == "github-app" else set()))


def _job(job: Job, workflows: Workflows) -> dict[str, object]:
    app = workflows.identity == "github-app" and job.calls is None and bool(_app_rights(job))
    outputs = [
        (name, f"steps.{_id(step)}.outputs.{name}")
        for step in job.steps
        if isinstance(step, Run)
        for name in step.outputs
    ]
    secrets: list[tuple[str, str]] = []
    if job.calls is not None:
        names = set(job.secrets) | ({workflows.app.key} if workflows.identity == "github-app" else set())
        secrets = [(name, f"secrets.{name}") for name in sorted(names)]
    title = text_value(job.title) + ("" if job.matrix is None else ": ${{ matrix.title }}")
    return {
        "id": job.id,
        "why": job.why,
        "title": title,
        "needs": job.needs,
        "condition": _condition(job),
        "permissions": _permissions(job, app=app),
        "calls": f"$/.github/workflows/{job.calls}.yml" if job.calls else None,
        "secrets": secrets,
        "runner": _runner(job, workflows),
        "environment": text_value(job.environment) if job.environment else None,
        "lock": text_value(job.lock) if job.lock else None,
        "minutes": job.minutes,
        "env": _author(job, workflows),
        "matrix": _list_of(job.matrix) if job.matrix else None,
        "outputs": outputs,
        "steps": [
            *_app_token(job, workflows, app=app),
            *(part for step in job.steps for part in _steps(step, workflows, app=app)),
        ],
    }


def _permissions(job: Job, *, app: bool) -> list[tuple[str, str, str]]:
    """The least that the job needs; where an app acts, its own token has the rights to write."""
    rights = job.rights
    if app:
        rights = (Right.READ, *(right for right in rights if right is Right.IDENTITY))
    found = {PERMISSIONS[right][0]: PERMISSIONS[right] for right in rights}
    return [found[key] for key in sorted(found)]


def _app_rights(job: Job) -> tuple[tuple[str, str], ...]:
    writes = (Right.PUSH, Right.PULL_REQUESTS, Right.ISSUES)
    return tuple(PERMISSIONS[right][:2] for right in writes if right in job.rights)


def _app_token(job: Job, workflows: Workflows, *, app: bool) -> list[_Step]:
    if not app:
        return []
    rights = _app_rights(job)
    if "contents" not in dict(rights):
        rights = (("contents", "read"), *rights)
    settings: list[tuple[str, _Setting]] = [
        ("app-id", _Expression(text=f"vars.{workflows.app.id}")),
        ("private-key", _Expression(text=f"secrets.{workflows.app.key}")),
        *((f"permission-{name}", right) for name, right in rights),
    ]
    action = pinned("actions/create-github-app-token", workflows.actions)
    return [_Step(name="Act as the app", id=APP, uses=action, settings=tuple(settings))]


def _condition(job: Job) -> str:
    parts = []
    if job.when is When.PLANNED:
        parts += ["!cancelled()", f"needs.{job.needs[0]}.result == 'success'"]
    if job.when is When.FINISHED:
        parts.append("!cancelled()")
    if job.when is When.ALWAYS:
        parts.append("always()")
    if job.own_branches:
        parts.append("github.event.pull_request.head.repo.full_name == github.repository")
    match job.condition:
        case Listed(job=name, output=output, name=entry):
            parts.append(f"contains(fromJSON(needs.{name}.outputs.{output}), {literal(entry)})")
        case Busy(job=name, outputs=outputs):
            parts.append("(" + " || ".join(f"needs.{name}.outputs.{key} != '{none}'" for key, none in outputs) + ")")
        case None:
            pass
    if job.matrix is not None:
        whole = _list_of(job.matrix)
        parts.append(f"{whole} != null" if job.matrix.key is not None else f"{whole}[0] != null")
    return " && ".join(parts)


def _list_of(matrix: Matrix) -> str:
    whole = f"fromJSON(needs.{matrix.job}.outputs.{matrix.output})"
    return whole if matrix.key is None else f"{whole}[{literal(matrix.key or '.')}]"


def _runner(job: Job, workflows: Workflows) -> str:
    labels = job.runner or workflows.runner
    listed = _names(tuple(text_value(label) for label in labels)) if len(labels) > 1 else scalar(text_value(labels[0]))
    if job.trusted or all(HOSTED.fullmatch(label) for label in labels):
        return listed
    inside = json.dumps(list(labels))
    for char in "'{}$":
        inside = inside.replace(char, f"\\u{ord(char):04x}")
    return _expression(f"github.event.pull_request.head.repo.fork && '{FALLBACK}' || fromJSON('{inside}')")


def _id(step: Run) -> str:
    return "-".join(step.outputs)


def _steps(step: Step, workflows: Workflows, *, app: bool) -> list[_Step]:
    match step:
        case Checkout():
            return [_checkout(step, workflows, app=app)]
        case Install(source=source):
            return _install(source, workflows)
        case Run():
            lines = step.command.rstrip("\n").split("\n")
            if step.outputs:
                lines[-1] += ' >> "$GITHUB_OUTPUT"'
            env = [(name, _given(value, app=app)) for name, value in step.env]
            return [_Step(name=step.name, id=_id(step), always=step.always, env=tuple(env), lines=tuple(lines))]
        case Keep(artifact=artifact, path=path, entry=entry):
            name = _Expression(text=f"format('{artifact}{{0}}', matrix.{entry})") if entry else artifact
            settings = (("name", name), ("path", path), ("if-no-files-found", "ignore"), ("retention-days", 5))
            action = pinned("actions/upload-artifact", workflows.actions)
            return [_Step(name="Keep what was found", always=True, uses=action, settings=settings)]
        case Fetch(artifact=artifact, path=path):
            action = pinned("actions/download-artifact", workflows.actions)
            found = (("pattern", f"{artifact}*"), ("path", path))
            return [_Step(name="Fetch what was found", uses=action, settings=found)]


def _checkout(step: Checkout, workflows: Workflows, *, app: bool) -> _Step:
    settings: list[tuple[str, _Setting]] = []
    if step.base:
        settings.append(("ref", _Expression(text=FACTS[Fact.BASE])))
    elif step.ref:
        settings.append(("ref", step.ref))
    if step.path:
        settings.append(("path", step.path))
    settings += [("fetch-depth", 0), ("persist-credentials", step.push)]
    if step.push and app:
        settings.append(("token", _Expression(text=f"steps.{APP}.outputs.token")))
    action = pinned("actions/checkout", workflows.actions)
    name = "Check out the base" if step.base else f"Check out {step.ref}" if step.ref else "Check out"
    return _Step(name=text_value(name), uses=action, settings=tuple(settings))


def _install(source: str, workflows: Workflows) -> list[_Step]:
    install = workflows.install
    version = (("python-version", workflows.python),)
    python = _Step(name="Set up Python", uses=pinned("actions/setup-python", workflows.actions), settings=version)
    env: list[tuple[str, str | _Expression]] = []
    if install.method == "checkout":
        lines: tuple[str, ...] = ("python -m pip install --quiet --constraint constraints.txt '.[github]'",)
    else:
        folder = f"{source}/" if source else ""
        env.append(("REQUIREMENTS", f"{folder}{install.requirements}"))
        lines = install_command(install.method)
        if install.method == "wheels":
            env.append(("PIP_FIND_LINKS", f"{folder}{install.wheels}"))
        elif install.index is not None:
            env.append(("PIP_INDEX_URL", install.index))
    return [python, _Step(name="Install Stellwerk", env=tuple(env), lines=lines)]


def _author(job: Job, workflows: Workflows) -> list[tuple[str, str]]:
    if Right.PUSH not in job.rights:
        return []
    name, _, address = (workflows.author or BOT).partition(" <")
    address = address.rstrip(">")
    return [
        ("GIT_AUTHOR_NAME", name),
        ("GIT_AUTHOR_EMAIL", address),
        ("GIT_COMMITTER_NAME", name),
        ("GIT_COMMITTER_EMAIL", address),
    ]


def _given(value: Value, *, app: bool) -> str | _Expression:
    match value:
        case Fact.TOKEN:
            return _Expression(text=f"steps.{APP}.outputs.token" if app else "github.token")
        case Fact():
            return _Expression(text=FACTS[value])
        case Entry(key=key):
            return _Expression(text=f"matrix.{key}")
        case Secret(name=name):
            return _Expression(text=f"secrets.{name}")
        case _:
            return value
