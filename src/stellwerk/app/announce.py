"""Let the forge show what git says. It decides nothing: where it is down, the next run says it."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING

from stellwerk.adapters.forge import ForgeError, open_forge
from stellwerk.errors import StellwerkError
from stellwerk.model.forge import Announced
from stellwerk.planning.plan import Scope
from stellwerk.report.announcement import announcement
from stellwerk.report.drift import look_from_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from stellwerk.app.workspace import Workspace
    from stellwerk.model.forge import Announcement, Look
    from stellwerk.model.ports import Forge, Thing

LABELS = ("stellwerk",)


def announce(workspace: Workspace, drift: Path | None, say: Callable[[str], None]) -> tuple[Announced, ...]:
    """Open, update and close; one that fails does not keep the others. `say` gets what `none` would have asked for."""
    loaded = workspace.loader.commit(workspace.reader.resolve("HEAD"))
    workspace.loader.refuse_mistakes(loaded)
    state = loaded.state
    plan = workspace.plan_of(state, Scope())
    looks = None if drift is None else _looks(drift)
    wanted = announcement(state.project, state.observed, plan, looks=looks)
    forge = open_forge(workspace.environ, say)
    return tuple(_all(forge, wanted))


def _all(forge: Forge, wanted: Announcement) -> Iterator[Announced]:
    for proposal in wanted.proposals:
        yield _tried(
            proposal.title,
            partial(
                forge.pull_request,
                branch=proposal.branch,
                base=proposal.base,
                title=proposal.title,
                body=proposal.body,
                merge=proposal.merge,
                labels=LABELS,
            ),
        )
    for notice in wanted.notices:
        yield _tried(
            notice.title,
            partial(
                forge.issue,
                marker=notice.marker,
                title=notice.title,
                body=notice.body,
                labels=LABELS,
                assignees=notice.people,
            ),
        )
    kept = {notice.marker for notice in wanted.notices}
    for kind in wanted.kinds:
        try:
            over = [marker for marker in forge.issues(marker_prefix=kind) if marker not in kept]
        except ForgeError as error:
            yield Announced(subject=f"issues that are over ({kind})", change="failed", note=error.message, failed=True)
            continue
        for marker in over:
            yield _tried(marker, partial(forge.close_issue, marker=marker, comment="This is over."))


def _tried(subject: str, call: Callable[[], Thing | None]) -> Announced:
    try:
        thing = call()
    except ForgeError as error:
        return Announced(subject=subject, change="failed", note=error.message, failed=True)
    if thing is None:
        return Announced(subject=subject, change="unchanged")
    return Announced(subject=subject, change=thing.change, url=thing.url, note=thing.note)


def _looks(folder: Path) -> tuple[Look, ...]:
    """What `stellwerk drift --out` wrote, in every file below the folder."""
    found = []
    for path in sorted(folder.rglob("*.json")) if folder.is_dir() else ():
        try:
            found.append(look_from_json(json.loads(path.read_text("utf-8"))))
        except (ValueError, KeyError, TypeError) as error:
            raise StellwerkError(
                "this is not what `stellwerk drift --out` writes", where=str(path), hint="look again, or delete it"
            ) from error
    return tuple(found)
