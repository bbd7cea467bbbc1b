"""Several steps at once, each in a process of its own. This process commits for them, one at a time, and plans.

A record's content follows from its own model's facts alone, so it is committed on whatever tip is there. Of a model
one step runs at a time, and only from a state that knows how the one before ended.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field
from msgspec.structs import replace

from stellwerk.adapters.crew import Asker, Crew, Said
from stellwerk.errors import PushLostError, StellwerkError
from stellwerk.model.actions import Check, Deploy, Render, Snapshot, Train
from stellwerk.reconcile.apply import apply
from stellwerk.reconcile.interlocking import Interlocking
from stellwerk.reconcile.loop import carry_out, next_batch
from stellwerk.reconcile.world import Event

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stellwerk.model.actions import Plan, Step
    from stellwerk.reconcile.loop import Run
    from stellwerk.reconcile.world import State, World

TICK = 0.125  # seconds between two looks at the clock, for a display
SHARE = 0.1  # of the time at most goes into planning while there is other work that can be started


DVC = (
    "dvc.repo",
    "dvc.repo.index",
    "dvc.rwlock",
    "dvc.utils.strictyaml",
    "dvc_data.hashfile.status",
    "dvc_data.index.checkout",
    "fsspec.implementations.memory",
    "ruamel.yaml",
    "stellwerk.adapters.dvc.trainer",
)
MEASURING = ("pandas", "stellwerk.training.evaluate")


class JobFailed(Exception):  # noqa: N818 - a bug in a job, raised here with the traceback from there
    """An unexpected exception in a job's process."""


class _Shift(Struct, kw_only=True):
    """What is going on. `ended` are the claims of steps that ended since the state was observed."""

    run: Run
    crew: Crew
    jobs: int
    state: State
    plan: Plan
    rules: Interlocking
    observed: float  # when, on the monotonic clock
    cost: float = 0.0  # of observing and planning, in seconds
    moved: bool = True  # whether something ended since it was last tried to start more
    working: dict[str, Step] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)
    lost: PushLostError | None = None
    bug: Exception | None = None

    @property
    def closing(self) -> bool:
        """Whether nothing new may be started."""
        return self.crew.stopping or self.lost is not None or self.bug is not None


def work_together(run: Run, state: State, plan: Plan, *, jobs: int) -> Plan:
    """Carry out the plan with up to `jobs` steps at once; returns what remains.

    Raises PushLostError or JobFailed after the steps at work have ended and what they did is committed;
    KeyboardInterrupt after they were interrupted and have cleaned up.
    """
    with Crew() as crew:
        rules = Interlocking(state.project)
        now = time.monotonic()
        shift = _Shift(run=run, crew=crew, jobs=jobs, state=state, plan=plan, rules=rules, observed=now)
        crew.prepare(_slow_to_import(plan))
        while True:
            while shift.moved and not shift.closing and _begin(shift):
                _look(shift)
            if crew.stopping:
                crew.interrupt()
            if not crew.busy:
                break
            for said in crew.wait(TICK):
                _hear(shift, said)
            run.journal.on_event(Event(kind="tick"))
        if crew.stopping:
            raise KeyboardInterrupt
    if shift.bug is not None:
        raise shift.bug
    if shift.lost is not None:
        raise shift.lost
    return shift.plan


def _slow_to_import(plan: Plan) -> tuple[str, ...]:
    """What the plan's jobs would each import. Not numpy on macOS: Apple's libraries behind it do not survive a fork."""
    actions = {type(step.action) for step in plan.steps}
    needed = DVC if actions & {Snapshot, Train, Check, Deploy} else ()
    return needed + (MEASURING if Check in actions and sys.platform == "linux" else ())


def _begin(shift: _Shift) -> bool:
    """Start what can be started; says whether it is time to observe and plan again."""
    shift.moved = False
    ready = shift.run.journal.ready(shift.plan)
    if any(isinstance(step.action, Render) for step in ready):  # alone: everything else reads what it writes
        if not shift.crew.busy and not shift.ended:
            carry_out(shift.run, shift.state, next_batch(ready))
            return True
        return not shift.crew.busy
    working, room = shift.working.values(), shift.jobs - shift.crew.busy
    for step in shift.rules.free(ready, working=working, ended=shift.ended, room=room):
        _start(shift, step)
    if not shift.ended:
        return False
    return shift.crew.busy < shift.jobs or shift.cost < SHARE * (time.monotonic() - shift.observed)


