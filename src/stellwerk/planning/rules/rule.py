"""What a rule is: an id, its words, two examples, and a pure check over everything that is declared and observed."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from msgspec import Struct, field

from stellwerk.model.findings import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from stellwerk.declarations.compose import Declarations
    from stellwerk.model.declared import Dataset, Environment, Model, Project, Team
    from stellwerk.model.findings import Place
    from stellwerk.model.observed import Observed
    from stellwerk.model.ports import Tree


class RuleInput(Struct, frozen=True, kw_only=True, dict=True):
    """What rules judge. `base` is what was declared before; each part may be absent, and its rules are then silent.

    `shared` keeps what several rules of a family rest on, by the family's name.
    """

    declarations: Declarations
    base: Declarations | None = None
    observed: Observed | None = None
    tree: Tree | None = None
    shared: dict[str, object] = field(default_factory=dict)

    @property
    def project(self) -> Project:
        """The resolved project."""
        return self.declarations.project

    @cached_property
    def datasets(self) -> Mapping[str, Dataset]:
        """By name."""
        return {dataset.name: dataset for dataset in self.project.datasets}

    @cached_property
    def models(self) -> Mapping[str, Model]:
        """By name."""
        return {model.name: model for model in self.project.models}

    @cached_property
    def environments(self) -> Mapping[str, Environment]:
        """By name."""
        return {environment.name: environment for environment in self.project.environments}

    @cached_property
    def teams(self) -> Mapping[str, Team]:
        """By name."""
        return {team.name: team for team in self.project.teams}

    def place(self, *keys: str | int) -> Place:
        """Where the value under those keys is written."""
        return self.declarations.place(*keys)


class Problem(Struct, frozen=True, kw_only=True):
    """One thing that breaks a rule: where, what is wrong, and what to type or change."""

    place: Place
    message: str
    hint: str = ""


class Example(Struct, frozen=True, kw_only=True):
    """Files that break or keep a rule: path -> text. `base` are the files of the revision compared with.

    `whole`: these files are the whole repository, so a file that is not here is missing. `links` are symbolic links.
    `observed` and `note` say, for rules about recorded state, what git shows besides the files.
    """

    files: Mapping[str, str]
    base: Mapping[str, str] | None = None
    whole: bool = False
    links: frozenset[str] = frozenset()
    observed: Observed | None = None
    note: str = ""


class Rule(Struct, frozen=True, kw_only=True):
    """One rule. `check` is None where the mistake is found elsewhere: by the loader, or on the data itself."""

    id: str
    title: str
    severity: Severity
    explanation: str
    failing: Example
    passing: Example
    check: Callable[[RuleInput], Iterator[Problem]] | None = None

    def findings(self, given: RuleInput) -> Iterator[Finding]:
        """What breaks this rule, in the order of the declarations."""
        if self.check is None:
            return
        for problem in self.check(given):
            yield Finding(
                rule=self.id,
                severity=self.severity,
                place=problem.place,
                message=problem.message,
                hint=problem.hint,
            )


def declared(text: str, **environments: str) -> Example:
    """An example of one `mlops.yaml` and a file for each environment, whose name is the keyword's."""
    files = {"mlops.yaml": f"version: 1\n{text.strip()}\n"}
    for name, content in environments.items():
        files[f"environments/{name}.yaml"] = f"{content.strip()}\n"
    return Example(files=files)
