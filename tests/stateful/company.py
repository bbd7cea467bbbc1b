"""A small company: one bare remote, machines that reconcile, a person who edits; real git, stand-ins for the rest."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import traceback
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import stand_ins
import yaml
from msgspec.structs import replace

from stellwerk.app import ReconcileRequest, Workspace
from stellwerk.errors import StellwerkError
from stellwerk.model.ports import Clock
from stellwerk.reconcile import check as reconcile_check
from stellwerk.report.plan_json import plan_json

START = 1769936400.0  # 2026-02-01T09:00:00Z
PEOPLE = ("ada", "grace", "joan")
ROBOT = "robot"
DATASETS = ("sales", "stock")
MACHINES = ("a", "b")
RECORDS = "stellwerk/records"
DESK = "desk"  # the clone that people edit in; nothing is reconciled there

ROUTE: dict[str, dict[str, Any]] = {
    "dev": {"purpose": "development"},
    "integration": {"purpose": "integration", "after": "dev"},
    "regression": {"purpose": "regression", "after": "integration"},
    "production": {"purpose": "production", "after": "regression", "deploy": {"target": "local", "path": "deployed/p"}},
    "europe": {"purpose": "production", "after": "production", "deploy": {"target": "local", "path": "deployed/e"}},
}
MLOPS: dict[str, Any] = {
    "version": 1,
    "teams": {
        "science": {"contact": "science@example.com", "members": {"ada": {"email": "ada@example.com"}}},
        "risk": {
            "contact": "risk@example.com",
            "members": {"grace": {"email": "grace@example.com"}, "joan": {"email": "joan@example.com"}},
        },
    },
    "owners": {"accountable": "risk", "develops": "science", "operates": "risk"},
    "datasets": {name: {"path": f"data/{name}.csv", "key": "id"} for name in DATASETS},
    "models": {},
}
CONFIG = {"gc.auto": "0", "maintenance.auto": "false", "core.fsync": "none", "merge.renames": "false"}


@dataclass
class Company:
    """All of it lies below `base`. `now` is what clocks say; `moments` when each commit was made."""

    base: Path
    now: float = START
    ticks: int = 0
    moments: dict[str, float] = field(default_factory=dict)
    plans: list[Any] = field(default_factory=list)
    events: list[Any] = field(default_factory=list)

    @property
    def origin(self) -> Path:
        return self.base / "origin.git"

    def root(self, clone: str) -> Path:
        return self.base / clone

    def git(self, clone: str, *args: str, check: bool = True) -> str:
        done = subprocess.run(
            ["git", *args], cwd=self.base / clone, env=os.environ, capture_output=True, encoding="utf-8", check=False
        )
        assert not check or done.returncode == 0, f"git {' '.join(args)} in {clone}: {done.stderr or done.stdout}"
        return done.stdout.strip()

    def works(self, clone: str, *args: str) -> bool:
        """Whether a git command succeeds."""
        done = subprocess.run(["git", *args], cwd=self.base / clone, env=os.environ, capture_output=True, check=False)
        return done.returncode == 0

    # ------------------------------------------------------------------ set up

    def found(self) -> None:
        """The remote, the machines and the desk, with two datasets and no model."""
        desk = self.root(DESK)
        desk.mkdir(parents=True)
        self.git(DESK, "init", "--quiet", "--initial-branch=main")
        self.write(DESK, ".dvc/config", "")
        self.write(DESK, "mlops.yaml", yaml.safe_dump(MLOPS, sort_keys=False))
        self.write(DESK, "data/.gitignore", "".join(f"/{name}.csv\n" for name in DATASETS))
        self.git(DESK, "add", "--all")
        with self.acting("ada"):
            self.git(DESK, "commit", "--quiet", "--message", "start")
        self.git(".", "init", "--quiet", "--bare", "--initial-branch=main", "origin.git")
        self.git(DESK, "remote", "add", "origin", "../origin.git")
        self.git(DESK, "push", "--quiet", "--set-upstream", "origin", "main")
        for name in MACHINES:
            self.clone(name)
        self.put_data(DESK)

    def clone(self, name: str) -> None:
        """A fresh clone; its remote's path is relative, so that the whole company can be copied."""
        self.git(".", "clone", "--quiet", "origin.git", name)
        self.git(name, "remote", "set-url", "origin", "../origin.git")
        self.put_data(name)

    def put_data(self, clone: str) -> None:
        for name in DATASETS:
            self.root(clone).joinpath("data").mkdir(exist_ok=True)
            (self.root(clone) / f"data/{name}.csv").write_bytes(stand_ins.rows(0))

    def write(self, clone: str, path: str, text: str) -> None:
        file = self.root(clone) / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    # ------------------------------------------------------------------ who acts, and when

    @contextmanager
    def acting(self, name: str):
        """Everything in the block is done by that person (or the robot), a second after what was done before."""
        self.ticks += 1
        values = {
            f"GIT_{role}_{part}": value
            for role in ("AUTHOR", "COMMITTER")
            for part, value in (
                ("NAME", name),
                ("EMAIL", f"{name}@example.com"),
                ("DATE", f"{1769936400 + self.ticks} +0000"),
            )
        }
        before = {key: os.environ.get(key) for key in values}
        os.environ.update(values)
        try:
            yield
        finally:
            for key, value in before.items():
                if value is None:
                    os.environ.pop(key, None)
                else:
                    os.environ[key] = value

    def seat(self, clone: str) -> Workspace:
        """The workspace of a clone as the person who acts now sees it."""
        company, moment = self, self.now

        class Seat(Workspace):
            def session(self, loaded, *, push):
                session = super().session(loaded, push=push)
                store = company.store(clone)
                trainer = stand_ins.QuickTrainer(reader=self.reader, store=store, log=company.base / "trainings.log")
                world = replace(session.world, store=store, trainer=lambda _: trainer, target=lambda _: company.target)
                return replace(session, world=world)

            def plan_of(self, state, scope, parts=None):
                plan = super().plan_of(state, scope, parts)
                company.plans.append(plan)
                return plan

        return Seat.open(self.root(clone), environ=dict(os.environ), clock=Clock(now=lambda: moment))

    def store(self, clone: str) -> stand_ins.FolderStore:
        return stand_ins.FolderStore(
            root=self.root(clone), cache=self.base / f"{clone}.cache", remotes=self.base / "remotes"
        )

    @property
    def target(self) -> stand_ins.FileTarget:
        return stand_ins.FileTarget(folder=self.base / "running", down=self.base / "down")

    # ------------------------------------------------------------------ people at the desk

    def edit(self, change: Callable[[dict[str, Any]], Any], summary: str, *, who: str = "ada") -> bool:
        """Change the declarations at the desk and push; False where nothing changed or it would be a mistake."""
        with self.acting(who):
            self.git(DESK, "pull", "--quiet", "--ff-only")
            files = self.declared()
            before = json.dumps(files, sort_keys=True)
            if change(files) is False or json.dumps(files, sort_keys=True) == before:
                return False
            self._write_declared(files)
            if not self.valid(DESK):
                self.git(DESK, "reset", "--quiet", "--hard")
                self.git(DESK, "clean", "--quiet", "-fd")
                return False
            self.git(DESK, "add", "--all")
            self.git(DESK, "commit", "--quiet", "--message", f"declare: {summary}")
            self.git(DESK, "push", "--quiet", "origin", "main")
        return True

    def valid(self, clone: str) -> bool:
        """Whether the clone's declarations have no mistakes."""
        findings, _ = self.seat(clone).validate(base=None)
        return all(finding.severity.value != "error" for finding in findings)

    def declared(self) -> dict[str, Any]:
        """The desk's declarations: `mlops.yaml`, the environments by path, the code files by path as text."""
        root = self.root(DESK)
        found: dict[str, Any] = {"mlops.yaml": yaml.load((root / "mlops.yaml").read_text(), yaml.CSafeLoader)}
        for file in sorted(root.glob("environments/*.yaml")):
            found[f"environments/{file.name}"] = yaml.load(file.read_text(), yaml.CSafeLoader)
        for file in sorted(root.glob("code/*.py")):
            found[f"code/{file.name}"] = file.read_text()
        return found

    def _write_declared(self, files: dict[str, Any]) -> None:
        for path, value in files.items():
            text = value if isinstance(value, str) else yaml.safe_dump(value, sort_keys=False)
            if not (self.root(DESK) / path).exists() or (self.root(DESK) / path).read_text() != text:
                self.write(DESK, path, text)
        for path in set(self.declared()) - set(files):
            (self.root(DESK) / path).unlink()

    # ------------------------------------------------------------------ machines

    def reconcile(self, clone: str, on_event: Callable[[Any], None] | None = None, **request: Any) -> Any:
        """One run of the robot on that machine."""
        self.plans.clear()
        self.events.clear()
        with self.acting(ROBOT):
            return self.seat(clone).reconcile(ReconcileRequest(**request), on_event or self.events.append)

    def decide(self, clone: str, who: str, verb: str, *args: Any, **options: Any) -> Any:
        with self.acting(who):
            return getattr(self.seat(clone), verb)(*args, **{"push": None, **options})

    def plan(self, clone: str) -> Any:
        with self.acting(ROBOT):
            return self.seat(clone).plan(at=None, model=None, environment=None).plan

    def plan_text(self, clone: str) -> str:
        return plan_json(self.plan(clone))

    def in_child(self, act: Callable[[], Any], *, dies_at: int) -> str:
        """Do it in a forked process that ends without a word before its `dies_at`-th effect.

        Returns 'killed', 'done', or what went wrong.
        """
        words = self.base / "child.txt"
        words.unlink(missing_ok=True)
        child = os.fork()
        if child == 0:
            try:
                count_effects(dies_at)
                act()
            except StellwerkError as error:
                words.write_text(f"{type(error).__name__}: {error.message}")
                os._exit(3)
            except BaseException:  # noqa: BLE001 the parent tells
                words.write_text(traceback.format_exc())
                os._exit(1)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        code = os.waitstatus_to_exitcode(status)
        assert code != 1, words.read_text()
        return {9: "killed", 0: "done"}.get(code) or words.read_text()

    # ------------------------------------------------------------------ looking

    def records_ref(self) -> str:
        text = (self.root(DESK) / "mlops.yaml").read_text()
        return RECORDS if f"ref: {RECORDS}" in text else "main"

    def copy(self, other: Path) -> Company:
        """The same company in another folder."""
        shutil.copytree(self.base, other, symlinks=True)
        return dataclasses.replace(self, base=other, moments=dict(self.moments), plans=[], events=[])


