"""What the pipelines are built from: the declared workflows and environments, and where trainings run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from stellwerk.render.pipeline import Checkout, Entry, Install, Right, Run, Secret, Value

if TYPE_CHECKING:
    from stellwerk.model.declared import Environment, Workflows

TRAINING_MINUTES = 360
MINUTES = 60


class Facts(Struct, frozen=True, kw_only=True):
    """`environments` in route order; `development` where source is judged.

    `training`: the environments in which models train, None for "no environment"; `sources`: those in which due
    snapshots are taken, likewise. `schedules`: every cron text of `retrain`, sorted; `messages`: whether a model is
    retrained on word from outside.
    """

    workflows: Workflows
    environments: tuple[Environment, ...] = ()
    training: tuple[Environment | None, ...] = ()
    sources: tuple[Environment | None, ...] = ()
    schedules: tuple[str, ...] = ()
    messages: bool = False
    merges: bool = False  # a pull request that merges by itself brings the records to the branch

    @property
    def development(self) -> Environment | None:
        """The environment whose check judges a pull request's source."""
        return next((item for item in self.environments if item.purpose == "development"), None)

    @property
    def delivered(self) -> tuple[Environment, ...]:
        """The environments that judge or run versions, in route order."""
        return tuple(item for item in self.environments if item.purpose != "development")

    def branch(self, *, push: bool = False) -> tuple[Checkout, Install]:
        """The tip of the branch, whatever started the run: what earlier jobs committed is there."""
        return Checkout(ref=self.workflows.branch, push=push), Install()

    def runner(self, environment: Environment | None) -> tuple[str, ...]:
        """The labels of the machine for a job in that environment."""
        return environment.runner if environment is not None and environment.runner else self.workflows.runner


def slug(name: str, taken: tuple[str, ...]) -> str:
    """A job's id for a name: ASCII letters, digits, `-`; told apart from those taken by a number."""
    text = "".join(char if char.isascii() and char.isalnum() else "-" for char in name.lower()).strip("-") or "x"
    text = text[:80]
    number = 2
    found = text
    while found in taken:
        found, number = f"{text}-{number}", number + 1
    return found


def ids(prefix: str, environments: tuple[Environment | None, ...]) -> tuple[str, ...]:
    """The id of each environment's job: `prefix-name`, or the prefix alone where there is none."""
    found: tuple[str, ...] = ()
    for item in environments:
        found = (*found, slug(f"{prefix}-{item.name}" if item is not None and prefix else _name(item, prefix), found))
    return found


def _name(item: Environment | None, prefix: str) -> str:
    return prefix if item is None else item.name


def surroundings(environment: Environment | None) -> tuple[tuple[str, Value], ...]:
    """The variables that commands of a job in that environment see: its secrets, its identity."""
    if environment is None:
        return ()
    found: list[tuple[str, Value]] = [(name, Secret(name=name)) for name in sorted(environment.secrets)]
    if environment.identity is not None:
        found.append(("STELLWERK_IDENTITY", environment.identity))
    return tuple(found)


def rights(environment: Environment | None, *first: Right) -> tuple[Right, ...]:
    """The rights given, and the proof of identity where the environment names one."""
    more = (Right.IDENTITY,) if environment is not None and environment.identity is not None else ()
    return (*first, *more)


def announcing(facts: Facts) -> tuple[Right, ...]:
    """What it takes to open pull requests and issues, and to merge one."""
    return (Right.PUSH if facts.merges else Right.READ, Right.PULL_REQUESTS, Right.ISSUES)


def entry(key: str) -> Entry:
    """A key of the matrix entry."""
    return Entry(key=key)


def up_and_down(environment: Environment, *steps: Run) -> tuple[Run, ...]:
    """The steps, with the environment brought up before and taken down after them whatever happens."""
    named: tuple[tuple[str, Value], ...] = (("STELLWERK_ENVIRONMENT", environment.name), *surroundings(environment))
    before: tuple[Run, ...] = ()
    after: tuple[Run, ...] = ()
    if environment.up is not None:
        before = (Run(name="Bring the environment up", command='bash -c "$UP"', env=(("UP", environment.up), *named)),)
    if environment.down is not None:
        down = 'bash -c "$DOWN"'
        env = (("DOWN", environment.down), *named)
        after = (Run(name="Take the environment down", command=down, env=env, always=True),)
    return (*before, *steps, *after)
