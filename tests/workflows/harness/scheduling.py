"""Which job of a run may begin, waits, is skipped or is over. Called with the forge's lock held; never waits itself."""

from __future__ import annotations

import fnmatch
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .events import Event
from .expressions import Scope, condition, resolve
from .grammar import ExpressionError
from .groups import GroupError, Holder
from .leg import Leg, Node
from .matrix import MatrixError, expand, label
from .plan import Frame, called_frame, declaration
from .results import JobResult
from .values import as_text, truthy
from .workflow import Workflow, WorkflowError
from .workplace import Kill

if TYPE_CHECKING:
    from .github import GitHub

MISTAKES = (ExpressionError, GroupError, MatrixError, WorkflowError)  # of the workflow file, not of the harness


class Scheduler:
    """The jobs of one run, those of called workflows included. `holder` is the run in its concurrency group."""

    def __init__(self, github: GitHub, event: Event, kill: Kill | None, holder: Holder) -> None:
        self.github = github
        self.event = event
        self.kill = kill
        self.holder = holder
        self.cancelled = False
        self.contexts: dict[str, Any] = {}
        self.nodes: list[Node] = []
        self._top: Frame | None = None

    def legs(self) -> list[Leg]:
        return [leg for node in self.nodes for leg in node.legs]

    def load(self, path: str) -> Workflow:
        """Another workflow of the run's commit."""
        return self.github.workflow(self.event.sha, path[2:])  # after `./` or `$/`

    def open_top(self, frame: Frame) -> None:
        """Begin with the workflow that was started."""
        self._top = frame
        self._ask(self.holder, frame.workflow.given.get("concurrency"), self._scope(frame))
        self._open(frame)

    def over(self) -> bool:
        return bool(self.nodes) and all(node.done for node in self.nodes)

    def working(self) -> bool:
        return any(leg.state == "working" and leg.child is None for leg in self.legs())

    def conclude(self) -> str:
        """The conclusion of the run."""
        results = {node.result for node in (self._top.nodes.values() if self._top else ())}
        if "failure" in results:
            return "failure"
        if "cancelled" in results or self.cancelled:
            return "cancelled"
        return "success" if "success" in results else "skipped"

    def advance(self) -> bool:
        """One pass over all jobs; whether something moved."""
        if self._queued and not self.cancelled:
            return False
        moved = False
        for node in [node for node in self.nodes if not node.done]:
            if not node.legs and node.ready:
                self._decide(node)
                moved = True
            for leg in node.legs:
                moved = self._move(leg) or moved
            if node.legs and all(leg.state == "done" for leg in node.legs):
                node.finish()
                moved = True
        return moved

    def review(self, environment: str, by: str, *, approved: bool) -> None:
        """A reviewer's word on the jobs that wait for an environment."""
        for leg in self.legs():
            if leg.state != "approving" or leg.result.environment != environment:
                continue
            assert not by or by in leg.reviewers, f"{by} is no reviewer of {environment}: {leg.reviewers}"
            leg.reviewers = ()
            if not approved:
                leg.result.errors.append(f"The deployment to {environment} was rejected by {by or 'a reviewer'}.")
                self._end(leg, "failure")

    def dismiss(self, why: str) -> None:
        """Cancel what is there, except jobs whose condition still holds."""
        self.cancelled = True
        for node in self.nodes:
            if node.legs and not node.done and not condition(node.job.given.get("if"), self._scope(node.frame, node)):
                for leg in node.legs:
                    self._dismiss_leg(leg, why)

    @property
    def _queued(self) -> bool:
        """Whether the run itself waits for its concurrency group."""
        return bool(self.holder.group) and not self.holder.holds

    def _open(self, frame: Frame) -> None:
        for job in frame.workflow.jobs:
            node = Node(frame=frame, job=job)
            frame.nodes[job.id] = node
            self.nodes.append(node)

    def _decide(self, node: Node) -> None:
        """Skip the job, or make its legs."""
        scope = self._scope(node.frame, node)
        try:
            if self._queued:
                self._skip(node, "cancelled")  # superseded before it began
            elif not condition(node.job.given.get("if"), scope):
                self._skip(node, "skipped")
            else:
                self._make_legs(node, scope)
        except MISTAKES as error:
            self._skip(node, "failure", str(error))

    def _make_legs(self, node: Node, scope: Scope) -> None:
        given, prefix = node.job.given, node.frame.prefix
        strategy = given.get("strategy") or {}
        matrix = resolve(strategy.get("matrix"), scope)
        values = expand(matrix) if matrix is not None else [{}]
        node.fail_fast = truthy(resolve(strategy.get("fail-fast", True), scope))
        node.at_once = int(float(as_text(resolve(strategy.get("max-parallel"), scope)) or 0)) or len(values)
        names_matrix = "matrix." in as_text(given.get("name"))
        for index, one in enumerate(values):
            about = {
                "fail-fast": node.fail_fast,
                "job-index": index,
                "job-total": len(values),
                "max-parallel": node.at_once,
            }
            leg_scope = scope.with_contexts(matrix=one, strategy=about)
            name = as_text(resolve(given.get("name"), leg_scope)) or node.job.id
            shown = prefix + name + ("" if names_matrix else label(one))
            result = JobResult(id=prefix + node.job.id, name=shown, matrix=one)
            node.legs.append(Leg(node=node, result=result, scope=leg_scope))

    def _skip(self, node: Node, conclusion: str, *errors: str) -> None:
        name, shown = node.frame.prefix + node.job.id, node.job.given.get("name")
        text = node.frame.prefix + shown if isinstance(shown, str) and "${{" not in shown else name
        result = JobResult(id=name, name=text, status="completed", conclusion=conclusion, errors=list(errors))
        node.legs.append(Leg(node=node, result=result, scope=Scope({}), state="done"))

    def _move(self, leg: Leg) -> bool:
        """Bring one leg a step further, as far as it can go now; whether it moved."""
        before = leg.state
        try:
            match leg.state:
                case "new" | "grouping" | "approving" | "ready" if leg.dismissed:
                    self._end(leg, "cancelled")
                case "new" if sum(other.state not in {"new", "done"} for other in leg.node.legs) < leg.node.at_once:
                    self._prepare(leg)
                case "grouping" if not leg.holder.group or leg.holder.holds:
                    self._pass_gate(leg)
                case "approving" if not leg.reviewers:
                    self._pass_gate(leg)
                case "ready":
                    self._work(leg)
                case "working" if leg.child is not None and all(node.done for node in leg.child.nodes.values()):
                    self._end(leg, leg.call_result(self._scope(leg.child), declaration(leg.child.workflow)))
        except MISTAKES as error:
            leg.result.errors.append(str(error))
            self._end(leg, "cancelled" if isinstance(error, GroupError) else "failure")
        return leg.state != before

    def _prepare(self, leg: Leg) -> None:
        repository, job = self.github.repository, leg.node.job
        leg.prepare(repository, self.event)
        leg.holder.name = leg.result.name
        leg.holder.dismiss = lambda why: self._dismiss_leg(leg, why)
        leg.holder.within = self._within(leg.node.frame)
        if job.calls:
            scope = leg.scope.with_contexts(secrets=leg.node.frame.secrets)
            leg.child = called_frame(leg.node.frame, job, self.load(job.calls), scope, leg.permissions)
        leg.gates = ["grouping", "approving"]
        if not repository.settings.approval_holds_group:
            leg.gates.reverse()
        self._pass_gate(leg)

    def _pass_gate(self, leg: Leg) -> None:
        """Stand before the next gate, or be ready."""
        leg.state = leg.gates.pop(0) if leg.gates else "ready"
        if leg.state == "grouping":
            self._ask(leg.holder, leg.node.job.given.get("concurrency"), leg.scope)
            asked = leg.child.workflow.given.get("concurrency") if leg.child else None
            if leg.child is not None and asked is not None:
                if leg.holder.group:
                    raise WorkflowError(f"{leg.result.name}: two concurrency groups of one job are not simulated")
                self._ask(leg.holder, asked, self._scope(leg.child))
        leg.result.status = "waiting" if leg.state == "approving" and leg.reviewers else "queued"

    def _work(self, leg: Leg) -> None:
        """Open the called workflow, or give the job to a runner if one is free."""
        if leg.child is not None:
            leg.state = "working"
            self._open(leg.child)
            return
        busy = sum(other.state == "working" and other.child is None for other in self.legs())
        if busy < self.github.machine.workers:
            leg.begin(self.github, self.event, self._kill_for(leg))
            threading.Thread(target=self._carry_out, args=(leg,), name=leg.result.name, daemon=True).start()

    def _carry_out(self, leg: Leg) -> None:
        try:
            leg.carry_out()
        except BaseException as error:
            self.github.faults.append(f"{leg.result.name}: {error!r}")
            leg.result.conclusion = "failure"
            raise
        finally:
            with self.github.changed:
                self._end(leg, str(leg.result.conclusion))

    def _end(self, leg: Leg, conclusion: str) -> None:
        """A leg is over: its group is free, and a failed one takes the others of its matrix along."""
        leg.end(conclusion)
        self.github.groups.leave(leg.holder)
        self.github.stir()
        if leg.failed and leg.node.fail_fast:
            for other in leg.node.legs:
                self._dismiss_leg(other, f'The strategy configuration was canceled because "{leg.result.name}" failed')

    def _dismiss_leg(self, leg: Leg, why: str) -> None:
        if leg.state == "done" or leg.dismissed:
            return
        leg.dismissed = True
        leg.result.errors.append(why)
        for node in leg.child.nodes.values() if leg.child else ():
            for inner in node.legs:
                self._dismiss_leg(inner, why)
        if leg.work is not None:
            threading.Thread(target=leg.work.place.cancel, daemon=True).start()

    def _kill_for(self, leg: Leg) -> Kill | None:
        kill = self.kill
        if kill is None or not any(fnmatch.fnmatchcase(name, kill.job) for name in (leg.result.id, leg.result.name)):
            return None
        self.kill = None
        return kill

    def _ask(self, holder: Holder, asked: Any, scope: Scope) -> None:
        """Ask for a concurrency group, if there is one; groups without a name are none."""
        given = resolve(asked, scope)
        if given is None or given == "":
            return
        given = given if isinstance(given, Mapping) else {"group": given}
        cancels = as_text(given.get("cancel-in-progress")) == "true"
        self.github.groups.ask(holder, as_text(given.get("group")), cancel_in_progress=cancels)
        self.github.stir()

    def _within(self, frame: Frame) -> tuple[Holder, ...]:
        """What a job of this frame is a part of: the run, and the jobs that call."""
        callers = [leg for leg in self.legs() if leg.child is frame]
        above = [holder for leg in callers for holder in self._within(leg.node.frame)]
        return (self.holder, *(leg.holder for leg in callers), *above)

    def _scope(self, frame: Frame, node: Node | None = None) -> Scope:
        """What the keys of a job, or of the workflow, may name. The file was checked for where it names what."""
        needs = {name: frame.nodes[name].context() for name in (node.job.needs if node else ())}
        finished = {name: item.context() for name, item in frame.nodes.items() if item.done}
        contexts = {**self.contexts, "inputs": frame.inputs, "needs": needs, "jobs": finished}
        above = node.ancestors() if node else []
        functions = {
            "always": lambda: True,
            "cancelled": lambda: self.cancelled,
            "failure": lambda: not self.cancelled and any(item.result == "failure" for item in above),
            "success": lambda: not self.cancelled and all(item.result == "success" for item in above),
        }
        return Scope({**contexts, "matrix": None, "strategy": {}}, functions)