WRITES = {
    "update-ref",
    "commit-tree",
    "hash-object",
    "update-index",
    "write-tree",
    "push",
    "fetch",
    "reset",
    "merge-tree",
}


def count_effects(dies_at: int) -> None:
    """End this process without a word at its n-th effect: a git command that writes, a file put in place, a training."""
    left = [dies_at]

    def effect() -> None:
        left[0] -= 1
        if left[0] < 0:
            os._exit(9)

    def counted(owner: type, name: str, *, counts: Callable[..., bool] = lambda *_: True) -> None:
        function = getattr(owner, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            if counts(*args):
                effect()
            return function(*args, **kwargs)

        setattr(owner, name, call)

    counted(subprocess.Popen, "__init__", counts=lambda _, command, *__: bool(WRITES.intersection(command)))
    counted(Path, "replace")
    counted(Path, "unlink")
    counted(stand_ins.QuickTrainer, "train")
    counted(stand_ins.FileTarget, "deploy")


@contextmanager
def quick(base: Path):
    """Stand-ins for what reconcile calls by name, no pauses, no fsync; temporary files below `base`."""
    import tempfile
    import time

    import git

    del git
    saved = (reconcile_check.evaluate, reconcile_check.function_check, reconcile_check.check_source)
    sleep, folder = time.sleep, tempfile.tempdir
    reconcile_check.evaluate = stand_ins.evaluate
    reconcile_check.function_check = stand_ins.function_check
    reconcile_check.check_source = stand_ins.check_source
    time.sleep = lambda _: None
    tempfile.tempdir = str(base)
    for number, (key, value) in enumerate(CONFIG.items()):
        os.environ[f"GIT_CONFIG_KEY_{number}"] = key
        os.environ[f"GIT_CONFIG_VALUE_{number}"] = value
    os.environ["GIT_CONFIG_COUNT"] = str(len(CONFIG))
    try:
        yield
    finally:
        reconcile_check.evaluate, reconcile_check.function_check, reconcile_check.check_source = saved
        time.sleep, tempfile.tempdir = sleep, folder
