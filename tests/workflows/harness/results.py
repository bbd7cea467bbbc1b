"""What a run left: run -> jobs (a matrix expanded) -> steps, and a text of it that a failing test can print."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SHOWN = 10  # annotations of one kind that GitHub shows of one step
_MARK = {"success": "ok", "failure": "FAILED", "cancelled": "cancelled", "skipped": "skipped", None: "..."}


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """`level` is notice, warning or error; lines and columns are 0 where none was given."""

    level: str
    message: str
    file: str = ""
    line: int = 0
    end_line: int = 0
    column: int = 0
    end_column: int = 0
    title: str = ""


@dataclass(slots=True, kw_only=True)
class StepResult:
    """`outcome` is before `continue-on-error`, `conclusion` after it; secrets in `log` and `summary` are masked."""

    name: str
    id: str = ""
    outcome: str = "skipped"
    conclusion: str = "skipped"
    outputs: dict[str, str] = field(default_factory=dict)
    annotations: list[Annotation] = field(default_factory=list)
    summary: str = ""
    lines: list[str] = field(default_factory=list)

    @property
    def log(self) -> str:
        return "\n".join(self.lines)

    @property
    def shown_annotations(self) -> list[Annotation]:
        """The annotations that a person sees on GitHub: the first ten of each level."""
        levels = {item.level for item in self.annotations}
        first = {level: [item for item in self.annotations if item.level == level][:SHOWN] for level in levels}
        return [item for item in self.annotations if any(item is kept for kept in first[item.level])]


@dataclass(slots=True, kw_only=True)
class JobResult:
    """One job, one leg of a matrix, or a job of a called workflow (its id is then `caller / job`).

    `status`: pending, waiting (for an approval), queued (for a concurrency group or a runner), in_progress, completed.
    """

    id: str
    name: str
    matrix: dict[str, Any] = field(default_factory=dict)
    status: str = "pending"
    conclusion: str | None = None
    runs_on: Any = None
    environment: str = ""
    permissions: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    steps: list[StepResult] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    folder: Path | None = None

    def step(self, name: str) -> StepResult:
        """A step by its id or its name."""
        found = [step for step in self.steps if name in {step.id, step.name}]
        assert len(found) == 1, f"{len(found)} steps of {self.name} are {name!r}\n{self.render()}"
        return found[0]

    @property
    def log(self) -> str:
        return "\n".join(step.log for step in self.steps)

    @property
    def summary(self) -> str:
        return "\n".join(step.summary for step in self.steps if step.summary)

    @property
    def annotations(self) -> list[Annotation]:
        return [item for step in self.steps for item in step.annotations]

    def render(self, *, lines: int = 60) -> str:
        """The job for a person: the last lines of what failed."""
        where = f" [{self.environment}]" if self.environment else ""
        state = _MARK.get(self.conclusion) if self.status == "completed" else self.status
        text = [f"  {state:>9}  {self.name}{where}"]
        text += [f"             ! {error}" for error in self.errors]
        for step in self.steps:
            text.append(f"           {_MARK.get(step.outcome, step.outcome):>9}  {step.name}")
            if step.outcome in {"failure", "cancelled"}:
                text += [f"                      | {line}" for line in step.lines[-lines:]]
        return "\n".join(text)


class RunResult:
    """What is common to a run that goes on and one that is over."""

    number: int
    workflow: str
    event: str
    conclusion: str | None
    jobs: list[JobResult]
    errors: list[str]

    def job(self, name: str) -> JobResult:
        """A job by its id or its name; of a matrix the name is needed."""
        found = [job for job in self.jobs if job.name == name] or [job for job in self.jobs if job.id == name]
        assert len(found) == 1, f"{len(found)} jobs are {name!r}\n{self.render()}"
        return found[0]

    def legs(self, name: str) -> list[JobResult]:
        """All legs of a matrix, by the job's id."""
        return [job for job in self.jobs if job.id == name]

    def results(self) -> dict[str, str | None]:
        """The conclusion of every job by its name."""
        return {job.name: job.conclusion for job in self.jobs}

    def annotations(self) -> Iterator[Annotation]:
        for job in self.jobs:
            yield from job.annotations

    def render(self) -> str:
        """The run for a person."""
        head = f"run {self.number}: {self.workflow} on {self.event}: {self.conclusion or 'not over'}"
        return "\n".join([head, *(f"  ! {error}" for error in self.errors), *(job.render() for job in self.jobs)])

    def __repr__(self) -> str:
        return self.render()
