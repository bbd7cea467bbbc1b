"""A job of a workflow (a node of the `needs` graph) and its legs: one for each combination of its matrix."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .expressions import Scope, resolve
from .filters import fits
from .groups import Holder
from .job import JobWork
from .machine import slug
from .plan import Frame, for_fork, permissions_of
from .repository import BOT, Environment, Repository
from .results import JobResult
from .values import as_text, truthy
from .workflow import Job, WorkflowError
from .workplace import Assignment, Kill

if TYPE_CHECKING:
    from .events import Event
    from .github import GitHub

LONGEST_JOB = 360.0  # minutes


@dataclass(slots=True, kw_only=True, eq=False)
class Node:
    """One entry of `jobs`."""

    frame: Frame
    job: Job
    legs: list[Leg] = field(default_factory=list)
    fail_fast: bool = True
    at_once: int = 1
    done: bool = False
    result: str = ""
    outputs: dict[str, str] = field(default_factory=dict)

    @property
    def ready(self) -> bool:
        return all(self.frame.nodes[name].done for name in self.job.needs)

    def ancestors(self) -> list[Node]:
        """All jobs that this one waits for, directly or not."""
        found: dict[str, Node] = {}
        waiting = list(self.job.needs)
        while waiting:
            name = waiting.pop()
            if name not in found:
                found[name] = self.frame.nodes[name]
                waiting += found[name].job.needs
        return list(found.values())

    def context(self) -> dict[str, Any]:
        return {"result": self.result, "outputs": dict(self.outputs)}

    def finish(self) -> None:
        """Join the results of the legs."""
        results = {"success" if leg.forgiven else str(leg.result.conclusion) for leg in self.legs}
        self.result = next((one for one in ("failure", "cancelled", "success") if one in results), "skipped")
        self.done = True


@dataclass(slots=True, kw_only=True, eq=False)
class Leg:
    """`state`: new, grouping (for its concurrency group), approving, ready, working, done."""

    node: Node
    result: JobResult
    scope: Scope
    state: str = "new"
    dismissed: bool = False
    forgiven: bool = False
    gates: list[str] = field(default_factory=list)
    reviewers: tuple[str, ...] = ()
    permissions: dict[str, str] = field(default_factory=dict)
    environment: Environment = field(default_factory=Environment)
    holder: Holder = field(default_factory=lambda: Holder(name="", dismiss=lambda _: None))
    child: Frame | None = None
    work: JobWork | None = None

    @property
    def failed(self) -> bool:
        return self.result.conclusion == "failure" and not self.forgiven

    def prepare(self, repository: Repository, event: Event) -> None:
        """Evaluate what must be known before the job is queued."""
        job, frame, settings = self.node.job, self.node.frame, repository.settings
        self.permissions = permissions_of(frame.workflow, job, default=settings.default_permissions, most=frame.most)
        self.result.runs_on = resolve(job.given.get("runs-on"), self.scope)
        given = job.given.get("environment")
        name = as_text(resolve(given.get("name") if isinstance(given, Mapping) else given, self.scope))
        self.result.environment = name
        # GitHub makes an environment that does not exist, without rules.
        self.environment = settings.environments.get(name, Environment())
        branches = self.environment.branches
        if branches and not any(fits(pattern, event.ref_name) for pattern in branches):
            raise WorkflowError(
                f"{event.ref_name} is not allowed to deploy to {name} due to environment protection rules."
            )
        self.reviewers = self.environment.reviewers
        self.result.permissions = for_fork(self.permissions) if event.from_fork else dict(self.permissions)

    def begin(self, github: GitHub, event: Event, kill: Kill | None) -> None:
        """Give the job to a fresh runner."""
        job, frame, repository = self.node.job, self.node.frame, github.repository
        self.state, self.result.status = "working", "in_progress"
        token = repository.issue_token(BOT, self.result.permissions, starts=False)
        visible = frame.environment_secrets
        of_environment = {
            name: value
            for name, value in ({} if event.from_fork else self.environment.secrets).items()
            if visible is None or name.upper() in visible
        }
        of_here = {} if event.from_fork else self.environment.variables
        contexts = {
            **self.scope.contexts,
            "github": {**self.scope.contexts["github"], "job": job.id},
            "vars": {**self.scope.contexts["vars"], **of_here},
            "secrets": {**frame.secrets, **of_environment, "GITHUB_TOKEN": token.value},
        }
        defaults = [(given.get("defaults") or {}).get("run") or {} for given in (frame.workflow.given, job.given)]
        minutes = as_text(resolve(job.given.get("timeout-minutes"), self.scope))
        folder = github.folder / "runs" / contexts["github"]["run_number"]
        place = sum(1 for _ in folder.glob("*")) if folder.exists() else 0
        assignment = Assignment(
            repository=repository,
            event=event,
            machine=github.machine,
            folder=folder / f"{place:02}-{slug(self.result.name)}",
            stores=github.folder / "stores",
            contexts=contexts,
            environment=(frame.workflow.given.get("env") or {}, job.given.get("env") or {}),
            defaults={**defaults[0], **defaults[1]},
            token=token,
            minutes=float(minutes or LONGEST_JOB),
            kill=kill,
        )
        self.work = JobWork(assignment, self.result)

    def carry_out(self) -> None:
        """Work the steps; in a thread of its own."""
        assert self.work is not None
        self.work.run(self.node.job.steps, self.node.job.given.get("outputs") or {})

    def end(self, conclusion: str) -> None:
        """The leg is over; what it gave is known to the jobs that need it."""
        self.state, self.result.status, self.result.conclusion = "done", "completed", conclusion
        self.node.outputs.update(self.result.outputs)
        self.forgiven = conclusion == "failure" and truthy(
            resolve(self.node.job.given.get("continue-on-error", False), self.scope)
        )

    def call_result(self, scope: Scope, declared: Mapping[str, Any]) -> str:
        """Take the outputs of the called workflow; its conclusion."""
        assert self.child is not None
        for name, spec in (declared.get("outputs") or {}).items():
            self.result.outputs[name] = as_text(resolve(spec.get("value"), scope))
        results = {node.result for node in self.child.nodes.values()}
        return next((one for one in ("failure", "cancelled", "success") if one in results), "skipped")
