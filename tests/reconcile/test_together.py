"""Several steps at once: real processes, a stand-in for what they do. A step `train:a` commits `a`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from textwrap import dedent
from types import SimpleNamespace

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from stellwerk.errors import PushLostError, StellwerkError
from stellwerk.model.actions import Check, Deploy, Plan, Render, Retire, Snapshot, Step, Train
from stellwerk.model.declared import Dataset, Environment, Model, Project, Purpose
from stellwerk.model.declared import Train as Training
from stellwerk.model.views import Done
from stellwerk.reconcile import together
from stellwerk.reconcile.interlocking import Interlocking
from stellwerk.reconcile.journal import Journal
from stellwerk.reconcile.loop import Run
from stellwerk.reconcile.together import JobFailed, work_together

NAMES = ("alpha", "beta", "delta", "gamma")


@dataclass
class Ledger:
    """`Committer` and `Publisher`: what was committed, by whom and in what order."""

    texts: list[str] = field(default_factory=list)
    processes: set[int] = field(default_factory=set)
    fails: dict[str, Exception] = field(default_factory=dict)

    def tip(self):
        return str(len(self.texts))

    def commit(self, changes, message):
        self.processes.add(os.getpid())
        if message in self.fails:
            raise self.fails[message]
        self.texts.append(message)
        return f"commit of {message}"

    def push(self):
        return "pushed"


class Desk(Struct):
    commits: Ledger
    publisher: Ledger


@dataclass
class Office:
    """A plan in which each model is trained and then checked, and what a run of it was seen to do."""

    ledger: Ledger = field(default_factory=Ledger)
    events: list = field(default_factory=list)
    names: tuple[str, ...] = NAMES
    looks: int = 0

    def plan(self, _=None) -> Plan:
        steps = []
        for name in self.names:
            train = Step(action=Train(model=name, fingerprint="f"), reason="", key=f"train:{name}")
            needs = () if train.key in self.ledger.texts else (train.key,)
            action = Check(model=name, environment="regression", version=1)
            steps += [train] if needs else []
            steps.append(Step(action=action, reason="", key=f"check:{name}:regression", needs=needs))
        return Plan(basis="", steps=tuple(step for step in steps if step.key not in self.ledger.texts))

    def load(self, _):
        self.looks += 1
        return SimpleNamespace(project=Project(models=(), datasets=(), environments=()))

    def work(self, jobs: int):
        first = self.plan()
        journal = Journal(planned=frozenset(step.key for step in first.steps), on_event=self.events.append)
        run = Run(world=Desk(self.ledger, self.ledger), load=self.load, plan=self.plan, journal=journal)
        before = psutil.Process().children()
        try:
            return journal, work_together(run, self.load(None), first, jobs=jobs)
        finally:
            assert psutil.Process().children() == before, "somebody is left behind"

    def heard(self, *kinds: str) -> list[str]:
        return [f"{event.kind} {event.step.key}" for event in self.events if event.kind in kinds]


@pytest.fixture
def office(monkeypatch):
    """An office in which every step commits its key; `doing(key, call)` gives one something else to do before."""
    before = {}

    def apply(world, state, steps, on_line):
        key = steps[0].key
        before.get(key, lambda world, on_line: None)(world, on_line)
        return Done(step=steps[0], summary=key, commit=world.commits.commit({"file": b"\x00"}, key))

    made = Office()
    made.doing = before.__setitem__
    monkeypatch.setattr(together, "apply", apply)
    monkeypatch.setattr(together, "DVC", ())
    monkeypatch.setattr(together, "MEASURING", ())
    return made


def test_everything_is_done_and_all_commits_are_made_by_the_one_process(office):
    journal, remaining = office.work(3)
    assert remaining.steps == ()
    assert sorted(office.ledger.texts) == sorted(step.key for step in Office().plan().steps)
    assert office.ledger.processes == {os.getpid()}
    assert {done.commit for done in journal.done} == {f"commit of {key}" for key in office.ledger.texts}
    assert journal.problems == []


@pytest.mark.parametrize("jobs", [2, 3, 9])
def test_no_more_steps_are_at_work_than_were_asked_for_and_no_two_of_a_model(office, jobs):
    office.work(jobs)
    working, most = [], 0
    for line in office.heard("start", "done", "failed"):
        kind, key = line.split(" ")
        model = key.split(":")[1]
        if kind == "start":
            assert model not in working
            working.append(model)
        else:
            working.remove(model)
        most = max(most, len(working))
    assert 2 <= most <= jobs


def test_steps_are_really_at_work_at_the_same_time(office):
    """Each of two waits for the other: one after the other they would never end."""
    here, there = (os.pipe() for _ in range(2))

    def meet(ours, theirs):
        def call(_world, _on_line):
            os.write(ours[1], b"!")
            assert os.read(theirs[0], 1) == b"!"

        return call

    office.doing("train:alpha", meet(here, there))
    office.doing("train:beta", meet(there, here))
    assert office.work(2)[0].problems == []


def test_what_a_step_says_is_heard_from_any_of_its_threads(office):
    def talk(_world, on_line):
        on_line("epoch 1")
        thread = threading.Thread(target=on_line, args=("epoch 2",))
        thread.start()
        thread.join()

    office.doing("train:beta", talk)
    office.work(2)
    said = [(event.step.key, event.text) for event in office.events if event.kind == "line"]
    assert said == [("train:beta", "epoch 1"), ("train:beta", "epoch 2")]


def test_a_step_that_fails_stops_no_other_and_what_needs_it_is_left_out(office):
    def fail(_world, _on_line):
        raise StellwerkError("no data", where="sales", hint="snapshot")

    office.doing("train:beta", fail)
    journal, remaining = office.work(2)
    assert journal.problems == [("train:beta", "sales: no data", "snapshot")]
    assert [step.key for step in remaining.steps] == ["train:beta", "check:beta:regression"]
    assert len(office.ledger.texts) == 6


def test_a_commit_that_is_refused_is_the_steps_own_problem(office):
    office.ledger.fails["train:beta"] = StellwerkError("uncommitted changes", where="models/beta/dvc.lock")
    journal, _ = office.work(2)
    assert journal.problems == [("train:beta", "models/beta/dvc.lock: uncommitted changes", "")]
    assert len(office.ledger.texts) == 6


def test_a_process_that_is_killed_is_a_problem_of_its_step_alone(office):
    office.doing("train:beta", lambda _world, _on_line: os.kill(os.getpid(), signal.SIGKILL))
    journal, _ = office.work(2)
    ((key, text, hint),) = journal.problems
    assert (key, text) == ("train:beta", "its process was ended by SIGKILL")
    assert "fewer jobs" in hint
    assert len(office.ledger.texts) == 6


def holding(pipe):
    """Wait until the pipe has something."""
    return lambda _world, _on_line: os.read(pipe[0], 1) and None


def test_a_bug_in_one_job_is_raised_after_what_the_others_do_is_committed(office):
    pipe = os.pipe()
    office.doing("train:alpha", holding(pipe))
    office.doing("train:beta", lambda _world, _on_line: 1 // 0)
    office.events = SimpleNamespace(append=lambda event: event.kind == "failed" and os.write(pipe[1], b"!"))
    with pytest.raises(JobFailed, match="train:beta: ZeroDivisionError") as failed:
        office.work(2)
    assert office.ledger.texts == ["train:alpha"]
    assert "in <lambda>" in failed.value.__notes__[0]


def test_a_bug_in_committing_is_raised_as_it_is(office):
    office.ledger.fails["train:beta"] = ValueError("no such tree")
    with pytest.raises(ValueError, match="no such tree"):
        office.work(2)


def test_a_lost_push_ends_the_run_and_what_was_at_work_is_committed_before(office):
    pipe = os.pipe()

    class Lost(Ledger):
        def push(self):
            os.write(pipe[1], b"!")
            raise PushLostError("main moved")

    office.ledger = Lost()
    office.doing("train:alpha", holding(pipe))
    office.doing("train:beta", lambda world, _on_line: world.publisher.push())
    with pytest.raises(PushLostError, match="main moved"):
        office.work(2)
    assert office.ledger.texts == ["train:alpha"]
    assert office.heard("failed") == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_interrupts_its_jobs_once_and_starts_no_more(office, number, tmp_path):
    def work(_world, on_line):
        try:
            on_line("at work")
            signal.pause()
        finally:
            (tmp_path / "cleaned up").touch()

    def interrupt(event):
        if event.kind == "line":
            os.kill(os.getpid(), number)

    office.doing("train:alpha", work)
    office.doing("train:beta", work)
    office.events = SimpleNamespace(append=interrupt)
    with pytest.raises(KeyboardInterrupt):
        office.work(2)
    assert (tmp_path / "cleaned up").exists()
    assert office.ledger.texts == []
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_that_is_ignored_stays_ignored(office, number):
    """`nohup stellwerk reconcile &` is to go on."""
    ignored = signal.signal(number, signal.SIG_IGN)
    office.doing("train:alpha", lambda _world, on_line: on_line("at work"))
    sent = []

    def send(event):
        if event.kind == "line":
            sent.append(event)
            os.kill(os.getpid(), number)

    office.events = SimpleNamespace(append=send)
    try:
        assert office.work(2)[1].steps == ()
        assert signal.getsignal(number) is signal.SIG_IGN
    finally:
        signal.signal(number, ignored)
    assert sent


@pytest.mark.skipif(sys.platform != "linux", reason="adopts what a killed process leaves")
def test_a_job_that_cannot_be_interrupted_is_killed_when_its_parent_has_gone():
    script = """
        import ctypes, os, signal, sys
        from stellwerk.adapters import crew
        ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # orphans are ours
        crew.GRACE = 0.1
        def stubborn(asker):
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            asker.line("at work")
            while True:
                signal.pause()
        parent = os.fork()
        if parent == 0:
            with crew.Crew() as at_work:
                at_work.start("stubborn", stubborn)
                at_work.wait(60)
                os.kill(os.getpid(), signal.SIGKILL)
        ends = [os.wait()[1] for _ in range(2)]
        sys.exit(ends != [signal.SIGKILL, signal.SIGKILL])
    """
    assert subprocess.run([sys.executable, "-c", dedent(script)], timeout=60, check=False).returncode == 0


def test_what_a_job_has_finished_is_committed_though_it_is_interrupted(office):
    """The interruption comes while the commit is made."""

    class Interrupting(Ledger):
        def commit(self, changes, message):
            if not self.texts:  # a second one would not wait
                os.kill(os.getpid(), signal.SIGINT)
            return super().commit(changes, message)

    office.ledger = Interrupting()
    with pytest.raises(KeyboardInterrupt):
        office.work(2)
    assert office.ledger.texts
    assert office.heard("done") == [f"done {key}" for key in office.ledger.texts]


def test_a_second_ctrl_c_does_not_wait_for_a_job_that_will_not_end(office, monkeypatch):
    def stubborn(_world, on_line):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        on_line("at work")
        while True:
            signal.pause()

    def interrupt(event):
        if event.kind in {"line", "tick"}:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr("stellwerk.adapters.crew.GRACE", 0.2)
    office.doing("train:alpha", stubborn)
    office.events = SimpleNamespace(append=interrupt)
    with pytest.raises(KeyboardInterrupt):
        office.work(2)


def test_planning_waits_while_it_would_take_too_long_and_there_is_other_work(office, monkeypatch):
    office.names = tuple(f"m{number:02}" for number in range(12))
    looks = {}
    for share in (float("inf"), 0.0):
        monkeypatch.setattr(together, "SHARE", share)
        office.work(2)
        assert len(office.ledger.texts) == 24
        looks[share] = office.looks
        office.ledger.texts.clear()
        office.looks = 0
    assert looks[0.0] < 12 <= looks[float("inf")]  # two steps may end at the same moment


STEPS = st.sampled_from(
    [
        *(
            Step(action=Snapshot(dataset=name), reason="", key=f"snapshot:{name}")
            for name in ("sales", "fake", "other")
        ),
        *(Step(action=Train(model=name, fingerprint=None), reason="", key=f"train:{name}") for name in NAMES),
        *(
            Step(action=Check(model=name, environment=place, version=1), reason="", key=f"check:{name}:{place}")
            for name in NAMES
            for place in ("dev", "prod")
        ),
        *(
            Step(action=kind(model=name, environment="prod", version=1), reason="", key=f"{kind.__name__}:{name}")
            for name in NAMES
            for kind in (Deploy, Retire)
        ),
        Step(action=Render(path="models/alpha/dvc.yaml", text="", model="alpha"), reason="", key="render"),
    ]
)
PROJECT = Project(
    datasets=(
        Dataset(name="fake", path="fake.csv"),
        Dataset(name="other", path="other.csv"),
        Dataset(name="sales", path="sales.csv", stand_in="fake"),
    ),
    models=tuple(
        Model(name=name, train=Training(data="other" if name == "gamma" else "sales"), target="y") for name in NAMES
    ),
    environments=(
        Environment(name="dev", purpose=Purpose.INTEGRATION, up="start", down="stop"),
        Environment(name="prod", purpose=Purpose.PRODUCTION, after="dev"),
    ),
)


@given(st.lists(STEPS, unique_by=lambda step: step.key), st.lists(STEPS, max_size=3), st.integers(0, 5))
def test_what_starts_shares_nothing_with_what_works_and_keeps_the_order(ready, working, room):
    rules = Interlocking(PROJECT)
    found = rules.free(ready, working=working, ended=set(), room=room)
    assert len(found) <= room
    assert [step for step in ready if step in found] == found
    held = [claim for step in working for claim in rules.claims(step)]
    for step in found:
        assert not (rules.claims(step) | rules.reads(step)) & set(held)
        held += rules.claims(step)
    if not working and room:
        assert bool(found) == bool(ready)  # there is always a way on


@pytest.mark.parametrize(
    ("first", "second", "together"),
    [
        ("train:alpha", "train:beta", True),
        ("train:alpha", "check:alpha:prod", False),
        ("check:alpha:prod", "check:beta:prod", True),
        ("check:alpha:dev", "check:beta:dev", False),  # it is brought up and down
        ("Deploy:alpha", "Deploy:beta", False),  # one at a time is told to the same place
        ("snapshot:sales", "snapshot:other", False),
        ("snapshot:sales", "train:alpha", False),
        ("snapshot:fake", "check:alpha:prod", False),  # what stands in for its data
        ("snapshot:other", "train:alpha", True),
    ],
)
def test_what_may_go_on_at_the_same_time(first, second, together):
    every = {step.key: step for step in STEPS.elements}
    pair = [every[first], every[second]]
    assert (Interlocking(PROJECT).free(pair, working=(), ended=set(), room=2) == pair) is together
