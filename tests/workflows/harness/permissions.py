"""The rights of a job's token: what the workflow and the job ask for, never more than the caller or the event allows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .workflow import WorkflowError

LEVELS = ("none", "read", "write")
NAMES = [
    "actions",
    "attestations",
    "checks",
    "contents",
    "deployments",
    "discussions",
    "id-token",
    "issues",
    "models",
    "packages",
    "pages",
    "pull-requests",
    "repository-projects",
    "security-events",
    "statuses",
]
READ = {name: "read" if name in {"contents", "packages"} else "none" for name in NAMES}  # GitHub's careful default
WRITE = dict.fromkeys(NAMES, "write")


def resolve_permissions(asked: Any, place: str) -> dict[str, str]:
    """The level of every permission where `permissions:` is written; what is not named is none."""
    match asked:
        case "read-all" | "write-all":
            return dict.fromkeys(NAMES, str(asked).removesuffix("-all"))
        case None:
            return dict.fromkeys(NAMES, "none")
        case Mapping():
            for name, level in asked.items():
                if name not in NAMES or level not in LEVELS:
                    raise WorkflowError(f"{place}.permissions: unexpected {name}: {level}")
            return {**dict.fromkeys(NAMES, "none"), **asked}
        case _:
            raise WorkflowError(f"{place}.permissions: unexpected {asked!r}")


def lowered(permissions: Mapping[str, str], most: Mapping[str, str]) -> dict[str, str]:
    """No level above the most that is allowed (as GitHub does for pull requests of forks)."""
    return {name: min(level, most[name], key=LEVELS.index) for name, level in permissions.items()}


def check_within(permissions: Mapping[str, str], ceiling: Mapping[str, str], place: str) -> None:
    """A called workflow that asks for more than its caller grants is refused before the run starts."""
    for name, level in permissions.items():
        if LEVELS.index(level) > LEVELS.index(ceiling[name]):
            raise WorkflowError(f"{place} requests '{name}: {level}', but is only allowed '{name}: {ceiling[name]}'")
