"""A workspace that answers what a test gives it, in the place of the real one."""

import sys
from dataclasses import dataclass, field
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner, Result

from stellwerk.cli.main import cli
from stellwerk.model.actions import Plan, Step, Train, Wait, WaitKind
from stellwerk.model.views import Decision, Done, Outcome, Rendered, Status
from stellwerk.planning.jobs import Jobs


@dataclass(kw_only=True)
class Request:
    plan_text: str | None = None
    model: str | None = None
    environment: str | None = None
    push: bool | None = None
    confirm_trainings: int | None = None
    confirm_removals: int | None = None
    retry: bool = False
    jobs: int = 1
    shard: Any = None
    portion: Any = None


@dataclass(kw_only=True)
class Event:
    kind: str
    step: Step | None = None
    text: str = ""
    done: Done | None = None


@dataclass
class FakeWorkspace:
    """`answers` maps a method to what it returns, or to the exception it raises; `calls` keeps what it was asked."""

    answers: dict[str, Any] = field(default_factory=dict)
    events: tuple[Event, ...] = ()
    calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = field(default_factory=list)

    def __getattr__(self, name):
        def method(*args, **kwargs):
            if name == "reconcile":
                for event in self.events:
                    args[1](event)
                args = args[:1]
            self.calls.append((name, args, kwargs))
            answer = self.answers[name]
            if isinstance(answer, BaseException):
                raise answer
            if name == "plan":
                return SimpleNamespace(plan=answer, uncommitted=self.answers["uncommitted"])
            return answer

        return method


STEP = Step(action=Train(model="shoe-demand", fingerprint="f"), reason="sales changed", seconds=8)
WAIT = Wait(kind=WaitKind.SOAK, reason="soaks until noon", unblock="", model="shoe-demand", environment="production")
DONE = Done(step=STEP, summary="train: shoe-demand v3", commit="1a2b3c4d5e6f")
DECISION = Decision(summary="hold: shoe-demand in production", commit="1a2b3c4d5e6f", pushed=True)


@pytest.fixture
def workspace(monkeypatch):
    """What `Workspace.open` returns; every method answers with something harmless until the test says otherwise."""
    fake = FakeWorkspace(
        answers={
            "validate": ((), {}),
            "plan": Plan(basis="1a2b3c4d", steps=(STEP,), waits=(WAIT,)),
            "reconcile": Outcome(done=(DONE,), problems=(), remaining=Plan(basis="1a2b"), pushed="main to origin"),
            "check": (),
            "jobs": Jobs(),
            "uncommitted": (),
            "status": Status(basis="1a2b3c4d", environments=(), rows=(), models=(), datasets=()),
            "why": (),
            "log": (),
            "render": Rendered(),
            **dict.fromkeys(("snapshot", "promote", "approve", "hold", "rollback", "withdraw"), DECISION),
        }
    )
    module = ModuleType("stellwerk.app")

    class Workspace:
        @classmethod
        def open(cls, directory, *, environ):
            fake.calls.append(("open", (directory,), {}))
            problem = fake.answers.get("open")
            if problem is not None:
                raise problem
            return fake

    def init(directory, *, yes, environ):
        fake.calls.append(("init", (directory,), {"yes": yes}))
        return ("mlops.yaml",), "stellwerk plan"

    module.Workspace = Workspace
    module.ReconcileRequest = Request
    module.Event = Event
    setup = ModuleType("stellwerk.app.setup")
    setup.init = init
    setup.notebooks_unfiltered = lambda directory, environ: False
    setup.add_notebook_filter = lambda directory, environ: ()
    setup.filter_commands = tuple
    monkeypatch.setitem(sys.modules, "stellwerk.app", module)
    monkeypatch.setitem(sys.modules, "stellwerk.app.setup", setup)
    return fake


@pytest.fixture
def run():
    """Run the command line in this process through its real boundary."""

    def invoke(*args: str, **kwargs) -> Result:
        return CliRunner().invoke(cli, list(args), prog_name="stellwerk", **kwargs)

    return invoke
