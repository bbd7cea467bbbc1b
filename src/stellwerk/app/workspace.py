"""One repository and what can be done with it; every command of the CLI is a method here."""

from __future__ import annotations

import time
from functools import cached_property
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from stellwerk.adapters.git.cache import BlobCache
from stellwerk.adapters.git.read import GitReader, open_reader
from stellwerk.errors import StellwerkError
from stellwerk.model.clock import Clock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from stellwerk.app.package import Packaged
    from stellwerk.app.quick import Planned
    from stellwerk.app.session import Session
    from stellwerk.app.state import Loaded, Loader
    from stellwerk.model.actions import Plan
    from stellwerk.model.findings import Finding
    from stellwerk.model.forge import Announced, Look
    from stellwerk.model.ports import Actor
    from stellwerk.model.records import CheckResult
    from stellwerk.model.views import Decision, Explanation, HistoryEntry, Outcome, Rendered, Status, Taken, VersionDiff
    from stellwerk.planning.change import Change
    from stellwerk.planning.due import Asked
    from stellwerk.planning.jobs import Jobs
    from stellwerk.planning.parts import Parts
    from stellwerk.planning.plan import Scope
    from stellwerk.planning.portion import Portion
    from stellwerk.planning.shard import Shard
    from stellwerk.reconcile.world import Event, State
    from stellwerk.render.actions import PinnedAction


class ReconcileRequest(Struct, frozen=True, kw_only=True):
    """What a person or a job asks of a reconcile. `push` None: push where the branch has a remote."""

    plan_text: str | None = None
    model: str | None = None
    environment: str | None = None
    push: bool | None = None
    confirm_trainings: int | None = None
    confirm_removals: int | None = None
    retry: bool = False
    jobs: int = 1
    shard: Shard | None = None
    portion: Portion | None = None


