"""What the forge should show, as texts: issues of incidents, waiting approvals and drift; promotion pull requests.

Pure. Everything that people wrote is escaped: it formats nothing, links nowhere and calls nobody.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stellwerk.model.actions import WaitKind
from stellwerk.model.forge import Announcement, Notice, Proposal
from stellwerk.planning.route_plan import promotion_branch
from stellwerk.report.plan_markdown import escape
from stellwerk.report.terminal import clean

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stellwerk.model.actions import Plan, Wait
    from stellwerk.model.declared import Model, Project, Team
    from stellwerk.model.forge import Drift, Look
    from stellwerk.model.observed import Observed
    from stellwerk.model.records import Incident

INCIDENT, APPROVAL, DRIFT = "incident:", "approval:", "drift"
TITLE = 200  # characters
BODY = 60_000  # characters; GitHub takes 65,536
SHOWN = 200  # drifts in one issue
RECORDS_TITLE = "Records of Stellwerk"


def announcement(
    project: Project, observed: Observed, plan: Plan, *, looks: tuple[Look, ...] | None = None
) -> Announcement:
    """What follows from git. `looks` None: drift was not looked for, so nothing is said of it."""
    notices = [*_incidents(project, observed), *_approvals(project, plan)]
    kinds = [INCIDENT, APPROVAL]
    if looks is not None:
        found, complete = _drift(project, looks)
        notices += found
        kinds += [DRIFT] if complete else []
    return Announcement(
        proposals=(*_promotions(project, observed), *_records(project)),
        notices=tuple(sorted(notices, key=lambda notice: notice.marker)),
        kinds=tuple(kinds),
    )


def is_over(incident: Incident, observed: Observed) -> bool:
    """Whether an incident needs nobody any more: it was closed, or what it says is no longer so."""
    if not incident.open:
        return True
    release = observed.releases.get((incident.environment or "", incident.model))
    if incident.kind in ("threshold-violated", "rollback"):
        moved = release is None or release.withdrawn is not None or release.version != incident.version
        return _passes(incident, observed) if incident.kind == "threshold-violated" and not moved else moved
    if incident.kind == "withdrawn":
        return release is not None and release.withdrawn is None
    return False


def _passes(incident: Incident, observed: Observed) -> bool:
    """Whether the version was judged again since, and passed."""
    facts = observed.models.get(incident.model)
    version = facts.versions.get(incident.version) if facts and incident.version is not None else None
    verdict = version.verdicts.get(incident.environment or "") if version else None
    return verdict is not None and verdict.passed and verdict.at > incident.at


def _incidents(project: Project, observed: Observed) -> Iterable[Notice]:
    models = {model.name: model for model in project.models}
    for name in sorted(observed.models):
        for incident in observed.models[name].incidents:
            if is_over(incident, observed):
                continue
            yield _incident(project, models.get(name), incident)


def _incident(project: Project, model: Model | None, incident: Incident) -> Notice:
    where = f" in {incident.environment}" if incident.environment else ""
    version = f" v{incident.version}" if incident.version is not None else ""
    subject = f"{incident.model}{version}{where}"
    owners = model.owners if model is not None else project.owners
    teams = [incident.notify, owners.monitors, owners.operates, owners.accountable]
    told = _teams(project, teams)
    lines = [
        f"{escape(incident.summary)}",
        "",
        "| | |",
        "|---|---|",
        f"| Kind | {escape(incident.kind)} |",
        f"| Model | {escape(subject)} |",
        f"| Since | {escape(incident.at)} |",
        f"| Recorded by | {escape(incident.actor)} |",
        f"| Record | {code(f'registry/{incident.model}/incidents/{incident.number:04d}.yaml')} |",
        *([f"| Run | {escape(incident.run)} |"] if incident.run else []),
        "",
        "**Whom to call**",
        "",
        *_people(told),
    ]
    if incident.evidence:
        lines += ["", "**Evidence**", "", *(f"- {escape(line)}" for line in incident.evidence)]
    lines += ["", f"What stands in the way: {code(f'stellwerk why {incident.model}')}. This closes when it is over."]
    return Notice(
        marker=f"{INCIDENT}{incident.model}/{incident.number:04d}",
        title=_title(incident.summary if incident.model in incident.summary else f"{subject}: {incident.summary}"),
        body=_body(lines),
        people=_accounts(told[:1]),
    )


def _approvals(project: Project, plan: Plan) -> Iterable[Notice]:
    """One issue for each version that waits for people."""
    found: dict[tuple[str, str], list[Wait]] = {}
    for wait in plan.waits:
        if wait.kind is WaitKind.APPROVAL and wait.model and wait.environment:
            found.setdefault((wait.environment, wait.model), []).append(wait)
    environments = {item.name: item for item in project.environments}
    for (environment, model), waits in sorted(found.items()):
        declared = environments.get(environment)
        teams = _teams(project, [rule.by for rule in declared.approval] if declared else [])
        version = f" v{waits[0].version}" if waits[0].version is not None else ""
        lines = [
            f"{escape(model + version)} has passed what comes before {escape(environment)} and waits for people.",
            "",
            *(f"- {escape(wait.reason)}" + (f": {code(wait.unblock)}" if wait.unblock else "") for wait in waits),
            "",
            "**Who may approve**",
            "",
            *_people(teams),
            "",
            f"The evidence: {code(f'stellwerk why {model} {environment}')}.",
            "This closes when nobody is waited for.",
        ]
        yield Notice(
            marker=f"{APPROVAL}{environment}/{model}",
            title=_title(f"Approve {model}{version} for {environment}?"),
            body=_body(lines),
            people=_accounts(teams),
        )


def _promotions(project: Project, observed: Observed) -> Iterable[Proposal]:
    if project.workflows is None:
        return
    for (environment, model), release in sorted(observed.branches.items()):
        present = observed.releases.get((environment, model))
        if present is not None and present.version == release.version and not present.withdrawn:
            continue
        title = f"Promote {model} v{release.version} to {environment}"
        before = f" It replaces v{present.version}." if present is not None and not present.withdrawn else ""
        lines = [
            f"Merging this releases {escape(model)} v{release.version} in {escape(environment)}.{before}",
            "",
            f"Its evidence is in {code(f'registry/{model}/{release.version}/')}; the report below shows it.",
            "Every gate is judged again before anything is deployed.",
        ]
        yield Proposal(
            branch=promotion_branch(environment, model),
            base=project.workflows.branch,
            title=_title(title),
            body=_body(lines),
        )


def _records(project: Project) -> Iterable[Proposal]:
    """The records of a ref of their own, brought to the branch."""
    ref = project.records.ref
    if project.workflows is None or ref is None or not project.records.pull_request:
        return
    body = [
        "What Stellwerk recorded: versions, verdicts, releases, deployments, each a commit with its evidence.",
        "",
        "This merges by itself once its checks pass.",
    ]
    branch = ref.removeprefix("refs/heads/")
    yield Proposal(branch=branch, base=project.workflows.branch, title=RECORDS_TITLE, body=_body(body), merge=True)


def _drift(project: Project, looks: tuple[Look, ...]) -> tuple[list[Notice], bool]:
    """The issue, if there is anything to say, and whether everything was looked at."""
    expected: set[str | None] = {None, *(item.name for item in project.environments if item.purpose != "development")}
    missing = sorted(name or "files" for name in expected - {look.environment for look in looks})
    found = [(look.environment or "files", drift) for look in looks for drift in look.drifts]
    if not found:
        return [], not missing
    lines = ["The world is not as git says. This was looked at, nothing was changed.", ""]
    lines += ["| Where | What | How | What to do |", "|---|---|---|---|"]
    lines += [_drift_row(where, drift) for where, drift in found[:SHOWN]]
    if len(found) > SHOWN:
        lines += ["", f"… and {len(found) - SHOWN} more: `stellwerk drift` shows them."]
    if missing:
        lines += ["", f"Not looked at this time: {escape(', '.join(missing))}."]
    count = f"{len(found)} thing{'s' if len(found) > 1 else ''}"
    return [Notice(marker=DRIFT, title=f"Drift: {count} not as git says", body=_body(lines))], not missing


def _drift_row(where: str, drift: Drift) -> str:
    detail = ("not known: " if drift.unknown else "") + drift.detail
    unblock = code(drift.unblock) if drift.unblock else ""
    return f"| {escape(where)} | {escape(drift.subject)} | {escape(detail)} | {unblock} |"


def _teams(project: Project, names: Iterable[str | None]) -> list[Team]:
    teams = {team.name: team for team in project.teams}
    return [teams[name] for name in dict.fromkeys(names) if name is not None and name in teams]


def _people(teams: Iterable[Team]) -> list[str]:
    lines = []
    for team in teams:
        contact = f" ({escape(team.contact)})" if team.contact else ""
        names = ", ".join(escape(member.name) for member in team.members)
        lines.append(f"- {escape(team.name)}{contact}" + (f": {names}" if names else ""))
    return lines or ["- nobody is declared: set `owners:` in mlops.yaml"]


def _accounts(teams: Iterable[Team]) -> tuple[str, ...]:
    return tuple(sorted({member.github for team in teams for member in team.members if member.github}))


def code(text: str) -> str:
    """The text as code, on one line, in a table too."""
    return "`" + " ".join(clean(text).split()).replace("`", "'").replace("|", "\\|") + "`"


def _title(text: str) -> str:
    words = " ".join(text.split()).replace("@", "@\u200b")  # a title notifies nobody
    return words if len(words) <= TITLE else words[: TITLE - 1] + "…"


def _body(lines: list[str]) -> str:
    text = "\n".join(lines) + "\n"
    if len(text) <= BODY:
        return text
    return text[:BODY].rpartition("\n")[0] + "\n\n… the rest is left out.\n"
