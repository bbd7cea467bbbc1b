"""What people may declare, at the desk: every rule is a commit that is pushed, and is one that could be reviewed."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from company import DATASETS, DESK, MACHINES, PEOPLE, ROUTE, Company
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from laws import History
from stand_ins import METRIC

from stellwerk.model.findings import DeclarationsError

MODELS = ("churn", "credit", "fraud")
HOUR, DAY = 3600, 86400
CODE = "def train(frame, bias=0):\n    return bias\n\n\nQUALITY = {quality}\n{more}"
SLICES = ("", "raise ValueError\n", "# UNTESTED\n", "# BROKEN\n")
machines = st.sampled_from(MACHINES)
names = st.sampled_from(MODELS)
people = st.sampled_from(PEOPLE)
route = st.sampled_from(tuple(ROUTE))
released = st.sampled_from(("production", "europe"))


class Desk(RuleBasedStateMachine):
    """`template` is a founded company to copy; `folder` where the copy goes."""

    template: Company
    folder: Path

    def __init__(self) -> None:
        super().__init__()
        self.base = Path(tempfile.mkdtemp(dir=self.folder))
        self.company = self.template.copy(self.base / "c")
        self.history = History(self.company)
        self.noted: dict[str, list[str]] = {}  # the tips whose commits have their moments
        self.asked = 0
        self.tally: Counter[str] = Counter()  # what really happened

    # ------------------------------------------------------------------ what is declared

    @initialize(ref=st.booleans(), depth=st.sampled_from((4, 5, 0, 2)), limit=st.sampled_from((None, 2, 4)))
    def begin(self, ref: bool, depth: int, limit: int | None) -> None:
        """A project that is somewhere on the ladder."""

        def change(files: dict[str, Any]) -> None:
            if ref:
                files["mlops.yaml"]["records"] = {"ref": "stellwerk/records"}
            for name in list(ROUTE)[:depth]:
                files[f"environments/{name}.yaml"] = dict(ROUTE[name])
            declare(files, "churn", limit)

        assert self.company.edit(change, "begin")

    def edit(self, change: Callable[[dict[str, Any]], Any], summary: str, who: str = "ada") -> bool:
        return self.company.edit(change, summary, who=who)

    @rule(name=names, limit=st.sampled_from((None, 2, 4)))
    def declare_model(self, name: str, limit: int | None) -> None:
        self.edit(
            lambda files: name not in files["mlops.yaml"]["models"] and declare(files, name, limit), f"add {name}"
        )

    @rule(name=names)
    def forget(self, name: str) -> None:
        self.edit(lambda files: files["mlops.yaml"]["models"].pop(name, False), f"remove {name}")

    @rule(old=names, new=names)
    def rename(self, old: str, new: str) -> None:
        def change(files: dict[str, Any]) -> Any:
            models = files["mlops.yaml"]["models"]
            if old not in models or new in models or self._recorded(new):
                return False  # a new name
            models[new] = {**models.pop(old), "previously": old}
            return True

        self.edit(change, f"rename {old} to {new}")

    @rule(name=names, bias=st.integers(0, 4))
    def tune(self, name: str, bias: int) -> None:
        def change(files: dict[str, Any]) -> Any:
            model = _model(files, name)
            return False if model is None else model["train"].update(params={"bias": bias})

        self.edit(change, f"bias {bias}")

    @rule(name=names, data=st.sampled_from(DATASETS), seed=st.integers(0, 1))
    def learn_from(self, name: str, data: str, seed: int) -> None:
        def change(files: dict[str, Any]) -> Any:
            model = _model(files, name)
            return False if model is None else model["train"].update(data=data, seed=seed)

        self.edit(change, f"train from {data}")

    @rule(name=names, quality=st.integers(0, 3), more=st.sampled_from((*SLICES, "", "# a comment\n")))
    def program(self, name: str, quality: int, more: str) -> None:
        def change(files: dict[str, Any]) -> Any:
            model = _model(files, name)
            return False if model is None else files.update({model["source"]: CODE.format(quality=quality, more=more)})

        self.edit(change, f"code {quality}")

    @rule(name=names, limit=st.sampled_from((None, 1, 2, 4, 6)), worse=st.sampled_from((None, 0, 1)), who=people)
    def judge(self, name: str, limit: int | None, worse: int | None, who: str) -> None:
        def change(files: dict[str, Any]) -> Any:
            model = _model(files, name)
            return False if model is None else _limit(model, limit, worse)

        self.edit(change, f"thresholds {limit} {worse}", who)

    @rule(name=names, risk=st.sampled_from(("low", "high")), where=st.none() | st.sets(route, min_size=1))
    def place(self, name: str, risk: str, where: set[str] | None) -> None:
        def change(files: dict[str, Any]) -> Any:
            model = _model(files, name)
            if model is None:
                return False
            model["risk"] = risk
            model.pop("environments", None)
            here = [item for item in ROUTE if where and item in where and f"environments/{item}.yaml" in files]
            if here:
                model["environments"] = here
            return True

        self.edit(change, f"risk {risk}")

    @rule()
    def go_further(self) -> None:
        """The next environment of the route."""

        def change(files: dict[str, Any]) -> Any:
            for name, value in ROUTE.items():
                if f"environments/{name}.yaml" not in files:
                    files[f"environments/{name}.yaml"] = dict(value)
                    return True
            return False

        self.edit(change, "one environment more")

    @rule(name=route, approval=st.sampled_from((None, "any", "two", "high", "retrain")))
    def ask_approval(self, name: str, approval: str | None) -> None:
        rules = {
            "any": {"by": "risk"},
            "two": {"by": "risk", "count": 2},
            "high": {"by": "risk", "when": {"risk": "high"}},
            "retrain": {"by": "science", "four_eyes": False, "when": {"trigger": "retrain"}},
        }
        self._configure(name, "approval", [rules[approval]] if approval else None)

    @rule(name=released, mode=st.sampled_from((None, "auto", "pull-request", "manual")))
    def promote_by(self, name: str, mode: str | None) -> None:
        self._configure(name, "promotion", mode)

    @rule(name=route, hours=st.sampled_from((None, 1, 24)))
    def soak(self, name: str, hours: int | None) -> None:
        self._configure(name, "soak", f"{hours}h" if hours else None)

    @rule(name=route, days=st.sampled_from((None, 1, 3)))
    def freeze(self, name: str, days: int | None) -> None:
        until = datetime.fromtimestamp(self.company.now + (days or 0) * DAY, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        self._configure(name, "freeze", {"until": until, "reason": "holidays"} if days else None)

    @rule(name=released, what=st.sampled_from(("alert", "rollback")))
    def on_violation(self, name: str, what: str) -> None:
        self._configure(name, "on_violation", what)

    @rule(name=st.sampled_from(("integration", "regression", "production")), here=st.booleans())
    def deploy_in(self, name: str, here: bool) -> None:
        self._configure(name, "deploy", {"target": "local", "path": f"deployed/{name}"} if here else None)

    def _configure(self, name: str, key: str, value: Any) -> None:
        self.edit(lambda files: configure(files, name=name, key=key, value=value), f"{key} of {name}")

    @rule()
    def revert(self) -> None:
        """Take the last declaration back. What was trained before is trained; nothing is trained for it."""
        company = self.company
        with company.acting("ada"):
            company.git(DESK, "pull", "--quiet", "--ff-only")
            last = company.git(DESK, "log", "--first-parent", "-1", "--format=%H", "--grep=^declare:")
            first = company.git(DESK, "rev-list", "--count", f"{last}~1") == "1"
            if first or not company.works(DESK, "revert", "--no-edit", last):
                company.works(DESK, "revert", "--abort")
                return
            if not company.valid(DESK):
                company.git(DESK, "reset", "--quiet", "--hard", "HEAD~1")
                return
            company.git(DESK, "push", "--quiet", "origin", "main")

    @rule(clone=machines)
    def mistype(self, clone: str) -> None:
        """Unreadable declarations stop everything; nothing is deleted for them."""
        company = self.company
        if not self._level(clone):
            return
        with company.acting("ada"):
            company.git(DESK, "pull", "--quiet", "--ff-only")
            file = company.root(DESK) / "mlops.yaml"
            file.write_text(file.read_text().replace("models:", "models: {", 1))
            company.git(DESK, "commit", "--quiet", "--all", "--message", "a typing error")
            company.git(DESK, "push", "--quiet", "origin", "main")
            company.git(clone, "pull", "--quiet", "--ff-only")
        before = self._tip()
        with pytest.raises(DeclarationsError):
            company.reconcile(clone)
        assert self._tip() == before
        with company.acting("ada"):
            company.git(DESK, "revert", "--no-edit", "HEAD")
            company.git(DESK, "push", "--quiet", "origin", "main")
            company.git(clone, "pull", "--quiet", "--ff-only")

    # ------------------------------------------------------------------ small steps

    def _follow(self, clone: str) -> bool:
        """Bring the clone up to what the remote has, as a CI job or a person would."""
        with self.company.acting("ada"):
            self.company.git(clone, "fetch", "--quiet", "--prune")
            return self.company.works(clone, "merge", "--quiet", "--ff-only", "origin/main")

    def _level(self, clone: str) -> bool:
        self._follow(clone)
        return self.company.git(clone, "rev-parse", "HEAD") == self.company.git("origin.git", "rev-parse", "main")

    def _tip(self) -> str:
        return self.company.git("origin.git", "for-each-ref", "--format=%(refname) %(objectname)")

    def _recorded(self, name: str) -> bool:
        ref = f"origin/{self.company.records_ref()}"
        self.company.git(DESK, "fetch", "--quiet")
        return self.company.works(DESK, "cat-file", "-e", f"{ref}:registry/{name}")


def _model(files: dict[str, Any], name: str) -> Any:
    """The model of that name, else another one; None where none is declared."""
    models = files["mlops.yaml"]["models"]
    return models.get(name) or next(iter(models.values()), None)


def configure(files: dict[str, Any], *, name: str, key: str, value: Any) -> bool:
    """Set a key of an environment, None takes it away; False where there is no such environment."""
    environment = files.get(f"environments/{name}.yaml")
    if environment is None:
        return False
    environment.pop(key, None)
    if value is not None:
        environment[key] = value
    return True


def declare(files: dict[str, Any], name: str, limit: int | None) -> None:
    source = f"code/{name}.py"
    files["mlops.yaml"]["models"][name] = {
        "source": source,
        "task": "regression",
        "target": "sold",
        "risk": "low",
        "train": {"data": "sales", "params": {"bias": 1}},
    }
    files.setdefault(source, CODE.format(quality=0, more=""))
    _limit(files["mlops.yaml"]["models"][name], limit, None)


def _limit(model: dict[str, Any], limit: int | None, worse: int | None) -> None:
    bounds = {key: value for key, value in (("max", limit), ("max_worsening", worse)) if value is not None}
    model.pop("thresholds", None)
    if bounds:
        model["thresholds"] = {METRIC: bounds}
