"""What a look for drift found, as text and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stellwerk.model.forge import Drift, Look
from stellwerk.report.json_text import VERSION, document, plain
from stellwerk.report.terminal import clean

if TYPE_CHECKING:
    from stellwerk.model.forge import Announced


def drift_text(look: Look) -> str:
    """One line for each; one that says so where there is none."""
    where = look.environment or "the rendered files"
    if not look.drifts:
        return f"No drift in {where}."
    lines = []
    for drift in look.drifts:
        mark = "?" if drift.unknown else "!"
        lines.append(f"{mark} {clean(drift.subject)}: {clean(drift.detail)}")
        if drift.unblock:
            lines.append(f"    → {clean(drift.unblock)}")
    return "\n".join(lines)


def drift_json(look: Look) -> str:
    """As `schemas/drift.schema.json` says."""
    return document({"environment": look.environment, "commit": look.commit, "drifts": plain(look.drifts)})


def look_from_json(value: Any) -> Look:
    """The look that `drift_json` wrote. Raises ValueError, KeyError or TypeError for anything else."""
    if value["version"] != VERSION:
        raise ValueError(value["version"])
    return Look(
        environment=None if value["environment"] is None else str(value["environment"]),
        commit=str(value["commit"]),
        drifts=tuple(
            Drift(
                kind=str(item["kind"]),
                subject=str(item["subject"]),
                detail=str(item["detail"]),
                unblock=str(item["unblock"]),
                unknown=item["unknown"] is True,
            )
            for item in value["drifts"]
        ),
    )


def announced_text(done: tuple[Announced, ...]) -> str:
    """One line for each thing the forge was asked about and that is not simply unchanged."""
    lines = []
    for item in done:
        if item.change == "unchanged":
            continue
        note = f" ({clean(item.note)})" if item.note else ""
        lines.append(f"{item.change}: {clean(item.subject)}{note}" + (f" {clean(item.url)}" if item.url else ""))
    same = sum(item.change == "unchanged" for item in done)
    if same:
        lines.append(f"{same} unchanged")
    return "\n".join(lines) or "Nothing to announce."
