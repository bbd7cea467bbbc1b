"""What CI runs, in words of no provider: pipelines of jobs of steps. A renderer writes them for one provider.

Nothing here is text of a workflow file: conditions, rights and values from outside are named, and each renderer says
how its provider writes them, or reports that it cannot.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class Fact(StrEnum):
    """What only the provider knows while a job runs. A command reads it from a variable, never from its own text."""

    BASE = "base"  # the commit that a pull request is compared with
    PULL_REQUEST = "pull-request"  # its number
    CRON = "cron"  # the schedule that started the run; empty: something else did
    DATASET = "dataset"  # the dataset that a message or a person named; empty: none
    TRAININGS = "trainings"  # how many trainings a person confirmed; empty: none
    REMOVALS = "removals"
    TOKEN = "token"  # noqa: S105 - what the forge lets this job do
    RESULTS = "results"  # how the jobs before ended, separated by blanks


class Entry(Struct, frozen=True, kw_only=True):
    """A key of the matrix entry that a job runs for."""

    key: str


class Secret(Struct, frozen=True, kw_only=True):
    """The value of a secret, by its name."""

    name: str


Value = str | Fact | Entry | Secret


class Right(StrEnum):
    """What a job may do to the repository and its forge."""

    READ = "read"
    PUSH = "push"
    PULL_REQUESTS = "pull-requests"
    ISSUES = "issues"
    IDENTITY = "identity"  # prove to a cloud who it is


class Checkout(Struct, frozen=True, kw_only=True):
    """The repository at `ref` ('' = what started the run) with all its history, in `path`.

    `push`: later steps may push. `base`: the commit a pull request is compared with, instead of `ref`.
    """

    ref: str = ""
    path: str = ""
    push: bool = False
    base: bool = False


class Install(Struct, frozen=True, kw_only=True):
    """Python and Stellwerk; `source` is the folder whose pinned packages (or whose Stellwerk) are installed."""

    source: str = ""


class Run(Struct, frozen=True, kw_only=True):
    """A command. `outputs`: it prints `name=value` lines that other jobs use. `always`: whatever happened before."""

    name: str
    command: str
    env: tuple[tuple[str, Value], ...] = ()
    outputs: tuple[str, ...] = ()
    always: bool = False


class Keep(Struct, frozen=True, kw_only=True):
    """Hand files on to later jobs of this run, whatever happened before."""

    artifact: str
    path: str
    entry: str = ""  # the key of the matrix entry that tells the artifacts of one job apart


class Fetch(Struct, frozen=True, kw_only=True):
    """What earlier jobs kept under names that begin with `artifact`, all in `path`."""

    artifact: str
    path: str


Step = Checkout | Install | Run | Keep | Fetch


class Matrix(Struct, frozen=True, kw_only=True):
    """One run of the job for each entry of a list that another job put out; `key`: of a mapping of lists."""

    job: str
    output: str
    key: str | None = None


class Listed(Struct, frozen=True, kw_only=True):
    """Only where the list that another job put out holds the name."""

    job: str
    output: str
    name: str


class Busy(Struct, frozen=True, kw_only=True):
    """Only where one of the other job's outputs is not what it is where there is nothing to do."""

    job: str
    outputs: tuple[tuple[str, str], ...]  # name, what it is then


class When(StrEnum):
    """When a job runs, as its needed jobs ended.

    `SUCCESS`: all succeeded. `PLANNED`: the first did. `FINISHED`: nobody stopped the run. `ALWAYS`: whatever happened.
    """

    SUCCESS = "success"
    PLANNED = "planned"
    FINISHED = "finished"
    ALWAYS = "always"


class Job(Struct, frozen=True, kw_only=True):
    """Steps on one machine. `calls` names another pipeline to run instead of steps.

    `trusted` False: it runs code of a pull request, so it gets no secret, no right but reading, and no machine of
    one's own where the pull request comes from a fork. `lock`: one job at a time under this name, the others wait.
    """

    id: str
    title: str
    why: str
    steps: tuple[Step, ...] = ()
    needs: tuple[str, ...] = ()
    when: When = When.SUCCESS
    condition: Listed | Busy | None = None
    matrix: Matrix | None = None
    runner: tuple[str, ...] = ()
    environment: str | None = None
    secrets: tuple[str, ...] = ()
    rights: tuple[Right, ...] = (Right.READ,)
    lock: str | None = None
    minutes: int = 30
    trusted: bool = True
    own_branches: bool = False  # not for pull requests from forks
    calls: str | None = None


class Triggers(Struct, frozen=True, kw_only=True):
    """What starts a pipeline. `crons` in UTC; `message`: of that type, from outside; `inputs`: asked of a person."""

    pull_request: bool = False
    push: bool = False
    called: bool = False
    crons: tuple[str, ...] = ()
    message: str | None = None
    inputs: tuple[tuple[str, str], ...] = ()  # name, description
    manual: bool = False


class Pipeline(Struct, frozen=True, kw_only=True):
    """One workflow: `name` is that of its file."""

    name: str
    title: str
    about: str
    on: Triggers
    jobs: tuple[Job, ...]
