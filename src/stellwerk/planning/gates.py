"""Everything a version must meet to enter an environment, as data: the plan acts on it, `why` shows it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from msgspec import Struct

from stellwerk.model.actions import WaitKind
from stellwerk.planning.gone import evaluation_gone, package_gone
from stellwerk.planning.policy import Policy, Route, current

if TYPE_CHECKING:
    from stellwerk.model.declared import ApprovalRule, Environment, Model, Project, When
    from stellwerk.model.observed import ModelFacts, Observed, Version
    from stellwerk.model.records import CheckResult, Release, Verdict

NAMED = 2  # failed checks that a gate names; `why` shows them all


class Gate(Struct, frozen=True, kw_only=True):
    """One condition. `pending`: an action of the same plan may meet it (`step` says which, in words)."""

    kind: WaitKind
    met: bool
    text: str
    unblock: str = ""
    step: str = ""


class Case(Struct, frozen=True, kw_only=True):
    """One model on its way into one environment. `version` None: not born yet."""

    model: Model
    environment: Environment
    version: Version | None
    facts: ModelFacts
    release: Release | None
    trigger: str

    @property
    def number(self) -> int | None:
        return self.version.record.number if self.version else None


class Gates:
    """Evaluates gates on one observed state at one time. `now` is seconds since the epoch, UTC.

    `timed` says whether an answer since it was last set to False came from the clock.
    """

    def __init__(self, project: Project, observed: Observed, route: Route, now: float) -> None:
        self.project = project
        self.observed = observed
        self.route = route
        self._now = now
        self.timed = False
        self.teams = {team.name: team for team in project.teams}

    @property
    def now(self) -> float:
        """Seconds since the epoch, UTC."""
        self.timed = True
        return self._now

    def release(self, environment: str, model: str) -> Release | None:
        return self.observed.releases.get((environment, model))

    def policy(self, case: Case, environment: Environment) -> Policy:
        return self.route.policy(case.model, environment)

    def verdict(self, version: Version | None, environment: Environment) -> Verdict | None:
        return version.verdicts.get(environment.name) if version else None

    def champion(self, case: Case, environment: Environment) -> int | None:
        """The version to compare with in this environment: what is released where it would go, if it differs."""
        name = self.route.compared_with(case.model, environment)
        release = self.release(name, case.model.name) if name else None
        if release is None or release.withdrawn or release.version == case.number:
            return None
        return release.version if release.version in case.facts.versions else None

    def verdict_current(self, case: Case, environment: Environment) -> bool:
        """Whether the verdict there still counts; one that had to compare with another champion does not."""
        verdict = self.verdict(case.version, environment)
        if case.version is None or verdict is None:
            return False
        policy = self.policy(case, environment)
        if not current(verdict, case.version.record, policy):
            return False
        champion = self.champion(case, environment) if policy.measures else None
        if champion is None or not any(item.max_worsening for item in policy.thresholds):
            return True
        return verdict.champion == champion

    def to_promote(self, case: Case) -> Iterator[Gate]:
        """Every condition of promoting the case's version, in the order they are asked."""
        yield from self._there(case)
        yield from self.checked(case)
        yield from self._soaked(case)
        yield from self._approved(case)
        yield from self._free(case)
        yield from self._mode(case)

    def to_deploy(self, case: Case) -> Iterator[Gate]:
        """Every condition of deploying what the release says; going back asks only that it once passed."""
        release = case.release
        if case.version is None:
            text = f"version {release.version if release else '?'} exists"
            yield Gate(kind=WaitKind.RELEASE, met=False, text=text, unblock="set the release to a registered version")
            return
        yield from self._there(case)
        if release and _goes_back(case, release):
            yield self._once_passed(case)
            return
        yield from self.checked(case)
        yield from self._soaked(case)
        yield from self._approved(case)
        yield from self._frozen(case)

    def checked(self, case: Case) -> Iterator[Gate]:
        """Verdicts of every environment on the way, this one included, and releases where they are deployed."""
        chain = (*reversed(self.route.ancestors(case.model, case.environment)), case.environment)
        for environment in chain:
            policy = self.policy(case, environment)
            if not policy.empty:
                yield self._judged(case, environment)
            last = environment.name == case.environment.name
            if not last and self.route.released_in(environment) and environment.deploy:
                yield self._runs(case, environment)

    def _there(self, case: Case) -> Iterator[Gate]:
        """A package that went on purpose can be released nowhere; that it is there is asked of the remote later."""
        words = package_gone(self.observed, case.version.record) if case.version else ""
        if words:
            yield Gate(
                kind=WaitKind.DATA,
                met=False,
                text=f"the package of v{case.number} was {words}",
                unblock="use another version, or change what is declared so that a new one is trained",
            )

    def unjudgeable(self, version: Version, environment: Environment, policy: Policy) -> Gate | None:
        """What forbids to judge the version there again: its evaluation set was erased. None: nothing does."""
        words = evaluation_gone(self.observed, version) if policy.measures else ""
        if not words:
            return None
        data, number = version.record.data, version.record.number
        return Gate(
            kind=WaitKind.DATA,
            met=False,
            text=f"{environment.name} cannot judge v{number}: its data ({data.dataset} {data.md5[:8]}) were {words}",
            unblock=f"train a new version on a new snapshot: stellwerk snapshot {data.dataset} --because ...",
        )

    def _judged(self, case: Case, environment: Environment) -> Gate:
        verdict = self.verdict(case.version, environment)
        name = environment.name
        if verdict is None or not self.verdict_current(case, environment):
            if case.version and (erased := self.unjudgeable(case.version, environment, self.policy(case, environment))):
                return erased
            text = f"passes the checks of {name}" + (" again: they changed" if verdict else "")
            return Gate(
                kind=WaitKind.VERDICT,
                met=False,
                text=text,
                step=f"{name} passes",
                unblock="stellwerk reconcile checks it",
            )
        if verdict.passed:
            return Gate(kind=WaitKind.VERDICT, met=True, text=f"passed the checks of {name}")
        failed = [check for check in verdict.checks if not check.passed]
        words = "; ".join(check_words(check) for check in failed[:NAMED])
        more = f"; and {len(failed) - NAMED} more" if len(failed) > NAMED else ""
        where = "" if name == case.environment.name else f" in {name}"
        evidence = f"registry/{case.model.name}/{case.number}/verdicts/{name}.yaml"
        return Gate(
            kind=WaitKind.VERDICT,
            met=False,
            text=f"failed{where}: {words}{more}",
            unblock=f"change the data, the code or the threshold; the evidence is {evidence}",
        )

    def _once_passed(self, case: Case) -> Gate:
        """A rollback's condition: under the rules of its time the version passed where releases are judged."""
        judges = self.route.judges(case.model, case.environment)
        verdicts = [self.verdict(case.version, environment) for environment in judges]
        met = all(verdict is not None and verdict.passed for verdict in verdicts) if verdicts else True
        deployment = case.facts.deployments.get(case.environment.name)
        ran = deployment is not None and deployment.version == case.number
        return Gate(
            kind=WaitKind.VERDICT,
            met=met or ran,
            text=f"version {case.number} once passed its checks",
            unblock="roll back to a version that was checked: stellwerk log " + case.model.name,
        )

    def _runs(self, case: Case, environment: Environment) -> Gate:
        deployment = case.facts.deployments.get(environment.name)
        met = case.number is not None and deployment is not None and deployment.version == case.number
        return Gate(
            kind=WaitKind.ROUTE,
            met=met,
            text=f"runs in {environment.name}",
            step=f"it runs in {environment.name}",
            unblock=f"stellwerk why {case.model.name} {environment.name}",
        )

    def _soaked(self, case: Case) -> Iterator[Gate]:
        environment = case.environment
        judging = (
            item
            for item in self.route.ancestors(case.model, environment)
            if item.deploy or not self.policy(case, item).empty
        )
        before = next(judging, None)  # where nothing is checked and nothing runs, nothing soaks
        if not environment.soak or before is None:
            return
        since = self._admitted(case, before)
        text = f"soaked {duration_words(environment.soak)} after {before.name}"
        if since is None:
            unblock = f"wait {duration_words(environment.soak)} after {before.name} passes"
            yield Gate(kind=WaitKind.SOAK, met=False, text=text, unblock=unblock)
            return
        end = since + environment.soak
        yield Gate(kind=WaitKind.SOAK, met=self.now >= end, text=text, unblock=f"wait until {time_words(end)}")

    def _admitted(self, case: Case, before: Environment) -> float | None:
        deployment = case.facts.deployments.get(before.name)
        if before.deploy and self.route.released_in(before):
            return seconds_of(deployment.at) if deployment and deployment.version == case.number else None
        verdict = self.verdict(case.version, before)
        return seconds_of(verdict.at) if verdict and verdict.passed else None

    def _approved(self, case: Case) -> Iterator[Gate]:
        approvals = case.version.approvals.get(case.environment.name, ()) if case.version else ()
        members = {member.name for team in self.project.teams for member in team.members}
        for approval in approvals:
            if approval.decision == "rejected" and (approval.by in members or not members):
                words = f": {approval.because}" if approval.because else ""
                yield Gate(
                    kind=WaitKind.REJECTED,
                    met=False,
                    text=f"{approval.by} rejected version {approval.version}{words}",
                    unblock=f"{approval.by} may decide anew: stellwerk approve",
                )
        for rule in case.environment.approval:
            if matches(rule.when, case.model, case.trigger):
                yield self._rule(case, rule, {item.by for item in approvals if item.decision == "approved"})

    def _rule(self, case: Case, rule: ApprovalRule, approved: set[str]) -> Gate:
        team = self.teams.get(rule.by)
        members = {member.name for member in team.members} if team else set()
        barred = self.barred(case) if rule.four_eyes else {}
        valid = sorted(name for name in approved & members if name not in barred)
        named = f" ({', '.join(valid)})" if valid else ""
        text = f"{len(valid)} of {rule.count} approvals by team {rule.by}{named}"
        excluded = "; ".join(f"{name} may not: {why}" for name, why in sorted(barred.items()) if name in members)
        command = f"stellwerk approve {case.model.name} {case.environment.name}"
        unblock = f"{command}, by {' or '.join(sorted(members - set(barred) - set(valid))) or f'a member of {rule.by}'}"
        return Gate(
            kind=WaitKind.APPROVAL,
            met=len(valid) >= rule.count,
            text=text,
            unblock=f"{unblock} ({excluded})" if excluded else unblock,
        )

    def barred(self, case: Case) -> dict[str, str]:
        """Members who may not approve under four eyes: who trained the version or wrote its thresholds."""
        if case.version is None:
            return {}
        authors = dict.fromkeys(self.observed.threshold_authors.get(case.model.name, ()), "wrote the thresholds")
        authors[case.version.record.actor] = "trained it"
        found = {}
        for team in self.project.teams:
            for member in team.members:
                for author, why in authors.items():
                    name, _, email = author.partition(" <")
                    if member.name == name or (member.email and member.email == email.rstrip(">")):
                        found[member.name] = why
        return found

    def _free(self, case: Case) -> Iterator[Gate]:
        yield from self._frozen(case)
        release = case.release
        if release and release.withdrawn:
            yield Gate(
                kind=WaitKind.WITHDRAWN,
                met=False,
                text=f"withdrawn by {release.withdrawn.by}: {release.withdrawn.because}",
                unblock=f"stellwerk promote {case.model.name} {case.environment.name}",
            )
        if release and release.hold and self.holds(release):
            until = f" until {release.hold.until}" if release.hold.until else ""
            yield Gate(
                kind=WaitKind.HOLD,
                met=False,
                text=f"held at version {release.version} by {release.hold.by}{until}: {release.hold.because}",
                unblock=f"stellwerk hold {case.model.name} {case.environment.name} --end",
            )

    def _frozen(self, case: Case) -> Iterator[Gate]:
        freeze = case.environment.freeze
        if freeze and self.now < seconds_of(freeze.until):
            yield Gate(
                kind=WaitKind.FREEZE,
                met=False,
                text=f"{case.environment.name} is frozen until {freeze.until}: {freeze.reason}",
                unblock="wait, or remove `freeze` from the environment",
            )

    def holds(self, release: Release) -> bool:
        return release.hold is not None and (release.hold.until is None or self.now < seconds_of(release.hold.until))

    def mode(self, case: Case) -> str:
        """How the version is promoted there: auto, pull-request or manual; the first rule that matches."""
        for rule in case.environment.promotion:
            if matches(rule.when, case.model, case.trigger):
                return rule.mode
        return "auto" if not case.environment.promotion else "manual"

    def _mode(self, case: Case) -> Iterator[Gate]:
        if self.mode(case) == "manual":
            yield Gate(
                kind=WaitKind.MANUAL,
                met=False,
                text=f"{case.environment.name} is promoted by hand",
                unblock=f"stellwerk promote {case.model.name} {case.environment.name}",
            )


