"""One run of a workflow. It is driven by a thread of its own; everything but the jobs' work happens under the forge's lock.

A run *rests* when no job works and nothing can go on without an approval, a concurrency group or a cancel.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from .events import Event, typed_inputs
from .groups import Holder
from .machine import github_context
from .plan import Frame, check_calls
from .results import JobResult, RunResult
from .scheduling import MISTAKES, Scheduler
from .workplace import Kill

if TYPE_CHECKING:
    from .github import GitHub


class Run(RunResult):
    """Started by the forge. A test waits for it, approves, rejects or cancels."""

    def __init__(self, github: GitHub, *, number: int, path: str, event: Event, kill: Kill | None) -> None:
        self.github = github
        self.number = number
        self.workflow = path
        self.event = event.name
        self.given_event = event
        self.conclusion = None
        self.errors = []
        self.resting = False
        self.holder = Holder(name=path, dismiss=self._dismiss)
        self.scheduler = Scheduler(github, event, kill, self.holder)

    @property
    def jobs(self) -> list[JobResult]:  # type: ignore[override]
        """The jobs that are known so far; a job that calls a workflow is not among them, its jobs are."""
        return [leg.result for leg in self.scheduler.legs() if leg.child is None]

    @property
    def waiting_for(self) -> list[str]:
        """The environments whose approval jobs wait for."""
        return [leg.result.environment for leg in self.scheduler.legs() if leg.state == "approving"]

    def approve(self, environment: str, *, by: str = "") -> None:
        """A reviewer lets the jobs go on that wait for an environment. Then: `github.rest()`."""
        with self.github.changed:
            self._waiting(environment)
            self.scheduler.review(environment, by, approved=True)
            self.github.stir()

    def reject(self, environment: str, *, by: str = "") -> None:
        """A reviewer says no: the jobs fail."""
        with self.github.changed:
            self._waiting(environment)
            self.scheduler.review(environment, by, approved=False)
            self.github.stir()

    def cancel(self, why: str = "The run was canceled.") -> None:
        """As the button on GitHub: jobs whose condition does not hold any more end, `always()` goes on."""
        with self.github.changed:
            self._dismiss(why)
            self.github.stir()

    def begin(self) -> None:
        """Start. When this returns its first jobs stand in their concurrency groups: runs queue in the order of events."""
        if self._attempt(self._start):
            threading.Thread(target=self._attempt, args=(self._go_on,), name=f"run-{self.number}", daemon=True).start()

    def _attempt(self, act: Callable[[], None]) -> bool:
        """Do one part of the run; whether the run goes on."""
        with self.github.changed:
            try:
                act()
            except MISTAKES as error:
                self.errors.append(str(error))
                self.conclusion = "startup_failure"
            except BaseException as error:  # a fault of the harness must not leave a test waiting
                self.github.faults.append(f"{self.workflow}: {error!r}")
                self.conclusion = "failure"
                raise
            finally:
                if self.conclusion is not None:
                    self.github.groups.leave(self.holder)
                    self.github.stir()
        return self.conclusion is None

    def _go_on(self) -> None:
        while not self.scheduler.over():
            if self.scheduler.advance():
                continue
            if not self.scheduler.working() and not self.resting:
                self.resting = True
                self.github.changed.notify_all()
            self.github.changed.wait()
        self.conclusion = self.scheduler.conclude()

    def _start(self) -> None:
        github, event = self.github, self.given_event
        settings = github.repository.settings
        workflow = github.workflow(event.sha, self.workflow)
        check_calls(workflow, self.scheduler.load, default=settings.default_permissions)
        declared = (workflow.on.get(event.name) or {}).get("inputs") if event.name == "workflow_dispatch" else None
        self.scheduler.contexts = {
            "github": github_context(github.repository, event, workflow, number=self.number, machine=github.machine),
            "vars": {} if event.from_fork else dict(settings.variables),
        }
        top = Frame(
            workflow=workflow,
            inputs=typed_inputs(event.inputs, declared, workflow.path),
            secrets={} if event.from_fork else dict(settings.secrets),
        )
        self.scheduler.open_top(top)
        while self.scheduler.advance():
            pass

    def _dismiss(self, why: str) -> None:
        self.errors.append(why)
        self.scheduler.dismiss(why)

    def _waiting(self, environment: str) -> None:
        assert environment in self.waiting_for, f"no job waits for {environment}\n{self.render()}"
