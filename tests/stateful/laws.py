"""What must hold whatever happened. Reads commits and files; the gates are worked out again here, from the records alone."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from company import Company
from stand_ins import METRIC

from stellwerk.adapters.git.read import CommitTree
from stellwerk.app.state import Loaded, Loader
from stellwerk.model.ports import Clock

KEPT = re.compile(r"registry/[^/]+/(\d+/(version\.yaml|profile\.json|verdicts/.*|approvals/.*)|incidents/.*)")
BORN = ("version.yaml", "profile.json")


class History:
    """Judges the commits of the remote's records ref, each of them once."""

    def __init__(self, company: Company) -> None:
        self.company = company
        self.seen: set[str] = set()
        self.judged = 0  # releases and deployments that were judged

    def check(self) -> None:
        """Raise AssertionError for a commit that loses or changes a record, or releases what it should not."""
        origin, ref = self.company.origin, self.company.records_ref()
        if not self.company.works("origin.git", "rev-parse", "--verify", "--quiet", f"refs/heads/{ref}"):
            return
        log = self.company.git(
            "origin.git", "log", "--first-parent", "-m", "--raw", "--no-abbrev", "--no-renames", "--topo-order",
            "--format=>%H %P", f"refs/heads/{ref}", *([f"^{item}" for item in self.seen] if self.seen else ()),
        )  # fmt: skip
        fresh = [_commit(text) for text in log.split(">")[1:]]
        for commit, parents, changes in reversed(fresh):
            _keeps(commit, changes)
            if len(parents) == 1 and any(path.startswith(("environments/", "registry/")) for _, path, _ in changes):
                self._entitled(origin, commit, parents[0], changes)
        if fresh:
            self.seen = {fresh[0][0]}
            _numbered(self._tree(origin, fresh[0][0]))

    def _tree(self, root: Path, commit: str) -> dict[str, Any]:
        tree = CommitTree(_reader(root), commit)
        wanted = [path for path in tree.blobs() if path.startswith("registry/") and path.endswith("version.yaml")]
        return {path: yaml.load(content, yaml.CSafeLoader) for path, content in tree.read(wanted).items()}

    def _entitled(self, root: Path, commit: str, parent: str, changes: list[tuple[str, str, str]]) -> None:
        """Every release the machine set and every deployment it recorded was allowed by the state before it."""
        message = self.company.git("origin.git", "log", "-1", "--format=%an%n%B", commit)
        author, text = message.split("\n", 1)
        action = re.search(r"^Stellwerk-Action: (.*)$", text, re.MULTILINE)
        if action is None or action[1] not in {"promote", "deploy"}:
            return
        loaded = load(root, parent, self.company.moments.get(commit, self.company.now))
        now = self.company.moments.get(commit, self.company.now)
        for status, path, _ in changes:
            parts = path.split("/")
            if action[1] == "promote" and parts[0] == "environments" and status in "AM":
                environment, model = parts[1], parts[2].removesuffix(".yaml")
                after = yaml.safe_load(CommitTree(_reader(root), commit).read([path])[path])
                problems = list(
                    promotable(loaded, model, environment, after["version"], now, by_hand=author != "robot")
                )
            elif action[1] == "deploy" and parts[0] == "registry" and parts[2] == "deployments":
                environment, model = parts[3].removesuffix(".yaml"), parts[1]
                after = yaml.safe_load(CommitTree(_reader(root), commit).read([path])[path])
                problems = list(deployable(loaded, model, environment, after.get("version"), now))
            else:
                continue
            self.judged += 1
            assert not problems, f"{text.splitlines()[0]} ({commit[:8]}): {problems}"


def load(root: Path, commit: str, now: float) -> Loaded:
    """The state of a commit in the bare remote, without any cache."""
    return Loader(reader=_reader(root), cache=NoCache(), clock=Clock(now=lambda: now)).commit(commit)


class NoCache:
    def get(self, kind: str, blob: str) -> Any:
        return None

    def put(self, kind: str, blob: str, value: Any) -> None:
        return None


def _reader(root: Path) -> Any:
    import os

    from stellwerk.adapters.git.read import GitReader

    return GitReader(root, dict(os.environ))


def _commit(text: str) -> tuple[str, list[str], list[tuple[str, str, str]]]:
    """(commit, parents, [(status, path, blob)])."""
    head, *lines = text.splitlines()
    commit, *parents = head.split()
    changes = []
    for line in lines:
        if line.startswith(":"):
            meta, _, path = line.partition("\t")
            before, after, status = meta.split(" ")[2:5]
            changes.append((status, path, before if status == "D" else after))
    return commit, parents, changes


def _keeps(commit: str, changes: list[tuple[str, str, str]]) -> None:
    """Nothing that was recorded is changed after its birth or lost; a rename moves it as it was."""
    arrived = {(path.split("/", 2)[2], blob) for status, path, blob in changes if status == "A" and path.count("/") > 1}
    for status, path, blob in changes:
        if status == "M":
            assert not path.endswith(BORN) or not path.startswith("registry/"), f"{commit[:8]} changes {path}"
        if status == "D" and KEPT.fullmatch(path):
            assert (path.split("/", 2)[2], blob) in arrived, f"{commit[:8]} loses {path}"


