"""What a rule is: an id, its words, two examples, and a pure check over everything that is declared and observed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from stellwerk.model.findings import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from stellwerk.declarations.compose import Declarations
    from stellwerk.model.declared import Dataset, Environment, Model, Project, Team
    from stellwerk.model.findings import Place
    from stellwerk.model.observed import Observed
    from stellwerk.model.ports import Tree


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleInput:
    """What rules judge. `base` is what was declared before; each part may be absent, and its rules are then silent.

    `shared` keeps what several rules of a family rest on, by the family's name.
    """

    declarations: Declarations
    base: Declarations | None = None
    observed: Observed | None = None
    tree: Tree | None = None
    datasets: Mapping[str, Dataset] = field(init=False)
    models: Mapping[str, Model] = field(init=False)
    environments: Mapping[str, Environment] = field(init=False)
    teams: Mapping[str, Team] = field(init=False)
    shared: dict[str, object] = field(init=False, default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        project = self.declarations.project
        object.__setattr__(self, "datasets", {dataset.name: dataset for dataset in project.datasets})
        object.__setattr__(self, "models", {model.name: model for model in project.models})
        object.__setattr__(
            self, "environments", {environment.name: environment for environment in project.environments}
        )
        object.__setattr__(self, "teams", {team.name: team for team in project.teams})

    @property
    def project(self) -> Project:
        """The resolved project."""
        return self.declarations.project

    def place(self, *keys: str | int) -> Place:
        """Where the value under those keys is written."""
        return self.declarations.place(*keys)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that breaks a rule: where, what is wrong, and what to type or change."""

    place: Place
    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
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
