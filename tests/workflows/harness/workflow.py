"""A workflow file as data, decoded by GitHub's rules: YAML 1.2, no unknown keys, contexts only where GitHub has them.

Values that may hold expressions keep their text. What GitHub refuses before a run starts is a WorkflowError.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from .availability import check_contexts

EVENTS = frozenset(("push", "pull_request", "schedule", "workflow_dispatch", "repository_dispatch", "workflow_call"))
_ID = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_WORKFLOW = frozenset(("name", "run-name", "on", "permissions", "env", "defaults", "concurrency", "jobs"))
_CALL = frozenset(("name", "uses", "with", "secrets", "needs", "if", "permissions", "concurrency", "strategy"))
_JOB = frozenset(
    [
        "name",
        "permissions",
        "needs",
        "if",
        "runs-on",
        "environment",
        "concurrency",
        "outputs",
        "env",
        "defaults",
        "steps",
        "timeout-minutes",
        "strategy",
        "continue-on-error",
        "container",
        "services",
    ]
)
_STEP = frozenset(("id", "if", "name", "uses", "run", "with", "env", "shell", "working-directory")) | {
    "continue-on-error",
    "timeout-minutes",
}


class WorkflowError(Exception):
    """A workflow that GitHub would not start; it says where."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """`place` is what messages call it; `given` its keys as they were written."""

    index: int
    id: str
    place: str
    given: Mapping[str, Any]

    @property
    def label(self) -> str:
        """What GitHub shows where the step has no name."""
        if "uses" in self.given:
            return f"Run {self.given['uses']}"
        lines = str(self.given["run"]).strip().splitlines()
        return f"Run {lines[0] if lines else ''}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    id: str
    needs: tuple[str, ...]
    steps: tuple[Step, ...]
    given: Mapping[str, Any]

    @property
    def calls(self) -> str | None:
        """The path of the workflow that this job calls."""
        return self.given.get("uses")


@dataclass(frozen=True, slots=True, kw_only=True)
class Workflow:
    path: str
    on: Mapping[str, Any]
    jobs: tuple[Job, ...]
    given: Mapping[str, Any]

    @property
    def name(self) -> str:
        return str(self.given.get("name") or self.path)


class _Loader(yaml.SafeLoader):
    """YAML 1.2's core schema: `on` and `no` are text; a key twice is an error."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        if doubled := {key for key in keys if keys.count(key) > 1}:
            raise WorkflowError(f"{node.start_mark}: defined twice: {sorted(map(str, doubled))}")
        return super().construct_mapping(node, deep)


for _tag, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9]+|0x[0-9a-fA-F]+", list("-+0123456789")),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", list("-+.0123456789")),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"(?:{_pattern})$"), _first)
_Loader.add_constructor("tag:yaml.org,2002:int", lambda loader, node: int(node.value, 16 if "x" in node.value else 10))
_Loader.add_constructor("tag:yaml.org,2002:float", lambda loader, node: float(node.value))


def read_yaml(text: str, path: str) -> dict[str, Any]:
    """One YAML file whose top is a map."""
    try:
        given = yaml.load(text, _Loader)  # a safe loader
    except yaml.YAMLError as error:
        raise WorkflowError(f"{path}: {error}") from error
    if not isinstance(given, dict):
        raise WorkflowError(f"{path}: the top of the file is no map")
    return given


def load_workflow(text: str, path: str) -> Workflow:
    """Decode and check one file of `.github/workflows`."""
    given = read_yaml(text, path)
    _only(given, _WORKFLOW, path)
    if not given.get("jobs") or "on" not in given:
        raise WorkflowError(f"{path}: `on` and `jobs` are required")
    on = _events(given["on"])
    jobs = tuple(_job(name, job, f"{path}: jobs.{name}") for name, job in given["jobs"].items())
    _check_needs(jobs, path)
    check_contexts(given, path, refuse=WorkflowError)
    return Workflow(path=path, on=on, jobs=jobs, given=given)


def load_steps(given: list[Any], place: str) -> tuple[Step, ...]:
    """The steps of a job or of a composite action."""
    steps = []
    for index, step in enumerate(given):
        where = f"{place}.steps[{index}]"
        _only(step, _STEP, where)
        if ("run" in step) == ("uses" in step):
            raise WorkflowError(f"{where}: a step has either `run` or `uses`")
        if extra := set(step) & ({"with"} if "run" in step else {"shell", "working-directory"}):
            raise WorkflowError(f"{where}: unexpected {sorted(extra)}")
        steps.append(Step(index=index, id=str(step.get("id") or f"__{index}"), place=where, given=step))
    ids = [step.id for step in steps]
    if doubled := {name for name in ids if ids.count(name) > 1}:
        raise WorkflowError(f"{place}: the step id {sorted(doubled)} is used twice")
    return tuple(steps)


def _job(name: Any, given: Any, place: str) -> Job:
    if not isinstance(name, str) or not _ID.fullmatch(name):
        raise WorkflowError(f"{place}: not a name of a job")
    if not isinstance(given, dict):
        raise WorkflowError(f"{place}: a job is a map")
    _only(given, _CALL if "uses" in given else _JOB, place)
    for unsupported in ("container", "services"):
        if unsupported in given:
            raise WorkflowError(f"{place}: `{unsupported}` is not simulated")
    needs = given.get("needs") or []
    if "uses" in given:
        if not str(given["uses"]).startswith(("./.github/workflows/", "$/.github/workflows/")):
            raise WorkflowError(f"{place}: only local workflows are simulated: {given['uses']}")
        steps: tuple[Step, ...] = ()
    else:
        if not given.get("steps") or not given.get("runs-on"):
            raise WorkflowError(f"{place}: `runs-on` and `steps` are required")
        steps = load_steps(given["steps"], place)
    return Job(id=name, needs=(needs,) if isinstance(needs, str) else tuple(needs), steps=steps, given=given)


def _events(on: Any) -> dict[str, Any]:
    events = dict.fromkeys([on] if isinstance(on, str) else on) if not isinstance(on, dict) else dict(on)
    return {str(name): value for name, value in events.items()}


def _check_needs(jobs: tuple[Job, ...], path: str) -> None:
    waiting = {job.id: set(job.needs) for job in jobs}
    for name, needs in waiting.items():
        if unknown := needs - set(waiting):
            raise WorkflowError(f"{path}: jobs.{name} needs {sorted(unknown)}, which does not exist")
    while waiting:
        free = {name for name, needs in waiting.items() if not needs & set(waiting)}
        if not free:
            raise WorkflowError(f"{path}: these jobs need each other: {sorted(waiting)}")
        waiting = {name: needs for name, needs in waiting.items() if name not in free}


def _only(given: Any, known: frozenset[str], place: str) -> None:
    if not isinstance(given, dict):
        raise WorkflowError(f"{place}: a map is expected")
    if unknown := [str(key) for key in given if key not in known]:
        raise WorkflowError(f"{place}: unexpected {unknown}")