def _numbered(records: dict[str, Any]) -> None:
    """Numbers are dense and a fingerprint has one version."""
    models: dict[str, dict[int, Any]] = {}
    for path, record in records.items():
        _, model, number, _ = path.split("/")
        assert record["number"] == int(number), path
        models.setdefault(model, {})[int(number)] = record
    for model, found in models.items():
        assert sorted(found) == list(range(1, len(found) + 1)), f"{model}: {sorted(found)}"
        doubled = [key for key, count in Counter(item["fingerprint"] for item in found.values()).items() if count > 1]
        assert not doubled, f"{model} has two versions of one fingerprint"


# ---------------------------------------------------------------------- who may be released


def promotable(
    loaded: Loaded, model: str, environment: str, number: int, now: float, *, by_hand: bool
) -> Iterator[str]:
    """Why the version may not be released there, worked out from declarations and records alone."""
    yield from _checked(loaded, model, environment, number, now)
    release = loaded.state.observed.releases.get((environment, model))
    if release and release.hold and (release.hold.until is None or now < _seconds(release.hold.until)):
        yield f"it is held: {release.hold}"
    if release and release.withdrawn and not by_hand:
        yield "it is withdrawn"
    yield from _frozen(loaded, environment, now)


def deployable(loaded: Loaded, model: str, environment: str, number: int | None, now: float) -> Iterator[str]:
    """Why the version may not run there."""
    release = loaded.state.observed.releases.get((environment, model))
    if release is None:
        yield "nothing is released there"
        return
    if number is None:
        if not release.withdrawn:
            yield "it is not withdrawn"
        return
    if release.withdrawn:
        yield "it is withdrawn"
    if release.version != number:
        yield f"the release says {release.version}"
    if release.rollback is not None and number < release.rollback.of:
        return  # works without an approval, during a freeze
    yield from _checked(loaded, model, environment, number, now)
    yield from _frozen(loaded, environment, now)


def _frozen(loaded: Loaded, environment: str, now: float) -> Iterator[str]:
    declared = loaded.state.environment(environment)
    if declared.freeze and now < _seconds(declared.freeze.until):
        yield f"frozen until {declared.freeze.until}"


def _checked(loaded: Loaded, model: str, environment: str, number: int, now: float) -> Iterator[str]:
    state = loaded.state
    declared, there = state.model(model), state.environment(environment)
    version = state.facts(declared).versions.get(number)
    if version is None:
        yield f"there is no version {number}"
        return
    chain, before = [there], there.after
    while before:
        ahead = state.environment(before)
        if declared.environments is None or before in declared.environments:
            chain.append(ahead)
        before = ahead.after
    limits = [item.max for item in declared.thresholds if item.max is not None]
    error = version.record.metrics[METRIC].value
    regression = any(item.purpose == "regression" for item in chain)
    for item in chain:
        judged = item.purpose != "production" or bool(not regression and declared.thresholds)
        yield from _passed(version, item, judged=judged)
        deployment = state.facts(declared).deployments.get(item.name)
        if item is not there and item.deploy and (deployment is None or deployment.version != number):
            yield f"it does not run in {item.name}"
    if (regression or there.purpose == "production") and limits and error is not None and error > min(limits):
        yield f"its error is {error}, allowed is {min(limits)}"
    yield from _approved(loaded, version, there, declared)
    before_it = next((item for item in chain[1:] if item.deploy or item.name in version.verdicts), None)
    if there.soak and before_it:
        yield from _soaked(state, declared, version, there, before_it, now)


def _passed(version: Any, environment: Any, *, judged: bool) -> Iterator[str]:
    verdict = version.verdicts.get(environment.name)
    if judged and (verdict is None or not verdict.passed):
        yield f"it did not pass {environment.name}"
    if verdict and verdict.package != version.record.package.sha256:
        yield f"the verdict of {environment.name} is about another package"


def _approved(loaded: Loaded, version: Any, there: Any, declared: Any) -> Iterator[str]:
    decisions = version.approvals.get(there.name, ())
    members = {team.name: {item.name for item in team.members} for team in loaded.state.project.teams}
    yield from (f"{item.by} rejected it" for item in decisions if item.decision == "rejected")
    trainer = version.record.actor.partition(" <")[0]
    for rule in there.approval:
        risk = not rule.when.risk or declared.risk in rule.when.risk
        if risk and (not rule.when.trigger or version.record.trigger in rule.when.trigger):
            found = {item.by for item in decisions if item.decision == "approved"} & members[rule.by]
            if len(found - ({trainer} if rule.four_eyes else set())) < rule.count:
                yield f"{sorted(found)} approved, {rule.count} of {rule.by} are asked"


def _soaked(state: Any, declared: Any, version: Any, there: Any, before: Any, now: float) -> Iterator[str]:
    verdict = version.verdicts.get(before.name)
    deployment = state.facts(declared).deployments.get(before.name)
    since = _seconds(deployment.at) if before.deploy and deployment else _seconds(verdict.at) if verdict else None
    if since is not None and now < since + there.soak:
        yield f"it soaked {now - since:.0f} s in {before.name}, asked are {there.soak}"


def _seconds(text: str) -> float:
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
