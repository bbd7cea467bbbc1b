"""What rendered jobs rely on and a machine of the CI service does not have: folders of somebody's own machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stellwerk.model.findings import Place, Severity
from stellwerk.planning.rules.rule import Example, Problem, Rule, RuleInput

if TYPE_CHECKING:
    from collections.abc import Iterator

CONFIG = ".dvc/config"
OWN = frozenset({"self-hosted", "self.hosted"})  # labels of machines of one's own, on GitHub and on Bitbucket


def _hosted(labels: tuple[str, ...]) -> bool:
    return not OWN & set(labels)


def _remotes(text: str) -> Iterator[tuple[int, str, str]]:
    """Line (from 1), name and URL of each remote in DVC's configuration; none where it cannot be read."""
    import configparser

    config = configparser.RawConfigParser(strict=False, interpolation=None)
    try:
        config.read_string(text)
    except configparser.Error:
        return
    lines = text.splitlines()
    for section in config.sections():
        url = config.get(section, "url", fallback="").strip()
        if url and section.strip("'\"").startswith("remote "):
            at = next((n for n, line in enumerate(lines, start=1) if line.strip().startswith("url") and url in line), 1)
            yield at, section.strip("'\"").removeprefix("remote ").strip('"'), url


def _remote_elsewhere(given: RuleInput) -> Iterator[Problem]:
    workflows = given.project.workflows
    if given.tree is None or workflows is None:
        return
    runners = {item.runner or workflows.runner for item in given.project.environments} or {workflows.runner}
    hosted = sorted(labels for labels in runners if _hosted(labels))
    content = given.tree.read([CONFIG]).get(CONFIG) if hosted else None
    for line, name, url in _remotes((content or b"").decode("utf-8", "replace")):
        if "://" not in url:
            yield Problem(
                place=Place(path=CONFIG, line=line),
                message=f"the jobs run on {' '.join(hosted[0])}, which has no folder {url}: no job gets at the data of"
                f" the remote '{name}'",
                hint=f"dvc remote modify {name} url s3://... (or where else jobs reach it); or `runner: [self-hosted]`,"
                " a machine that has the folder",
            )


def _deployed_nowhere(given: RuleInput) -> Iterator[Problem]:
    workflows = given.project.workflows
    for environment in given.project.environments if workflows is not None else ():
        labels = environment.runner or (workflows.runner if workflows is not None else ())
        if environment.deploy is not None and environment.deploy.target == "local" and _hosted(labels):
            yield Problem(
                place=given.place("environments", environment.name, "deploy", "target"),
                message=f"'{environment.name}' deploys into a folder of {' '.join(labels)}, a machine that is gone"
                " with its job",
                hint="deploy: {target: command, command: ..., probe: ...}; or `runner: [self-hosted]`, a machine that"
                " stays",
            )


_WORKFLOWS = "version: 1\nworkflows: {{install: {{from: checkout}}, runner: [{}]}}\n"
_STORAGE = "[core]\n    remote = storage\n['remote \"storage\"']\n    url = {}\n"
_PRODUCTION = "purpose: production\ndeploy: {{target: {}}}\n"


def _config(runner: str, url: str) -> Example:
    return Example(files={"mlops.yaml": _WORKFLOWS.format(runner), CONFIG: _STORAGE.format(url)}, whole=True)


def _deploy(runner: str, deploy: str) -> Example:
    files = {"mlops.yaml": _WORKFLOWS.format(runner), "environments/production.yaml": _PRODUCTION.format(deploy)}
    return Example(files=files, whole=True)


RULES = (
    Rule(
        id="SW706",
        title="data where no job gets at them",
        severity=Severity.WARNING,
        explanation="`stellwerk init` makes a DVC remote in a folder beside the project, which is enough for one"
        " person. A machine of the CI service starts empty: it has the repository and nothing else.",
        failing=_config("ubuntu-24.04", "../../storage"),
        passing=_config("ubuntu-24.04", "s3://bucket/storage"),
        check=_remote_elsewhere,
    ),
    Rule(
        id="SW707",
        title="deployment into a machine that is gone with its job",
        severity=Severity.WARNING,
        explanation="`target: local` unpacks the package into a folder of the machine that runs the job. A machine of"
        " the CI service is thrown away afterwards, and the release with it.",
        failing=_deploy("ubuntu-24.04", "local, path: deployed"),
        passing=_deploy("self-hosted, linux", "local, path: deployed"),
        check=_deployed_nowhere,
    ),
)