def _goes_back(case: Case, release: Release) -> bool:
    """Whether the release is older than the one it says it replaces; a newer one needs every gate, whatever it says."""
    rollback = release.rollback
    return rollback is not None and rollback.of in case.facts.versions and release.version < rollback.of


def matches(when: When, model: Model, trigger: str) -> bool:
    """Whether a rule's condition holds for a candidate of this model."""
    risk_fits = not when.risk or (model.risk or "") in when.risk
    return risk_fits and (not when.trigger or trigger in when.trigger)


def check_words(check: CheckResult) -> str:
    """One failed check in a few words."""
    part = f" for {check.slice}" if check.slice else ""
    if check.measured is None or check.measured.value is None or check.limit is None:
        detail = check.detail or (check.measured.problem if check.measured else "") or check.limit
        return f"{check.name}{part}: {detail}" if detail else f"{check.name}{part}"
    value = f"{check.measured.value:.4g} on {check.measured.n} rows"
    champion = f" (champion {check.champion.value:.4g})" if check.champion and check.champion.value is not None else ""
    return f"{check.name}{part} is {value}{champion}, asked is {check.limit}"


def seconds_of(text: str) -> float:
    """ISO 8601 as seconds since the epoch; a date is its first moment, UTC. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def time_words(seconds: float) -> str:
    """Seconds since the epoch as people write a time."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def time_text(seconds: float) -> str:
    """Seconds since the epoch as the ISO 8601 text records carry."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def duration_words(seconds: int) -> str:
    """A duration in the largest unit that divides it."""
    for size, word in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size and seconds % size == 0:
            return f"{seconds // size} {word}"
    return f"{seconds} s"


Predicate = Callable[[Case], bool]
