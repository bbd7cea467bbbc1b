"""What is killed: each scenario is a state to start from, one command, and what a person may have edited in between.

States are built one on top of the other, without a kill; a kill starts from a copy.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from projects import CODE, DATA, RELEASED
from victims import Run, Victims

RECONCILE = ("reconcile", {})
SHORT = {  # one environment, nothing to check: the shortest way from data to what runs
    "models/demand/demand.py": CODE,
    "data/sales.csv": DATA,
    "mlops.yaml": """\
version: 1
datasets:
  sales: {path: data/sales.csv, key: id}
models:
  demand:
    source: models/demand/demand.py
    task: regression
    target: sold
    fallback: last week's numbers
    train:
      data: sales
      params: {bias: 1.0}
""",
    "environments/production.yaml": "purpose: production\ndeploy: {target: local, path: deployed/production}\n",
}
APPROVED = "approval: {by: risk}\n"


@dataclass(frozen=True)
class Company:
    """Below `base`: `repo`, its bare remote `origin.git`, DVC's remotes in `repo.storage`."""

    base: Path
    victims: Victims

    @property
    def root(self) -> Path:
        return self.base / "repo"

    @property
    def origin(self) -> Path:
        return self.base / "origin.git"

    @property
    def packages(self) -> Path:
        return self.base / "repo.storage/packages"

    def git(self, *args: str, at: str = "repo") -> str:
        done = subprocess.run(
            ["git", *args], cwd=self.base / at, capture_output=True, encoding="utf-8", check=False, env=os.environ
        )
        assert done.returncode == 0, f"git {' '.join(args)}: {done.stderr}"
        return done.stdout

    def run(self, *act: Any, **options: Any) -> Run:
        return self.victims.run(self.base, *act, **options)

    def good(self, *act: Any, **options: Any) -> Run:
        """A run that nobody kills and that ends well."""
        run = self.run(*act, **options)
        assert run.fine, f"{act} in {self.base}: {run}"
        return run

    def copy(self, base: Path) -> Company:
        subprocess.run(["cp", "-a", "--reflink=auto", str(self.base), str(base)], check=True)
        return Company(base, self.victims)

    def remove(self) -> None:
        for path in self.base.parent.glob(f"{self.base.name}*"):
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink()

    def write(self, path: str, text: str | None) -> None:
        file = self.root / path
        if text is None:
            file.unlink()
            return
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def edit(self, path: str, old: str, new: str) -> None:
        """A person's edit, committed and pushed."""
        text = (self.root / path).read_text()
        assert old in text, f"{old!r} is not in {path}"
        self.write(path, text.replace(old, new))
        self.commit()

    def commit(self) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "edit")
        self.git("push", "--quiet", "origin", "HEAD")

    def another_machine(self) -> Path:
        """A fresh clone that reaches the same remotes and targets, and has the same source data."""
        other = self.base / "other"
        subprocess.run(["git", "clone", "--quiet", self.origin, other], check=True)
        self.git("remote", "set-url", "origin", "../origin.git", at="other")
        with (other / ".git/info/exclude").open("a") as file:
            file.write("/deployed\n")
        (self.root / "deployed").mkdir(exist_ok=True)
        (other / "deployed").symlink_to("../repo/deployed")
        if (self.root / "data/sales.csv").exists():
            shutil.copyfile(self.root / "data/sales.csv", other / "data/sales.csv")
        return other


def write_files(company: Company, files: dict[str, str]) -> None:
    """A folder with these files, not yet a repository."""
    company.root.mkdir(parents=True)
    for path, text in files.items():
        company.write(path, text)


def found(base: Path, victims: Victims, files: dict[str, str]) -> Company:
    """A project that was initialised, committed and pushed, and never reconciled."""
    company = Company(base, victims)
    write_files(company, files)
    company.git("init", "--quiet", "--initial-branch=main")
    company.good("init")
    company.git("init", "--quiet", "--bare", "--initial-branch=main", "origin.git", at=".")
    company.git("remote", "add", "origin", "../origin.git")
    company.commit()
    company.git("branch", "--quiet", "--set-upstream-to=origin/main")
    return company


def _released(company: Company) -> None:
    company.good(*RECONCILE)
    company.edit("mlops.yaml", "bias: 1.0", "bias: 2.0")
    company.good(*RECONCILE)


