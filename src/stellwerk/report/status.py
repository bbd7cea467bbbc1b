"""Models × environments: which version runs where, how it stands, what waits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stellwerk.model.views import Health, Status, StatusRow
from stellwerk.report.json_text import document, plain
from stellwerk.report.table import Style, table, table_width
from stellwerk.report.terminal import Ink, clean, elide, wrap
from stellwerk.report.terminal import cells as measure
from stellwerk.report.words import short

if TYPE_CHECKING:
    from collections.abc import Mapping

NOTHING = "–"
SETTLED = frozenset({"", "current", "declares no training"})  # notes on a model that nothing has to be done about
SHORTEST_NAME = 12  # cells in which a model is still recognised


def status_text(status: Status, *, color: bool, width: int) -> str:
    """A table where the project has environments, lists of models and datasets where it has none."""
    ink = Ink(color=color)
    lines = [ink.dim(f"As of {short(status.basis)}" if status.basis else "Before the first commit"), ""]
    if not status.models and not status.rows and not status.datasets:
        return "\n".join([*lines, "Nothing is declared yet."]) + "\n"
    if status.environments and status.rows:
        lines += [*_grid(status, ink=ink, width=width), ""]
        lines += _details(status, ink=ink, width=width)
    elif status.models:
        lines += [*_models(status, ink=ink, width=width), ""]
    if status.absent:
        lines += [*_absent(status, ink=ink, width=width), ""]
    if status.datasets:
        lines += _datasets(status, ink=ink, width=width)
    return "\n".join(lines).rstrip("\n") + "\n"


def _grid(status: Status, *, ink: Ink, width: int) -> list[str]:
    cells = {(row.model, row.environment): row for row in status.rows}
    models = tuple(dict.fromkeys(row.model for row in status.rows))
    rows = [["model", *(clean(name) for name in status.environments)]]
    styles: list[list[Style | None]] = []
    for model in models:
        found = [cells.get((model, environment)) for environment in status.environments]
        rows.append([clean(model), *(_cell(row) for row in found)])
        styles.append([ink.bold, *(_style(row, ink) for row in found)])
    longest = max(measure(row[0]) for row in rows)
    room = longest - max(0, table_width(rows) - width)
    if room < min(longest, SHORTEST_NAME):  # the names may be shortened, the cells say too much for that
        return _stacked(models, status.environments, cells, width=width)
    shown = [[elide(name, room), *others] for name, *others in rows]
    return table(shown, width=width, head=ink.bold, styles=styles)


def _stacked(
    models: tuple[str, ...],
    environments: tuple[str, ...],
    cells: Mapping[tuple[str, str], StatusRow],
    *,
    width: int,
) -> list[str]:
    """One line per model and environment, for a terminal too narrow for the table."""
    rows = [
        (clean(model), clean(environment), _cell(cells.get((model, environment))))
        for model in models
        for environment in environments
    ]
    return table(rows, width=width)


def _cell(row: StatusRow | None) -> str:
    """`✓ v2 ok → v3`: what stands there, and the version that is on its way, if it is another one."""
    if row is None:
        return NOTHING
    candidate = "" if row.candidate is None else f"v{row.candidate}"
    if row.version is None:
        if row.health is Health.NONE:
            return f"{candidate} waits" if candidate and row.waits else NOTHING
        return _join(row.health, "" if row.health is Health.WITHDRAWN else candidate)
    coming = f" → {candidate}" if candidate and row.candidate != row.version else ""
    return _join(row.health, f"v{row.version}") + coming


def _join(health: Health, version: str) -> str:
    signs = {
        Health.NONE: "",
        Health.CHECKED: "✓",
        Health.HEALTHY: "✓",
        Health.PENDING: "…",
        Health.VIOLATED: "✗",
        Health.HELD: "‖",
        Health.WITHDRAWN: "↓",
        Health.FAILED: "✗",
    }
    return " ".join(word for word in (signs[health], version, _word(health)) if word)


def _word(health: Health) -> str:
    return {Health.NONE: "", Health.HEALTHY: "ok"}.get(health, health.value)


def _style(row: StatusRow | None, ink: Ink) -> Style | None:
    match row.health if row is not None else Health.NONE:
        case Health.HEALTHY | Health.CHECKED:
            return ink.green
        case Health.VIOLATED | Health.FAILED:
            return ink.red
        case Health.PENDING | Health.HELD | Health.WITHDRAWN:
            return ink.yellow
        case Health.NONE:
            return None


def _details(status: Status, *, ink: Ink, width: int) -> list[str]:
    rows = status.rows
    said = [(clean(model), note) for model, _, note in status.models if note not in SETTLED]
    said += [(f"{clean(row.model)} in {clean(row.environment)}", wait) for row in rows for wait in row.waits]
    waits = [line for what, words in said for line in wrap(f"! {what}: {clean(words)}", width=width, indent=2)]
    live = [
        line
        for row in rows
        if row.live is not None
        for line in wrap(f"{clean(row.model)} in {clean(row.environment)}: {clean(row.live)}", width=width, indent=2)
    ]
    lines = [ink.bold("Waiting"), *waits, ""] if waits else []
    return [*lines, ink.bold("Seen at the targets"), *live, ""] if live else lines


def _absent(status: Status, *, ink: Ink, width: int) -> list[str]:
    """What versions in use need and is not there; a remote that does not answer is said once."""
    lines = [ink.bold("Bytes that are not there")]
    for item in status.absent:
        if item.state != "unknown":
            remote = "" if item.state in {"erased", "removed"} else f" in {_remote(item.remote)}"
            words = (
                f"! {item.kind} of {clean(item.model)} v{item.version} ({short(item.md5)}){remote}: {clean(item.note)}"
            )
            lines += wrap(words, width=width, indent=2)
    silent = {item.remote: item.note for item in status.absent if item.state == "unknown"}
    for name, note in silent.items():
        lines += wrap(f"? {_remote(name)} does not say what it holds: {clean(note)}", width=width, indent=2)
    return lines


def _remote(name: str | None) -> str:
    return f"remote {clean(name)}" if name else "the default remote"


def _models(status: Status, *, ink: Ink, width: int) -> list[str]:
    rows = [
        ("model", "version", ""),
        *(
            (clean(name), NOTHING if version is None else f"v{version}", clean(note))
            for name, version, note in status.models
        ),
    ]
    return table(rows, width=width, head=ink.bold)


def _datasets(status: Status, *, ink: Ink, width: int) -> list[str]:
    rows = [
        ("dataset", "snapshot"),
        *((clean(name), NOTHING if md5 is None else short(md5)) for name, md5 in status.datasets),
    ]
    return table(rows, width=width, head=ink.bold)


def status_json(status: Status) -> str:
    """The status. The shape is `status.schema.json`."""
    return document(
        {
            "basis": status.basis,
            "environments": plain(status.environments),
            "rows": plain(status.rows),
            "models": [{"model": name, "version": version, "note": note} for name, version, note in status.models],
            "datasets": [{"dataset": name, "md5": md5} for name, md5 in status.datasets],
            "absent": plain(status.absent),
        }
    )
