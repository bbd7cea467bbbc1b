"""What people declare in `mlops.yaml` and `environments/*.yaml`, resolved: defaults laid under, includes merged.

Every class mirrors the YAML keys of the same name. Durations are seconds. Paths are relative to the
repository root, with forward slashes.
"""

from __future__ import annotations

import keyword
from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct, field

NOTEBOOK = ".ipynb"
Json = str | int | float | bool | None | list["Json"] | dict[str, "Json"]


def module_name(path: str) -> str:
    """The name under which a notebook's module is imported: that of its file, as an identifier."""
    stem = path.rpartition("/")[2].removesuffix(NOTEBOOK)
    name = "".join(char if char.isidentifier() or char.isdigit() else "_" for char in stem)
    return name if name.isidentifier() and not keyword.iskeyword(name) else f"_{name}"


class Purpose(StrEnum):
    """What an environment is for; decides its default checks."""

    DEVELOPMENT = "development"
    INTEGRATION = "integration"
    REGRESSION = "regression"
    PRODUCTION = "production"


class Member(Struct, frozen=True, kw_only=True):
    """A person of a team. `email` ties the name to a git author, `github` to an account."""

    name: str
    email: str | None = None
    github: str | None = None


class Team(Struct, frozen=True, kw_only=True):
    name: str
    members: tuple[Member, ...] = ()
    github: str | None = None
    contact: str | None = None


class Column(Struct, frozen=True, kw_only=True):
    """A column of a dataset and what its values must be. `missing` is the largest allowed share, 0..1."""

    name: str
    type: str | None = None  # string | integer | number | boolean | date | datetime
    min: float | str | None = None
    max: float | str | None = None
    allowed: tuple[Json, ...] | None = None
    unique: bool = False
    missing: float | None = None  # None: not checked
    pattern: str | None = None
    description: str | None = None


class Source(Struct, frozen=True, kw_only=True):
    """Where a new snapshot of a dataset comes from; exactly one is set."""

    file: str | None = None
    command: str | None = None
    url: str | None = None


class Dataset(Struct, frozen=True, kw_only=True):
    name: str
    path: str
    format: str = "csv"  # csv | parquet | jsonl
    owner: str | None = None
    classification: str | None = None
    stand_in: str | None = None
    key: tuple[str, ...] = ()
    time: str | None = None
    source: Source | None = None
    description: str | None = None
    columns: tuple[Column, ...] = ()
    personal: tuple[str, ...] = ()


class Owners(Struct, frozen=True, kw_only=True):
    """Who answers for a model; each names a team. Falls back to the project's owners key by key."""

    accountable: str | None = None
    develops: str | None = None
    operates: str | None = None
    monitors: str | None = None
    retrains: str | None = None


class Holdout(Struct, frozen=True, kw_only=True):
    """Rows kept from training. Exactly one of `fraction` (0..1, by hash) or `last` (share or seconds of `time`).

    `by` names columns whose equal values stay on one side; with neither `fraction` nor `last`, 0.2 by hash.
    """

    fraction: float | None = 0.2
    last_share: float | None = None
    last_seconds: int | None = None
    by: tuple[str, ...] = ()


class Train(Struct, frozen=True, kw_only=True):
    data: str
    params: Mapping[str, Json] = field(default_factory=dict)
    seed: int = 0
    timeout: int = 3600
    holdout: Holdout = Holdout()


class Retrain(Struct, frozen=True, kw_only=True):
    """When new data is taken unasked. `schedule` is cron in UTC; `on`: `data` where the CI service is told of it."""

    schedule: str | None = None
    on: tuple[str, ...] = ()


class Command(Struct, frozen=True, kw_only=True):
    """A model that is not a Python source: shell commands with documented files in and out."""

    train: str
    predict: str


class Features(Struct, frozen=True, kw_only=True):
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()


class Worsening(Struct, frozen=True, kw_only=True):
    """How much worse than the champion is tolerated: absolute, or a share of the champion's value."""

    value: float
    relative: bool = False


class Threshold(Struct, frozen=True, kw_only=True):
    metric: str
    max: float | None = None
    min: float | None = None
    max_worsening: Worsening | None = None
    min_rows: int = 1
    confidence: float = 0.95
    judge: str = "estimate"  # estimate | bound
    slices: tuple[str, ...] = ()


class CommandCheck(Struct, frozen=True, kw_only=True):
    name: str
    command: str
    timeout: int = 600


class Model(Struct, frozen=True, kw_only=True):
    name: str
    train: Train | None = None  # None: declared, not trained yet (only owners, say)
    retrain: Retrain = Retrain()
    source: str | None = None
    command: Command | None = None
    inputs: tuple[str, ...] = ()
    requirements: str | None = None
    task: str | None = None  # regression | classification; None: decided by the target's type
    target: str | None = None
    positive: Json = None
    features: Features = Features()
    risk: str | None = None  # low | limited | high
    trains_in: str | None = None
    thresholds: tuple[Threshold, ...] = ()
    environments: tuple[str, ...] | None = None  # None: all
    checks: tuple[CommandCheck, ...] = ()
    owners: Owners = Owners()
    previously: str | None = None
    description: str | None = None
    fallback: str | None = None  # what serves when the model is withdrawn
    format: str | None = None  # onnx: what the model is written as; None: skops, joblib or pickle
    tolerance: float | None = None  # `equivalence: {tolerance}`: how far a module may predict from its notebook

    @property
    def module(self) -> str | None:
        """The Python file it is trained by: what a notebook becomes, else the source itself."""
        if self.source is None or not self.source.endswith(NOTEBOOK):
            return self.source
        return f"models/{self.name}/{module_name(self.source)}.py"