class Workspace(Struct, frozen=True, dict=True):
    """A repository, the clock and the process environment, all given at the edge."""

    reader: GitReader
    environ: Mapping[str, str]
    clock: Clock

    def __repr__(self) -> str:
        """Without the environment, which may hold secrets."""
        return f"Workspace({self.reader!r})"

    @classmethod
    def open(cls, directory: Path, *, environ: Mapping[str, str], clock: Clock | None = None) -> Workspace:
        """The repository `directory` is in. Raises StellwerkError where there is none."""
        return cls(open_reader(directory, environ), environ, clock or Clock(now=time.time))

    @property
    def root(self) -> Path:
        return self.reader.root

    @cached_property
    def cache(self) -> BlobCache:
        return BlobCache(self.reader.git_dir / "stellwerk" / "cache")

    @cached_property
    def loader(self) -> Loader:
        from stellwerk.app.state import Loader

        return Loader(reader=self.reader, cache=self.cache, clock=self.clock)

    @cached_property
    def brief(self) -> Loader:
        """A loader for answers that do not show the evidence of what passed."""
        return replace(self.loader, evidence=False)

    @cached_property
    def actor(self) -> Actor:
        """Who git says we are; the CI run from its usual variables."""
        from stellwerk.model.ports import Actor

        ident = self.reader.text("var", "GIT_AUTHOR_IDENT", check=False)
        name, _, rest = ident.partition(" <")
        if not rest:
            raise StellwerkError(
                "git does not know who you are",
                where=str(self.root),
                hint='git config user.name "Ada Example" && git config user.email ada@example.com',
            )
        return Actor(name=name, email=rest.partition(">")[0], run=_run(self.environ))

    def validate(self, *, base: str | None) -> tuple[tuple[Finding, ...], dict[str, str]]:
        """Every finding of the work tree, and the text of the files they are in."""
        from stellwerk.app.judged import judge_work_tree

        return judge_work_tree(self, None if base is None else self.reader.resolve(base))

    def plan(
        self,
        *,
        at: str | None,
        model: str | None,
        environment: str | None,
        confirm_trainings: int | None = None,
        confirm_removals: int | None = None,
        shard: Shard | None = None,
    ) -> Planned:
        """What reconcile would do. Writes nothing but its cache."""
        from stellwerk.app.quick import Planned, plan_work_tree

        if at is None and not (model or environment or confirm_trainings or confirm_removals or shard):
            found = plan_work_tree(self)
            if found is not None:
                self.cache.flush()
                return found
        from stellwerk.app.session import uncommitted_inputs
        from stellwerk.planning.plan import Scope

        scope = Scope(
            model=model,
            environment=environment,
            trainings=confirm_trainings,
            removals=confirm_removals,
            shard=shard,
        )
        loaded = self._observe(at, self.brief)
        self.loader.refuse_mistakes(loaded)
        plan = self.plan_of(loaded.state, scope)
        self.cache.flush()
        return Planned(plan=plan, uncommitted=uncommitted_inputs(self, loaded) if plan.steps and at is None else ())

    def jobs(self, *, base: str | None, trainings: int | None, removals: int | None) -> Jobs:
        """What CI has to start: with `base` the checks of what it touches, else the trainings and environments."""
        from stellwerk.app.jobs import find_jobs

        return find_jobs(self, base=base, trainings=trainings, removals=removals)

    def plan_of(self, state: State, scope: Scope, parts: Parts | None = None) -> Plan:
        """The plan of a state. Raises StellwerkError where the scope names what is not declared.

        `parts` are kept from one plan of that scope to the next.
        """
        from stellwerk.planning.plan import plan_all

        if scope.model is not None and scope.model not in {name for _, name in state.observed.releases}:
            state.model(scope.model)
        if scope.environment is not None:
            state.environment(scope.environment)
        now = self.clock.now()
        return plan_all(state.project, state.observed, now=now, cache=self.cache, scope=scope, parts=parts)[0]

    def plan_and_settled(
        self, state: State, *, few: bool = False, parts: Parts | None = None
    ) -> tuple[Plan, frozenset[str]]:
        """The plan of a state, and the models that nothing is done for and nothing waits for.

        `few`: the state shows not all models. `parts`: what is known of this plan.
        """
        from stellwerk.planning.plan import Scope, plan_all

        now, scope = self.clock.now(), Scope(few=few)
        return plan_all(state.project, state.observed, now=now, cache=self.cache, scope=scope, parts=parts)

    def _observe(self, at: str | None = None, loader: Loader | None = None) -> Loaded:
        chosen = loader or self.loader
        return chosen.work_tree() if at is None else chosen.commit(self.reader.resolve(at))

    def status(self, *, live: bool) -> Status:
        """Models × environments as recorded; with `live` what targets say they run and what remotes lack."""
        from stellwerk.planning.explain import status
        from stellwerk.planning.plan import Scope
        from stellwerk.reconcile.presence import absences, gone_on_purpose

        loaded = self._observe(loader=self.brief)
        self.loader.refuse_mistakes(loaded)
        plan = self.plan_of(loaded.state, Scope())
        state, seen, lacking = loaded.state, {}, gone_on_purpose(loaded.state)
        if live:
            from stellwerk.adapters.dvc import DvcStore
            from stellwerk.app.session import probe

            seen, lacking = probe(state, self.root), (*lacking, *absences(state, DvcStore(self.root)))
        self.cache.flush()
        return replace(status(state.project, state.observed, state.gates, plan, seen), absent=lacking)

    def drift(self, environment: str | None, out: Path | None) -> Look:
        """What is not as git says, in the files or in one environment; also written to `out` as JSON."""
        from stellwerk.app.drift import look

        return look(self, environment, out)

    def announce(self, drift: Path | None, say: Callable[[str], None]) -> tuple[Announced, ...]:
        """Let the forge show what git says, and what was found in the folder `drift`."""
        from stellwerk.app.announce import announce

        return announce(self, drift, say)

    def why(self, model: str, environment: str | None) -> tuple[Explanation, ...]:
        """Every condition of the model's way into one or each environment."""
        from stellwerk.planning.explain import explain
        from stellwerk.planning.plan import Scope

        loaded = self._observe()
        self.loader.refuse_mistakes(loaded)
        state = loaded.state
        declared = state.model(model)
        wanted = [state.environment(environment)] if environment else list(state.gates.route.of(declared))
        plan = self.plan_of(state, Scope(model=model))
        self.cache.flush()
        return tuple(explain(declared, item, state.observed, state.gates, plan) for item in wanted)

    def diff(self, left: str, right: str) -> VersionDiff:
        """What differs between two versions, named `model@number`."""
        from stellwerk.app.history import version_diff

        return version_diff(self._observe().state, self.reader, left, right)

    def log(self, model: str, *, limit: int) -> tuple[HistoryEntry, ...]:
        """The decisions about a model, newest first."""
        from stellwerk.app.history import history

        return history(self._observe().state, self.reader, model, limit)

    def convert_notebook(self, model: str, *, check: bool) -> Rendered:
        """Write what the model's notebook becomes; with `check` only say what differs."""
        from stellwerk.app.notebooks import convert_notebook

        return convert_notebook(self, model, check=check)

    def compare_notebook(self, model: str, *, base: str) -> str:
        """A unified diff of what the model's notebook became at `base` and what it becomes now."""
        from stellwerk.app.notebooks import compare_notebook

        return compare_notebook(self, model, base)

    def nothing_to_do(self) -> bool:
        """Whether a look at what changed since the last plan is enough to know that nothing is to be done."""
        from stellwerk.app.quick import plan_work_tree

        planned = plan_work_tree(self)
        self.cache.flush()
        return planned is not None and not planned.plan.steps and not planned.plan.waits

    def render(self, *, check: bool, force: tuple[str, ...], directory: Path) -> Rendered:
        """Write the generated files into the work tree (people commit them); with `check` only say which differ."""
        from stellwerk.app.rendering import render_files

        return render_files(self, check=check, force=force, directory=directory)

    def pinned_actions(self) -> tuple[tuple[PinnedAction, ...], frozenset[str]]:
        """The actions that workflows here use, and the names of those that are declared."""
        from stellwerk.model.declared import Workflows
        from stellwerk.render.actions import ACTIONS, pinned

        workflows = self.brief.work_tree().declarations.project.workflows or Workflows()
        names = sorted({*ACTIONS, *workflows.actions})
        return tuple(pinned(name, workflows.actions) for name in names), frozenset(workflows.actions)

    def check(self, model: str, environment: str | None, on_line: Callable[[str], None]) -> tuple[CheckResult, ...]:
        """Train and judge what lies in the work tree; commit nothing."""
        from stellwerk.app.trial import try_out

        loaded = self._observe()
        self.loader.refuse_mistakes(loaded)
        return try_out(self.session(loaded, push=False, commits=False), loaded.state, model, environment, on_line)

    def run_notebook(self, model: str, *, timeout: float | None) -> tuple[str, tuple[CheckResult, ...]]:
        """The development environment whose data were used, and what running the model's notebook shows."""
        from stellwerk.app.notebooks import run_notebook

        loaded = self._observe()
        self.loader.refuse_mistakes(loaded)
        return run_notebook(self.session(loaded, push=False, commits=False), loaded.state, model, timeout)

    def package(self, version: str, out: Path) -> Packaged:
        """Write a version, named `model@number`, as a folder that can be deployed."""
        from stellwerk.app.package import package_version

        return package_version(self, version, out)

    def report(self, *, base: str, checks: Path | None) -> Change:
        """What the work tree changes since it went apart from `base`."""
        from stellwerk.app.report import make_report

        return make_report(self, base=base, checks=checks)

    def reconcile(self, request: ReconcileRequest, on_event: Callable[[Event], None]) -> Outcome:
        """Make what is declared true, one commit per action."""
        from stellwerk.app.run import run_reconcile

        return run_reconcile(self, request, on_event)

    def session(self, loaded: Loaded, *, push: bool | None, commits: bool = True) -> Session:
        """The ports for writing; without `commits` only for what leaves no commit."""
        from stellwerk.app.session import open_session

        return open_session(self, loaded, push=push, commits=commits)

    def snapshot(self, dataset: str, *, because: str, push: bool | None) -> Decision:
        from stellwerk.app.decisions import snapshot

        return snapshot(self, dataset, because=because, push=push)

    def snapshot_due(self, asked: Asked, *, push: bool | None) -> Iterator[Taken]:
        """Take the snapshots that models ask for unasked, as `retrain` says."""
        from stellwerk.app.decisions import snapshot_due

        return snapshot_due(self, asked, push=push)

    def promote(self, model: str, environment: str, *, version: int | None, push: bool | None) -> Decision:
        from stellwerk.app.decisions import promote

        return promote(self, model, environment, version=version, push=push)

    def approve(
        self,
        model: str,
        environment: str,
        *,
        version: int | None,
        because: str | None,
        reject: bool,
        by: str | None,
        push: bool | None,
    ) -> Decision:
        from stellwerk.app.decisions import approve

        return approve(self, model, environment, version=version, because=because, reject=reject, by=by, push=push)

    def hold(
        self, model: str, environment: str, *, because: str, until: str | None, release: bool, push: bool | None
    ) -> Decision:
        from stellwerk.app.decisions import hold

        return hold(self, model, environment, because=because, until=until, end=release, push=push)

    def rollback(
        self, model: str, environment: str, *, because: str, version: int | None, until: str | None, push: bool | None
    ) -> Decision:
        from stellwerk.app.decisions import rollback

        return rollback(self, model, environment, because=because, version=version, until=until, push=push)

    def withdraw(self, model: str, environment: str, *, because: str, push: bool | None) -> Decision:
        from stellwerk.app.decisions import withdraw

        return withdraw(self, model, environment, because=because, push=push)


def _run(environ: Mapping[str, str]) -> str | None:
    """The CI run this is part of."""
    if environ.get("STELLWERK_RUN"):
        return environ["STELLWERK_RUN"]
    if environ.get("GITHUB_RUN_ID"):
        attempt = environ.get("GITHUB_RUN_ATTEMPT", "1")
        return (
            f"github:{environ.get('GITHUB_REPOSITORY', '')}/actions/runs/{environ['GITHUB_RUN_ID']}/attempts/{attempt}"
        )
    return None
