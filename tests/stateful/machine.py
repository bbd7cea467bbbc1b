"""What may happen to a company, in any order, and what must hold after each of it."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from company import DATASETS, DESK, MACHINES, ROBOT
from desk import DAY, HOUR, Desk, machines, names, people, released, route
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule
from stand_ins import clear, rows

from stellwerk.errors import BlockedError, PushLostError, StellwerkError


class Life(Desk):
    """Everything that may happen, and what must hold then."""

    def teardown(self) -> None:
        try:
            self.settle()
        finally:
            shutil.rmtree(self.base, ignore_errors=True)

    # ------------------------------------------------------------------ data, clocks, caches, targets

    @rule(clone=machines, data=st.sampled_from(DATASETS), hard=st.integers(0, 3), who=st.sampled_from(("ada", ROBOT)))
    def snapshot(self, clone: str, data: str, hard: int, who: str) -> None:
        if self._follow(clone):
            (self.company.root(clone) / f"data/{data}.csv").write_bytes(rows(hard))
            self.company.decide(clone, who, "snapshot", data, because="a new day")

    @rule(seconds=st.sampled_from((60, HOUR, DAY, 4 * DAY, -365 * DAY)))
    def pass_time(self, seconds: int) -> None:
        self.company.now += seconds

    @rule(clone=machines, what=st.sampled_from(("delete", "garbage", "old", "data", "damage")))
    def lose_cache(self, clone: str, what: str) -> None:
        cache = self.company.root(clone) / ".git/stellwerk/cache"
        if what == "data":
            clear(self.company.base / f"{clone}.cache")
        elif what == "damage":
            for file in (self.company.base / f"{clone}.cache").glob("*"):
                file.write_bytes(b"damaged")
        elif what == "delete":
            clear(cache)
        else:
            for file in cache.glob("*.json"):
                file.write_text("{" if what == "garbage" else '{"version": "0", "blobs": {}}')

    @rule(down=st.booleans())
    def targets(self, down: bool) -> None:
        (self.company.base / "down").unlink(missing_ok=True)
        if down:
            (self.company.base / "down").touch()

    # ------------------------------------------------------------------ what people decide

    @rule(clone=machines, who=people, name=names, where=route, reject=st.booleans())
    def approve(self, clone: str, who: str, name: str, where: str, reject: bool) -> None:
        options = {"version": None, "because": "it is good", "reject": reject, "by": None}
        self._decide(clone, who, "approve", name, where, **options)

    @rule(clone=machines, who=people, name=names, where=released, version=st.none() | st.integers(1, 3))
    def promote(self, clone: str, who: str, name: str, where: str, version: int | None) -> None:
        self._decide(clone, who, "promote", name, where, version=version)

    @rule(clone=machines, who=people, name=names, where=released, end=st.booleans(), days=st.sampled_from((None, 2)))
    def hold(self, clone: str, who: str, name: str, where: str, end: bool, days: int | None) -> None:
        until = datetime.fromtimestamp(self.company.now + (days or 0) * DAY, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        options = {"because": "a hunch", "until": until if days else None, "release": end}
        self._decide(clone, who, "hold", name, where, **options)

    @rule(clone=machines, who=people, name=names, where=released, version=st.none() | st.integers(1, 3))
    def roll_back(self, clone: str, who: str, name: str, where: str, version: int | None) -> None:
        self._decide(clone, who, "rollback", name, where, because="it fails", version=version, until=None)

    @rule(clone=machines, who=people, name=names, where=released)
    def withdraw(self, clone: str, who: str, name: str, where: str) -> None:
        self._decide(clone, who, "withdraw", name, where, because="it harms")

    def _decide(self, clone: str, who: str, verb: str, *args: Any, **options: Any) -> None:
        name, *others = args
        declared = self.company.declared()["mlops.yaml"]["models"]
        name = name if name in declared else next(iter(declared), name)
        if self._follow(clone):
            try:
                self.company.decide(clone, who, verb, name, *others, **options)
                self.tally[verb] += 1
            except BlockedError:
                pass
            except StellwerkError as error:
                self.expect(error)

    @rule(how=st.sampled_from(("merge", "squash", "fast-forward")), where=released, name=names)
    def merge_promotion(self, how: str, where: str, name: str) -> None:
        """A person merges the pull request of a promotion, whatever was promised meanwhile."""
        company, branch = self.company, f"origin/stellwerk/promote/{where}/{name}"
        with company.acting("grace"):
            company.git(DESK, "pull", "--quiet", "--ff-only", "--prune")
            if not company.works(DESK, "rev-parse", "--verify", "--quiet", branch):
                return
            options = {"merge": ("--no-ff", "--no-edit"), "squash": ("--squash",), "fast-forward": ("--ff-only",)}[how]
            merged = company.works(DESK, "merge", "--quiet", *options, branch)
            self.tally["merges"] += merged
            if merged and how == "squash":
                merged = company.works(DESK, "commit", "--quiet", "--message", f"Release {name} in {where} (#1)")
            if not merged or not company.valid(DESK):
                company.git(DESK, "reset", "--quiet", "--hard", "origin/main")
                return
            company.git(DESK, "push", "--quiet", "origin", "main")
            company.works(DESK, "push", "--quiet", "origin", "--delete", branch.removeprefix("origin/"))

    # ------------------------------------------------------------------ runs

    @rule(clone=machines)
    def pull(self, clone: str) -> None:
        self._follow(clone)

    @rule(clone=machines)
    def reconcile(self, clone: str) -> None:
        self._follow(clone)
        self.run(clone)

    @rule(clone=machines)
    def nightly(self, clone: str) -> None:
        self.reconcile(clone)

    @rule(clone=machines)
    def after_a_merge(self, clone: str) -> None:
        self.reconcile(clone)

    @rule(clone=machines, name=names)
    def try_again(self, clone: str, name: str) -> None:
        self._follow(clone)
        if name in self.company.declared()["mlops.yaml"]["models"]:
            self.run(clone, model=name, retry=True)

    @rule(
        loser=machines,
        at=st.integers(0, 12),
        what=st.sampled_from(
            ("reconcile", "tune", "snapshot", "twice", "freeze", "tighten", "reject", "forget", "rename", "hold", "ask")
        ),
    )
    def race(self, loser: str, at: int, what: str) -> None:
        """While one machine reconciles, the other or a person is faster."""
        self._follow(loser)
        (winner,) = set(MACHINES) - {loser}
        said: list[Any] = []

        def on_event(event: Any) -> None:
            said.append(event)
            self.tally["lost pushes"] += "another run was faster" in event.text
            if len(said) - 1 == at or (what == "twice" and len(said) - 1 == 2 * at + 1):
                plans = list(self.company.plans)
                with contextlib.suppress(PushLostError):
                    self._meanwhile(winner, what)
                self.company.plans[:] = plans

        self.run(loser, on_event=on_event, raced=True)

    def _meanwhile(self, winner: str, what: str) -> None:
        churn = next(iter(self.company.declared()["mlops.yaml"]["models"]), "churn")
        happenings: dict[str, Callable[[], Any]] = {
            "tune": lambda: self.tune(churn, self.company.ticks % 5),
            "freeze": lambda: self.freeze("production", 1),
            "tighten": lambda: self.judge(churn, 1, None, "grace"),
            "forget": lambda: self.forget(churn),
            "rename": lambda: self.rename(churn, "fraud"),
            "ask": lambda: self.ask_approval("production", "any"),
            "reject": lambda: self.approve(winner, "joan", churn, "production", reject=True),
            "hold": lambda: self.hold(winner, "joan", churn, "production", end=False, days=None),
            "snapshot": lambda: self.snapshot(winner, "sales", self.company.ticks % 4, "ada"),
        }
        if what in happenings:
            happenings[what]()
        elif self._follow(winner):
            self.run(winner, raced=True)

    @rule(clone=machines, effect=st.integers(0, 160))
    def kill(self, clone: str, effect: int) -> None:
        """A run dies without a word at one of its effects."""
        self._follow(clone)
        told = self.company.in_child(lambda: self.company.reconcile(clone), dies_at=effect)
        assert told in {"killed", "done"}, told
        self.tally[told] += 1

    def run(
        self, clone: str, *, on_event: Callable[[Any], None] | None = None, raced: bool = False, **options: Any
    ) -> None:
        """Reconcile to the end, and check what a run promises."""
        company = self.company
        outcome = company.reconcile(clone, on_event, **options)
        for done in outcome.done:
            self.tally[f"{done.step.key.partition(':')[0]} {'passed' if done.passed else 'failed'}"] += 1
        planned = {step.key for plan in company.plans for step in plan.steps} if raced else _keys(company.plans[0])
        assert {done.step.key for done in outcome.done} <= planned
        self._note()
        left = company.git(clone, "status", "--porcelain", "--untracked-files=all")
        assert left == "", f"a run leaves files: {left}"
        broken = (company.base / "down").exists()
        for key, problem, _ in outcome.problems:
            assert broken, f"{key}: {problem}"
            assert key.startswith(("deploy:", "retire:")), f"{key}: {problem}"
        if not outcome.problems and all(done.passed for done in outcome.done):
            assert outcome.remaining.steps == () or raced, _keys(outcome.remaining)
            if not options and not raced:
                assert company.plan(clone).steps == ()
                assert company.plan_text(clone) == company.plan_text(clone)
                self._agree(everywhere=False)

    def settle(self) -> None:
        """In the end the machines finish what is left, and agree."""
        (self.company.base / "down").unlink(missing_ok=True)
        for clone in (*MACHINES, *MACHINES[:1]):
            self._follow(clone)
            self.run(clone)
        self._agree(everywhere=True)
        self.history.check()
        self._targets_run_what_is_released()

    # ------------------------------------------------------------------ what must hold

    @invariant()
    def history_is_kept(self) -> None:
        self._note()
        self.history.check()

    @invariant()
    def a_plan_is_a_fact(self) -> None:
        """The same bytes with a cache and without; asked now and then."""
        self.asked += 1
        if self.asked % 4:
            return
        clone = MACHINES[self.asked // 4 % 2]
        warm = self.company.plan_text(clone)
        cache = self.company.root(clone) / ".git/stellwerk/cache"
        aside = cache.with_name("aside")
        if cache.exists():
            cache.rename(aside)
        assert self.company.plan_text(clone) == warm
        if aside.exists():
            clear(cache)
            aside.rename(cache)

    def _agree(self, *, everywhere: bool) -> None:
        """Machines that have the same commits make the same plan; so does a fresh clone."""
        company, ref = self.company, self.company.records_ref()
        there = company.git("origin.git", "for-each-ref", "--format=%(refname) %(objectname)")
        level = [clone for clone in MACHINES if self._heads(clone, there)]
        plans = {clone: company.plan_text(clone) for clone in level}
        assert len(set(plans.values())) <= 1, plans
        if everywhere:
            refs = {clone: company.git(clone, "for-each-ref") for clone in MACHINES}
            assert set(level) == set(MACHINES), f"{there}\n{refs}"
            company.clone("fresh")
            assert company.plan_text("fresh") == plans["a"], ref

    def _heads(self, clone: str, there: str) -> bool:
        """Whether the clone has what the remote has, and nothing else."""
        lines = self.company.git(clone, "for-each-ref", "--format=%(refname) %(objectname)", "refs/heads").splitlines()
        seen = self.company.git(clone, "for-each-ref", "--format=%(refname) %(objectname)", "refs/remotes/origin")
        remote = {f"refs/remotes/origin/{line.removeprefix('refs/heads/')}" for line in there.splitlines()}
        known = {line for line in seen.splitlines() if not line.startswith("refs/remotes/origin/HEAD")}
        return set(lines) <= set(there.splitlines()) and known == remote

    def _targets_run_what_is_released(self) -> None:
        company = self.company
        with company.acting(ROBOT):
            state = company.seat("a").loader.work_tree().state
        for model, facts in state.observed.models.items():
            for environment, deployment in facts.deployments.items():
                declared = {item.name: item for item in state.project.environments}.get(environment)
                place = company.target.folder / environment / model
                if declared and declared.deploy and deployment.model == model:
                    assert (place.read_text() if place.exists() else None) == deployment.package, (
                        f"{model} {environment}"
                    )

    def _note(self) -> None:
        """When the commits that appeared since were made."""
        for clone in ("origin.git", *MACHINES):
            known = [f"^{commit}" for commit in self.noted.get(clone, ())]
            tips = self.company.git(clone, "for-each-ref", "--format=%(objectname)").split()
            for commit in self.company.git(clone, "rev-list", *tips, *known).split() if tips else ():
                self.company.moments.setdefault(commit, self.company.now)
            self.noted[clone] = tips

    def expect(self, error: StellwerkError) -> None:
        """Raise the error unless it is an answer that a decision may get."""
        assert any(words in error.message for words in EXPECTED), f"{error.message} ({error.where})"


EXPECTED = (
    "there is no model",
    "there is no environment",
    "does not go through",
    "has no version",
    "is not released in",
    "is not a member of a team",
    "has no releases",
    "already has v",
    "but the target did not follow",
)


def _keys(plan: Any) -> set[str]:
    return {step.key for step in plan.steps}
