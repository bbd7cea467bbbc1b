"""The forge: a repository, its runs, and the events that start them. What a test drives a story with."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from . import events
from .events import Event
from .groups import Groups
from .machine import Machine
from .repository import BOT, PullRequest, Repository, Settings
from .run import Run
from .workflow import Workflow, WorkflowError, load_workflow
from .workplace import Kill

PATIENCE = 600.0  # seconds that a test waits for runs


class GitHub:
    """`start...` returns at once; the others return when every run is over or rests (waits for an approval).

    Runs work in threads, so that several of them, and jobs of one (`Machine.workers`), run at the same time.
    """

    def __init__(
        self, folder: Path, *, machine: Machine, name: str = "acme/shoes", settings: Settings | None = None
    ) -> None:
        self.folder = folder
        self.machine = machine
        self.repository = Repository(folder, name, settings or Settings())
        self.changed = threading.Condition(threading.RLock())
        self.groups = Groups()
        self.runs: list[Run] = []
        self.faults: list[str] = []  # of the harness itself
        self._activities: list[tuple[PullRequest, str, str]] = []
        self._workflows: dict[tuple[str, str], Workflow] = {}

    def clone(self, person: str = "ada", *, name: str = "") -> Path:
        """A person's clone; what they push there is theirs."""
        return self.repository.clone(self.folder / (name or person), person)

    def settle(self, *, kill: Kill | None = None) -> list[Run]:
        """Start what pushes and pull requests since the last call start, and what comes of that, until all rests."""
        started: list[Run] = []
        while found := self.start_pending(kill=None if started else kill):
            started += found
            self.rest()
        return started

    def start_pending(self, *, kill: Kill | None = None) -> list[Run]:
        """The runs of what was pushed and of what happened to pull requests since the last call."""
        pending: list[Event] = []
        for record in self.repository.pushes():
            pending += self._pushed(record)
        with self.changed:
            activities, self._activities = self._activities, []
        for request, action, by in activities:
            event = events.pull_request(self.repository, request, action, actor=by)
            if event is not None:
                pending.append(event)
        return [run for event in pending for run in self.start(event, kill=kill)]

    def deliver(self, event: Event, *, kill: Kill | None = None) -> list[Run]:
        """Let one event happen and wait."""
        runs = self.start(event, kill=kill)
        self.rest()
        return runs

    def dispatch(
        self, workflow: str, inputs: Mapping[str, Any] | None = None, *, actor: str = "ada", kill: Kill | None = None
    ) -> Run:
        """Run one workflow by hand."""
        event = events.workflow_dispatch(self.repository, workflow, inputs, actor=actor)
        runs = self.deliver(event, kill=kill)
        assert len(runs) == 1, f"{workflow} has no workflow_dispatch: started {runs}"
        return runs[0]

    def repository_dispatch(self, kind: str, client_payload: Mapping[str, Any] | None = None) -> list[Run]:
        return self.deliver(events.repository_dispatch(self.repository, kind, client_payload))

    def schedule(self, cron: str = "") -> list[Run]:
        """The hour of a cron line, or of all."""
        return self.deliver(events.schedule(self.repository, cron))

    def start(self, event: Event, *, kill: Kill | None = None) -> list[Run]:
        """Start every workflow of the event's commit that the event starts."""
        started = []
        with self.changed:
            for path in self.repository.workflow_files(event.sha):
                try:
                    wanted = events.starts(event, self.workflow(event.sha, path))
                except WorkflowError:
                    wanted = event.name in {"push", "pull_request"}  # GitHub shows such a file as a failed run
                if wanted:
                    run = Run(self, number=len(self.runs) + 1, path=path, event=event, kill=kill)
                    self.runs.append(run)
                    started.append(run)
            for run in started:
                run.begin()
        return started

    def rest(self, *, seconds: float = PATIENCE) -> None:
        """Wait until every run is over or cannot go on without a person."""
        deadline = time.monotonic() + seconds
        with self.changed:
            while moving := [run for run in self.runs if run.conclusion is None and not run.resting]:
                left = deadline - time.monotonic()
                assert left > 0, f"still going on after {seconds} seconds:\n{moving}"
                self.changed.wait(left)
            assert not self.faults, self.faults

    def stir(self) -> None:
        """Tell all runs that something changed; with the lock held."""
        for run in self.runs:
            run.resting = False
        self.changed.notify_all()

    def workflow(self, commit: str, path: str) -> Workflow:
        """A workflow file of a commit."""
        key = (self.repository.git("rev-parse", f"{commit}:{path}", check=False), path)
        if not key[0] or ":" in key[0]:
            raise WorkflowError(f"{path} does not exist in {commit}")
        if key not in self._workflows:
            self._workflows[key] = load_workflow(self.repository.read(commit, path), path)
        return self._workflows[key]

    def open_pull_request(
        self,
        head: str,
        *,
        title: str = "",
        base: str = "",
        body: str = "",
        author: str = "ada",
        fork: Path | None = None,
        number: int = 0,
    ) -> PullRequest:
        """A pull request from a branch of this repository or, with `fork`, of that clone. Its events wait for `settle`."""
        base = base or self.repository.settings.default_branch
        number = number or len(self.repository.pull_requests) + 1
        name = f"{author}/{self.repository.name.partition('/')[2]}" if fork else ""
        request = PullRequest(
            number=number, title=title or head, body=body, author=author, head=head, base=base, fork=name
        )
        self.update_head(request, fork=fork)
        with self.changed:
            self.repository.pull_requests[number] = request
            self._happened(request, "opened", author)
        return request

    def update_head(self, request: PullRequest, *, fork: Path | None = None) -> None:
        """Take the head's newest commit; of a fork call it, and `activity`, by hand after a push there."""
        source = str(fork) if fork else str(self.repository.bare)
        self.repository.git(
            "fetch", "--quiet", "--no-tags", source, f"+refs/heads/{request.head}:refs/pull/{request.number}/head"
        )

    def activity(self, request: PullRequest, action: str, *, by: str = "ada") -> None:
        """Something else happens to a pull request: `reopened`, `labeled`, `synchronize` of a fork."""
        with self.changed:
            self._happened(request, action, by)

    def close(self, request: PullRequest, *, by: str = "ada") -> None:
        with self.changed:
            request.state = "closed"
            self._happened(request, "closed", by)

    def merge(self, request: PullRequest, *, by: str = "ada", squash: bool = False) -> str:
        """The button of a pull request: a commit on its base, which protection does not refuse. Its id."""
        base = self.repository.commit_of(f"refs/heads/{request.base}")
        head = self.repository.commit_of(f"refs/pull/{request.number}/head")
        title = (
            f"{request.title} (#{request.number})"
            if squash
            else f"Merge pull request #{request.number}\n\n{request.title}"
        )
        commit = self.repository.merge_commit(base, head, title, squash=squash)
        assert commit, f"#{request.number} conflicts with {request.base}"
        request.merged = True
        self.close(request, by=by)
        self.repository.record_push(f"refs/heads/{request.base}", commit, who=by, starts=by != BOT)
        return commit

    def _happened(self, request: PullRequest, action: str, by: str) -> None:
        if by != BOT:  # what the jobs' own token does starts nothing
            self._activities.append((replace(request), action, by))

    def _pushed(self, record: Mapping[str, Any]) -> list[Event]:
        """The events of one push: its own, and that of the pull requests from that branch."""
        if record["after"] == events.ZERO or not record["ref"].startswith(("refs/heads/", "refs/tags/")):
            return []
        found = []
        for request in self.repository.pull_requests.values():
            if request.state == "open" and not request.fork and record["ref"] == f"refs/heads/{request.head}":
                head = self.repository.commit_of(f"refs/pull/{request.number}/head")
                self.update_head(request)
                if not record["starts"] or head == self.repository.commit_of(f"refs/pull/{request.number}/head"):
                    continue
                event = events.pull_request(self.repository, request, "synchronize", actor=record["who"])
                found += [event] if event is not None else []
        return [events.push(self.repository, record), *found] if record["starts"] else []
