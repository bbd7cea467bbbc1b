"""`.github/CODEOWNERS` from the declared ownership: who is asked to review which fact. Pure.

GitHub takes the last line that fits a file, so what is special stands below what is general. A team is named by its
account (`github: org/team`), else by the accounts of its members; who has none cannot be asked, and a comment says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stellwerk.model.declared import Environment, Model, Project, Team


def render_codeowners(project: Project) -> str:
    """The lines, general first; '' where nobody with an account owns anything."""
    teams = {team.name: team for team in project.teams}
    lines = _Lines(teams)
    lines.part("Everything that is not named below")
    lines.add("*", project.owners.accountable)
    lines.part("What is wanted: models, data, thresholds, ownership")
    lines.add("/mlops.yaml", project.owners.accountable)
    _included(project, lines)
    lines.part("What runs in CI")
    lines.add("/.github/", project.owners.operates)
    lines.part("Code of the models, and what was recorded of them")
    for model in project.models:
        lines.add(f"/models/{_pattern(model.name)}/", model.owners.develops)
        lines.add(f"/registry/{_pattern(model.name)}/", model.owners.accountable)
    lines.part("Policy of the environments")
    for environment in project.environments:
        lines.add(f"/environments/{_pattern(environment.name)}.yaml", environment.owner or project.owners.operates)
    lines.part("Releases: who approves there, else who owns the model")
    for environment in project.environments:
        _releases(environment, project.models, lines)
    return lines.text()


def _included(project: Project, lines: _Lines) -> None:
    """Files with nothing but thresholds belong to who answers for the models, other parts to who develops them."""
    models = {model.name: model for model in project.models}
    datasets = {dataset.name: dataset for dataset in project.datasets}
    for path, parts in sorted(project.included.items()):
        owners: list[str | None] = []
        for key, entry, limits in parts:
            model, dataset = models.get(entry), datasets.get(entry)
            if key == "models" and model is not None:
                owners.append(model.owners.accountable if limits else model.owners.develops)
            elif key == "datasets" and dataset is not None and dataset.owner:
                owners.append(dataset.owner)
            else:
                owners.append(project.owners.accountable)
        lines.add(f"/{'/'.join(_pattern(part) for part in path.split('/'))}", *dict.fromkeys(owners))


def _releases(environment: Environment, models: Iterable[Model], lines: _Lines) -> None:
    if environment.purpose == "development":
        return
    asked = tuple(dict.fromkeys(rule.by for rule in environment.approval))
    folder = f"/environments/{_pattern(environment.name)}/"
    lines.add(folder, *(asked or (environment.owner,)))
    if asked:
        return
    for model in models:
        if model.environments is None or environment.name in model.environments:
            lines.add(f"{folder}{_pattern(model.name)}.yaml", model.owners.accountable)


def _pattern(name: str) -> str:
    """A name as a pattern that fits nothing else."""
    return "".join(f"\\{char}" if char in "\\ #!*?[]" else char for char in name)


class _Lines:
    """Lines under headings; a heading without lines is left out."""

    def __init__(self, teams: dict[str, Team]) -> None:
        self.teams = teams
        self.parts: list[tuple[str, list[str]]] = []
        self.silent: set[str] = set()

    def part(self, heading: str) -> None:
        self.parts.append((heading, []))

    def add(self, pattern: str, *names: str | None) -> None:
        """One line: the pattern and whoever of the teams can be named."""
        accounts: list[str] = []
        for name in names:
            if name is None:
                continue
            found = self._accounts(name)
            if not found:
                self.silent.add(name)
            accounts += [account for account in found if account not in accounts]
        if accounts:
            self.parts[-1][1].append(f"{pattern} {' '.join(accounts)}")

    def _accounts(self, name: str) -> list[str]:
        team = self.teams.get(name)
        if team is None:
            return []
        if team.github:
            return [_account(team.github)]
        return [_account(member.github) for member in team.members if member.github]

    def text(self) -> str:
        if not any(lines for _, lines in self.parts):
            return ""
        found: list[str] = ["# GitHub takes the last line that fits.\n"]
        if self.silent:
            named = ", ".join(sorted(self.silent))
            found.append(f"# Without an account (`github:` of a team or its members), so not named here: {named}.\n")
        for heading, lines in self.parts:
            if lines:
                found.append(f"\n# {heading}.\n" + "".join(f"{line}\n" for line in lines))
        return "".join(found)


def _account(text: str) -> str:
    kept = "".join(char for char in text.lstrip("@") if char.isascii() and (char.isalnum() or char in "-_./"))
    return f"@{kept}"
