"""What a runner is made of, and the surroundings of a job on it: folders, variables, the `github` and `runner` contexts."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .processes import TRACKING

if TYPE_CHECKING:
    from .events import Event
    from .repository import Repository
    from .workflow import Workflow


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """The image that every job starts from. Nothing of the tester's environment is in it unless it is given here.

    `path` is PATH; `pythons` maps a version (`3.11`) to the interpreter that setup-python gives; what is in the folders
    `site_packages` every Python that was set up can import; `workers` jobs of one run work at a time; a `minute` of the
    workflow's timeouts lasts that many seconds, and a cancelled process has `grace` seconds until SIGTERM.
    """

    path: str
    pythons: Mapping[str, Path] = field(default_factory=dict)
    site_packages: tuple[Path, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    workers: int = 1
    minute: float = 60.0
    grace: float = 7.5
    api_url: str = "http://127.0.0.1:1/api"
    server_url: str = "https://github.example"


@dataclass(frozen=True, slots=True, kw_only=True)
class Folders:
    """The fresh folders of one job."""

    job: Path
    home: Path
    temp: Path
    tools: Path
    workspace: Path

    @classmethod
    def make(cls, job: Path, repository: str) -> Folders:
        short = repository.rpartition("/")[2]
        names = ("home", "temp", "tools", f"work/{short}/{short}")
        for name in names:
            (job / name).mkdir(parents=True)
        home, temp, tools, workspace = (job / name for name in names)
        return cls(job=job, home=home, temp=temp, tools=tools, workspace=workspace)


def github_context(
    repository: Repository, event: Event, workflow: Workflow, *, number: int, machine: Machine
) -> dict[str, Any]:
    """The `github` context, without what only a job knows."""
    return {
        "repository": repository.name,
        "repository_owner": repository.name.partition("/")[0],
        "repository_id": "1",
        "event_name": event.name,
        "event": dict(event.payload),
        "ref": event.ref,
        "ref_name": event.ref_name,
        "ref_type": "tag" if event.ref.startswith("refs/tags/") else "branch",
        "ref_protected": event.ref.removeprefix("refs/heads/") in repository.settings.protected,
        "sha": event.sha,
        "head_ref": event.head_ref,
        "base_ref": event.base_ref,
        "actor": event.actor,
        "triggering_actor": event.actor,
        "run_id": str(1_000_000 + number),
        "run_number": str(number),
        "run_attempt": "1",
        "workflow": workflow.name,
        "workflow_ref": f"{repository.name}/{workflow.path}@{event.ref}",
        "workflow_sha": event.sha,
        "server_url": machine.server_url,
        "api_url": machine.api_url,
        "graphql_url": f"{machine.api_url}/graphql",
        "retention_days": "90",
        "secret_source": "Actions",
    }


def default_variables(github: Mapping[str, Any], folders: Folders, tracking: str) -> dict[str, str]:
    """The variables that GitHub sets for every step; a workflow cannot change them."""
    names = [
        "actor",
        "api_url",
        "base_ref",
        "event_name",
        "graphql_url",
        "head_ref",
        "ref",
        "ref_name",
        "ref_type",
        "repository",
        "repository_id",
        "repository_owner",
        "retention_days",
        "run_attempt",
        "run_id",
        "run_number",
        "server_url",
        "sha",
        "triggering_actor",
        "workflow",
        "workflow_ref",
        "workflow_sha",
        "job",
        "action",
    ]
    return {
        **{f"GITHUB_{name.upper()}": str(github.get(name, "")) for name in names},
        "GITHUB_ACTIONS": "true",
        "GITHUB_REF_PROTECTED": str(github["ref_protected"]).lower(),
        "GITHUB_WORKSPACE": str(folders.workspace),
        "GITHUB_EVENT_PATH": str(github["event_path"]),
        "RUNNER_OS": "Linux",
        "RUNNER_ARCH": "X64",
        "RUNNER_NAME": "harness",
        "RUNNER_ENVIRONMENT": "github-hosted",
        "RUNNER_TEMP": str(folders.temp),
        "RUNNER_TOOL_CACHE": str(folders.tools),
        "RUNNER_WORKSPACE": str(folders.workspace.parent),
        TRACKING: tracking,
    }


def runner_context(folders: Folders) -> dict[str, str]:
    return {
        "os": "Linux",
        "arch": "X64",
        "name": "harness",
        "environment": "github-hosted",
        "temp": str(folders.temp),
        "tool_cache": str(folders.tools),
        "workspace": str(folders.workspace.parent),
        "debug": "",
    }


def write_event(folders: Folders, event: Event) -> Path:
    """The file of GITHUB_EVENT_PATH."""
    path = folders.temp / "_github_workflow/event.json"
    path.parent.mkdir()
    path.write_text(json.dumps(dict(event.payload), indent=2), encoding="utf-8")
    return path


def hash_files(workspace: Path, *patterns: str) -> str:
    """The digest of `hashFiles`: of the digests of all files that match, in order; '' without any."""
    files: dict[Path, None] = {}
    for pattern in (f"{written}/*" if written.endswith("**") else written for written in patterns):
        if pattern.startswith("!"):
            for path in workspace.glob(pattern[1:]):
                files.pop(path, None)
        else:
            files.update(dict.fromkeys(path for path in sorted(workspace.glob(pattern)) if path.is_file()))
    if not files:
        return ""
    return hashlib.sha256(b"".join(hashlib.sha256(path.read_bytes()).digest() for path in files)).hexdigest()


def slug(text: str) -> str:
    """A name of a folder."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", text).strip("-.")[:60] or "job"
