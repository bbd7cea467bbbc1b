"""The jobs that CI has to start: as a JSON document, or as lines for the file that `$GITHUB_OUTPUT` names."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from stellwerk.report.json_text import document

if TYPE_CHECKING:
    from stellwerk.model.declared import Json
    from stellwerk.planning.jobs import Jobs

NOWHERE = "."  # the key of what trains without an environment; none has this name
TITLE = 60  # characters of a name in a title


def jobs_json(jobs: Jobs) -> str:
    """The shape is `jobs.schema.json`."""
    return document(_content(jobs))


def jobs_github(jobs: Jobs) -> str:
    """One line `name=compact JSON` for each key. ASCII only, so no name can start a line of its own."""
    lines = (f"{key}={json.dumps(value, separators=(',', ':'))}\n" for key, value in _content(jobs).items())
    return "".join(lines)


def _content(jobs: Jobs) -> dict[str, Json]:
    training: dict[str, Json] = {
        place or NOWHERE: [{"models": " ".join(job.models), "title": _title(job.models)} for job in found]
        for place, found in jobs.training.items()
    }
    return {
        "check": [
            {"number": number, "models": " ".join(job.models), "title": _title(job.models)}
            for number, job in enumerate(jobs.check, start=1)
        ],
        "training": training,
        "environments": list(jobs.environments),
    }


def _title(names: tuple[str, ...]) -> str:
    """`churn`, `churn and 3 more`: what a job is called."""
    first = names[0] if names else ""
    shown = first if len(first) <= TITLE else first[: TITLE - 1] + "…"
    return f"{shown} and {len(names) - 1} more" if len(names) > 1 else shown