def _next_version(company: Company) -> None:
    company.edit("mlops.yaml", "bias: 2.0", "bias: 3.0")


def _new_rows(company: Company) -> None:
    (company.root / "data/sales.csv").unlink()  # it may be a link into DVC's cache
    company.write("data/sales.csv", DATA + "120,1,a,3\n")


def _pull_requests(company: Company) -> None:
    company.edit("environments/production.yaml", "purpose:", "promotion: pull-request\npurpose:")
    company.edit("mlops.yaml", "bias: 2.0", "bias: 1.0")


def _renamed(company: Company) -> None:
    company.edit("mlops.yaml", "  demand:\n", "  forecast:\n    previously: demand\n")


def _undeclared(company: Company) -> None:
    text = (company.root / "mlops.yaml").read_text()
    company.write("mlops.yaml", text[: text.index("models:")] + "models: {}\n")
    company.commit()


def _waiting(company: Company) -> None:
    company.edit("environments/production.yaml", "purpose:", f"{APPROVED}purpose:")
    company.edit("mlops.yaml", "bias: 2.0", "bias: 1.0")
    company.good(*RECONCILE)


def _records_ref(company: Company) -> None:
    company.edit("mlops.yaml", "version: 1\n", "version: 1\nrecords: {ref: stellwerk/records}\n")
    company.good(*RECONCILE)
    company.edit("mlops.yaml", "bias: 1.0", "bias: 2.0")


def _nothing(company: Company) -> None:
    del company


DECIDED = {"because": "orders dropped"}


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """`act` is killed in the state `start` after `prepare`. `decides`: the act is a person's and may be as if it never was.

    `sample` boundaries are chosen for the ordinary run, from the `first` telling one on; 0 leaves it out. `ref` holds the
    records.
    """

    name: str
    start: str  # fresh | released; of the project `route` instead of `short`: route-fresh
    act: tuple[Any, ...] = RECONCILE
    prepare: Callable[[Company], None] = _nothing
    decides: bool = False
    sample: int = 0
    first: int = 0
    real: bool = False
    ref: str = "HEAD"


SCENARIOS = (
    Scenario(name="birth", start="fresh", sample=4),
    Scenario(name="next-version", start="released", prepare=_next_version),
    Scenario(
        name="rollback",
        start="released",
        act=("rollback", "demand", "production", {**DECIDED, "version": None, "until": None}),
        decides=True,
        sample=2,
    ),
    Scenario(
        name="hold",
        start="released",
        act=("hold", "demand", "production", {**DECIDED, "until": None, "release": False}),
        decides=True,
    ),
    Scenario(name="withdraw", start="released", act=("withdraw", "demand", "production", DECIDED), decides=True),
    Scenario(name="snapshot", start="released", act=("snapshot", "sales", DECIDED), prepare=_new_rows, decides=True),
    Scenario(name="pull-request", start="released", sample=1, first=2, prepare=_pull_requests),
    Scenario(name="rename", start="released", prepare=_renamed),
    Scenario(name="retire", start="released", prepare=_undeclared),
    Scenario(name="records-ref", start="fresh", prepare=_records_ref, ref="refs/heads/stellwerk/records"),
    Scenario(name="route", start="route-fresh"),
    Scenario(
        name="approve",
        start="route-released",
        act=("approve", "demand", "production", {**DECIDED, "version": None, "reject": False, "by": "grace"}),
        prepare=_waiting,
        decides=True,
    ),
    Scenario(name="real-training", start="fresh", real=True),
)


class States:
    """Builds the states that scenarios start from, each once, in `folder`."""

    def __init__(self, folder: Path, victims: Victims) -> None:
        self.folder = folder
        self.victims = victims

    def state(self, name: str) -> Company:
        base = self.folder / name
        if base.exists():
            return Company(base, self.victims)
        if name.endswith("fresh"):
            return found(base, self.victims, RELEASED if name.startswith("route") else SHORT)
        company = self.state(name.replace("released", "fresh")).copy(base)
        _released(company)
        return company

    def start(self, scenario: Scenario) -> Company:
        base = self.folder / f"start-{scenario.name}"
        if not base.exists():
            scenario.prepare(self.state(scenario.start).copy(base))
        return Company(base, self.victims)