def _look(shift: _Shift) -> None:
    before = time.monotonic()
    shift.state, shift.plan = shift.run.look()
    shift.rules = Interlocking(shift.state.project)
    shift.observed, shift.moved = time.monotonic(), True
    shift.cost = shift.observed - before
    shift.ended.clear()


def _start(shift: _Shift, step: Step) -> None:
    state, world = shift.state, shift.run.world

    def call(asker: Asker) -> object:
        parent = _Parent(asker)
        return apply(replace(world, commits=parent, publisher=parent), state, [step], asker.line)

    shift.run.journal.start([step])
    try:
        shift.crew.start(step.key, call)
    except StellwerkError as error:
        shift.run.journal.fail(step, where=error.where, message=error.message, hint=error.hint)
    else:
        shift.working[step.key] = step


def _hear(shift: _Shift, said: Said) -> None:
    step, journal = shift.working[said.job], shift.run.journal
    if said.kind == "line":
        journal.line(step, said.value)
        return
    if said.kind == "ask":
        _answer(shift, said)
        return
    del shift.working[said.job]
    shift.ended |= shift.rules.claims(step)
    shift.moved = True
    match said.kind:
        case "result":
            journal.finish(step, said.value)
        case "problem":
            where, message, hint = said.value
            if shift.lost is None or message != shift.lost.message:  # a lost push is no failure of the step
                journal.fail(step, where=where, message=message, hint=hint)
        case "interrupted":
            shift.crew.stopping = True
        case "bug":
            name, words, trace = said.value
            shift.bug = shift.bug or _as_raised(step, f"{name}: {words}", trace)
            journal.on_event(Event(kind="failed", step=step, text=words))
        case _:
            if shift.crew.stopping:
                return
            hint = "SIGKILL mostly means that the machine ran out of memory: run fewer jobs at once"
            journal.fail(step, where="", message=f"its process {said.value}", hint=hint)


def _as_raised(step: Step, words: str, trace: str) -> JobFailed:
    error = JobFailed(f"{step.key}: {words}")
    error.add_note(trace)
    return error


def _answer(shift: _Shift, said: Said) -> None:
    """Do for a job what must be done in one place."""
    world = shift.run.world
    verb, *details = said.value
    try:
        shift.crew.answer(said.job, _do(world, verb, details))
    except PushLostError as error:
        shift.lost = shift.lost or error
        shift.crew.refuse(said.job, error)
    except StellwerkError as error:
        shift.crew.refuse(said.job, error)
    except Exception as error:  # noqa: BLE001 - raised once the others have ended
        shift.bug = shift.bug or error
        shift.crew.refuse(said.job, StellwerkError(f"{verb} failed: {error}"))


def _do(world: World, verb: str, details: list[Any]) -> str | None:
    match verb:
        case "tip":
            return world.commits.tip()
        case "commit":
            return world.commits.commit(*details)
        case "propose":
            return world.commits.propose(*details)
        case "push":
            return world.publisher.push()
        case _:
            raise AssertionError(verb)


class _Parent:
    """`Committer` and `Publisher` of a job: it asks the process that started it."""

    def __init__(self, asker: Asker) -> None:
        self._asker = asker

    def tip(self) -> str | None:
        return self._text("tip")

    def commit(self, changes: Mapping[str, bytes | None], message: str) -> str:
        return self._text("commit", dict(changes), message) or ""

    def propose(self, branch: str, changes: Mapping[str, bytes | None], message: str) -> str:
        return self._text("propose", branch, dict(changes), message) or ""

    def push(self) -> str:
        return self._text("push") or ""

    def _text(self, *question: object) -> str | None:
        """The answer. A commit is a job's last act, which is told even when the job is interrupted."""
        self._asker.check()
        last = question[0] in {"commit", "propose"}
        answer: str | None = self._asker.ask(*question, last=last)
        if not last:
            self._asker.check()
        return answer
