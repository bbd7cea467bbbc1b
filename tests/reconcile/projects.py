"""A project small enough to be reconciled in a second or two.

The model predicts twice `x` and `bias` on top, so its mean absolute error is close to `bias`: a test makes a better or
a worse model by one parameter.
"""

import os
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from stellwerk.app import ReconcileRequest, Workspace
from stellwerk.app.setup import init
from stellwerk.model.actions import Plan
from stellwerk.model.ports import Clock

NOW = "2026-02-01T09:00:00+00:00"  # a Sunday

CODE = '''\
"""Predict twice x, and a bias."""


def train(frame, bias=0.0):
    assert len(frame) > 10
    return {"bias": bias}


def predict(model, frame):
    return frame["x"] * 2 + model["bias"]
'''

DATA = "id,x,part,sold\n" + "".join(f"{i},{i % 20},{'ab'[i % 2]},{2 * (i % 20) + i % 3 - 1}\n" for i in range(120))

MLOPS = """\
version: 1
datasets: {sales: {path: data/sales.csv}}
models: {demand: {source: models/demand/demand.py, target: sold, train: {data: sales}}}
"""

SMALL = {"mlops.yaml": MLOPS, "models/demand/demand.py": CODE, "data/sales.csv": DATA}

RELEASED = {
    "models/demand/demand.py": CODE,
    "data/sales.csv": DATA,
    "mlops.yaml": """\
version: 1
teams:
  science: {contact: science@example.com, members: [{name: ada, email: ada@example.com}]}
  risk:
    contact: risk@example.com
    members: [{name: grace, email: grace@example.com}, {name: joan, email: joan@example.com}]
owners: {accountable: risk, develops: science, operates: risk}
datasets:
  sales: {path: data/sales.csv, key: id}
models:
  demand:
    source: models/demand/demand.py
    task: regression
    target: sold
    risk: high
    fallback: last week's numbers
    train:
      data: sales
      params: {bias: 1.0}
    thresholds:
      mae: {max: 5}
""",
    "environments/dev.yaml": "purpose: development\n",
    "environments/integration.yaml": "purpose: integration\nafter: dev\n",
    "environments/regression.yaml": "purpose: regression\nafter: integration\nclone_of: production\n",
    "environments/production.yaml": """\
purpose: production
after: regression
# What customers see.
deploy: {target: local, path: deployed/production}
""",
}


@dataclass
class Project:
    """A repository, and Stellwerk's answers about it at a given time, in this process."""

    repo: Any
    now: str = NOW
    events: list[Any] = field(default_factory=list)

    @property
    def root(self) -> Path:
        return self.repo.root

    @property
    def workspace(self) -> Workspace:
        seconds = datetime.fromisoformat(self.now).timestamp()
        return Workspace.open(self.root, environ=dict(os.environ), clock=Clock(now=lambda: seconds))

    def reconcile(self, **request):
        self.events.clear()
        return self.workspace.reconcile(ReconcileRequest(**request), self.events.append)

    def plan(self, **scope) -> Plan:
        return self.workspace.plan(**{"at": None, "model": None, "environment": None, **scope}).plan

    def steps(self, **scope) -> list[str]:
        """The keys of the planned steps."""
        return [step.key for step in self.plan(**scope).steps]

    def waits(self) -> list[str]:
        """The kinds of what waits."""
        return [wait.kind.value for wait in self.plan().waits]

    def why(self, environment: str, model: str = "demand") -> str:
        """Every unmet condition and what would meet it, as text."""
        (found,) = self.workspace.why(model, environment)
        return "\n".join(f"{item.text} -> {item.unblock}" for item in found.conditions if not item.met)

    def edit(self, path: str, old: str, new: str, *, commit: str | None = "edit", author: str | None = None) -> None:
        """Replace a text that is there, as a person would; all of it is committed unless `commit` is None."""
        text = self.repo.read(path)
        assert old in text, f"{old!r} is not in {path}"
        self.repo.gen({path: text.replace(old, new, 1)}, commit=commit, author=author)

    def add(self, path: str, text: str) -> None:
        """Append lines to a file and commit it."""
        self.repo.gen({path: self.repo.read(path) + text}, commit=f"add to {path}")

    def release(self, environment: str = "production", model: str = "demand") -> str:
        path = self.root / f"environments/{environment}/{model}.yaml"
        return path.read_text() if path.exists() else ""

    def running(self, environment: str = "production", model: str = "demand") -> int | None:
        """The version recorded to run there."""
        import yaml

        path = self.root / f"registry/{model}/deployments/{environment}.yaml"
        return yaml.safe_load(path.read_bytes()).get("version") if path.exists() else None

    def trainings(self, revisions: str = "HEAD") -> list[str]:
        return [line for line in self.repo.log(revisions) if line.startswith("train:")]

    def decide(self, verb: str, *args: str, environment: str = "production", **options):
        """A person's decision about `demand`, in this process."""
        return getattr(self.workspace, verb)("demand", environment, *args, **{"push": None, **options})

    def as_person(self, monkeypatch, name: str) -> None:
        """Act as another person from now on."""
        for role in ("AUTHOR", "COMMITTER"):
            monkeypatch.setenv(f"GIT_{role}_NAME", name)
            monkeypatch.setenv(f"GIT_{role}_EMAIL", f"{name}@example.com")


def build(project: Project, files: dict[str, str]) -> Project:
    """Write the files, set up DVC, commit everything."""
    project.repo.gen(files)
    init(project.root, yes=True, environ=dict(os.environ))
    project.repo.git("add", "--all")
    project.repo.git("commit", "--quiet", "--message", "start")
    return project


@contextmanager
def later():
    """The same commit made at another time is another commit."""
    before = os.environ["GIT_COMMITTER_DATE"]
    os.environ["GIT_COMMITTER_DATE"] = "2026-02-01T12:00:00+00:00"
    yield
    os.environ["GIT_COMMITTER_DATE"] = before


def racing(loser, winner, when):
    """Reconcile `loser`; just before it starts the step `when`, `winner` reconciles and pushes."""
    said = []
    winner.events.clear()

    def on_event(event):
        said.append(event)
        if event.kind == "start" and event.step.key == when and not winner.events:
            with later():
                winner.reconcile()

    return loser.workspace.reconcile(ReconcileRequest(), on_event), said