class When(Struct, frozen=True, kw_only=True):
    """A condition on a candidate; an empty tuple means any."""

    risk: tuple[str, ...] = ()
    trigger: tuple[str, ...] = ()  # change | retrain


class ApprovalRule(Struct, frozen=True, kw_only=True):
    by: str  # a team
    count: int = 1
    four_eyes: bool = True
    when: When = When()


class PromotionRule(Struct, frozen=True, kw_only=True):
    mode: str = "auto"  # auto | pull-request | manual
    when: When = When()


class Control(Struct, frozen=True, kw_only=True):
    """A safeguard an environment carries. Without `check` it is only *declared*."""

    name: str
    check: str | None = None


class DeployTarget(Struct, frozen=True, kw_only=True):
    """Where a release runs: a folder (`local`) or whatever a command manages."""

    target: str  # local | command
    path: str | None = None
    command: str | None = None
    probe: str | None = None
    timeout: int = 600


class Freeze(Struct, frozen=True, kw_only=True):
    until: str  # ISO 8601 date or time; a date ends at its first moment, UTC
    reason: str


class Environment(Struct, frozen=True, kw_only=True):
    name: str
    purpose: Purpose
    after: str | None = None
    clone_of: str | None = None
    allows: tuple[str, ...] | None = None  # None: every classification
    controls: tuple[Control, ...] = ()
    checks: tuple[CommandCheck, ...] = ()
    approval: tuple[ApprovalRule, ...] = ()
    promotion: tuple[PromotionRule, ...] = ()
    on_violation: str = "alert"  # alert | rollback
    soak: int = 0
    freeze: Freeze | None = None
    runner: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    identity: str | None = None
    remote: str | None = None
    deploy: DeployTarget | None = None
    up: str | None = None
    down: str | None = None
    owner: str | None = None
    description: str | None = None


class Retention(Struct, frozen=True, kw_only=True):
    """How long, in seconds, the bytes of what is no longer in use stay; None: for ever."""

    releases: int | None = None
    versions: int | None = None
    snapshots: int | None = None


class Limits(Struct, frozen=True, kw_only=True):
    trainings: int = 10  # more in one plan wait for --confirm-trainings
    min_group: int = 10  # nothing recorded shows a value held by fewer rows
    retention: Retention = Retention()


class Records(Struct, frozen=True, kw_only=True):
    """Where machine-written commits land: the checked-out branch, or a ref of their own."""

    ref: str | None = None
    pull_request: bool = False  # a pull request brings them from the ref to the branch


class Packages(Struct, frozen=True, kw_only=True):
    """What `stellwerk package` builds on. `image` is pinned: `name:tag@sha256:...`."""

    image: str | None = None


class Install(Struct, frozen=True, kw_only=True):
    """How a CI job installs Stellwerk. `method`: release | wheels | checkout (the key `from`)."""

    method: str = "release"
    requirements: str = ".github/stellwerk.txt"
    index: str | None = None
    wheels: str = "wheels"


class App(Struct, frozen=True, kw_only=True):
    """The names of the variable with an app's client id and of the secret with its private key."""

    id: str = "STELLWERK_APP_ID"
    key: str = "STELLWERK_APP_KEY"


class Workflows(Struct, frozen=True, kw_only=True):
    """What is rendered for the CI service. `actions`: name -> "<commit> # <version>"; `drift` is cron in UTC."""

    provider: str = "github"  # github | bitbucket
    branch: str = "main"
    identity: str = "github-token"  # github-token | github-app
    app: App = App()
    author: str | None = None  # "Name <address>"
    python: str = "3.11"
    runner: tuple[str, ...] = ("ubuntu-24.04",)
    install: Install = Install()
    actions: Mapping[str, str] = field(default_factory=dict)
    drift: str = "17 4 * * *"


class Project(Struct, frozen=True, kw_only=True):
    """Everything declared, resolved. Tuples are sorted by name; environments stand in route order.

    `included`, where workflows are rendered: included file -> (key, entry, only thresholds) of what it declares.
    """

    name: str | None = None
    requires: str | None = None
    owners: Owners = Owners()
    classifications: tuple[str, ...] = ()
    teams: tuple[Team, ...] = ()
    datasets: tuple[Dataset, ...] = ()
    models: tuple[Model, ...] = ()
    environments: tuple[Environment, ...] = ()
    limits: Limits = Limits()
    records: Records = Records()
    packages: Packages = Packages()
    workflows: Workflows | None = None  # None: none are rendered
    included: Mapping[str, tuple[tuple[str, str, bool], ...]] = field(default_factory=dict)
