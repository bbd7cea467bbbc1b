"""What both acceptance projects share: a company with a git remote and a bucket, its route, and what was lived through."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from machines import Checkout, Ran, Transcript, Way, clone, new_machine

TEAMS = """
teams:
  data-science:
    contact: data-science@example.com
    members:
      - {name: ada, email: ada@example.com}
  operations:
    contact: operations@example.com
    members:
      - {name: ada, email: ada@example.com}
      - {name: grace, email: grace@example.com}

owners:
  accountable: operations
  develops: data-science
  operates: operations
  monitors: operations
  retrains: data-science
"""

ENVIRONMENTS = {
    "dev": "purpose: development\nowner: data-science\ndata: {allows: public}\n",
    "integration": "purpose: integration\nowner: operations\nafter: dev\ndata: {allows: public}\n",
    "regression": (
        "purpose: regression\nowner: operations\nafter: integration\nclone_of: production\n"
        "data: {allows: confidential}\ncontrols: [encrypted-at-rest]\n"
    ),
    "production": (
        "purpose: production\nowner: operations\nafter: regression\ndata: {allows: confidential}\n"
        "controls: [encrypted-at-rest]\napproval:\n  - {by: operations, count: 1, four_eyes: true, when: WHEN}\n"
        "promotion: auto\ndeploy: {target: local, path: deployed/production}\n"
    ),
}


@dataclass(slots=True)
class Story:
    """A project and its people. `ada` trains, `grace` approves, each on a machine of their own."""

    model: str
    dataset: str
    room: Path
    remote: Path
    bucket: Any  # boto3's client
    prefix: str
    transcript: Transcript
    ada: Checkout
    grace: Checkout

    def objects(self) -> frozenset[str]:
        """The keys in the bucket that belong to this project."""
        pages = self.bucket.get_paginator("list_objects_v2").paginate(Bucket="lake", Prefix=f"{self.prefix}/")
        return frozenset(item["Key"] for page in pages for item in page.get("Contents", ()))

    def record(self, path: str, *, at: str = "HEAD") -> Any:
        """A YAML file as it is committed."""
        return yaml.safe_load(self.ada.git("show", f"{at}:{path}"))

    def version(self, number: int) -> Any:
        return self.record(f"registry/{self.model}/{number}/version.yaml")

    def said(self, phase: str, verb: str) -> Ran:
        """The last `stellwerk VERB ...` of a phase."""
        found = [
            ran for ran in self.transcript.ran if ran.phase == phase and ran.command.startswith(f"stellwerk {verb}")
        ]
        assert found, f"no `stellwerk {verb}` in {phase}"
        return found[-1]

    def running(self) -> str:
        """Which package's folder serves on the machine that deploys."""
        return (self.ada.root / "deployed/production" / self.model / "current").resolve().name

    def another_machine(self, name: str) -> Checkout:
        """A fresh clone in a new home without any cache."""
        machine = new_machine(self.room, "grace", self.transcript, name=name, way=self.ada.machine.way)
        return clone(machine, self.remote, self.room / name)


def begin(room: Path, bucket: Any, *, model: str, dataset: str, way: Way) -> Story:
    """Ada's empty clone of a bare remote, set up with `init` and the bucket as its storage; Grace has a home only."""
    transcript = Transcript()
    remote = room / "company.git"
    ada = new_machine(room, "ada", transcript, way=way)
    with transcript.chapter("init"):
        ada.run("git", "init", "--quiet", "--bare", "--initial-branch=main", remote, cwd=room)
        mine = clone(ada, remote, room / "ada")
        mine.stellwerk("init", "--yes")
        mine.dvc("remote", "modify", "-q", "storage", "url", f"s3://lake/{model}")
        mine.dvc("remote", "modify", "-q", "storage", "endpointurl", bucket.meta.endpoint_url)
    grace = Checkout(machine=new_machine(room, "grace", transcript, way=way), root=room / "grace")
    return Story(
        model=model,
        dataset=dataset,
        room=room,
        remote=remote,
        bucket=bucket,
        prefix=model,
        transcript=transcript,
        ada=mine,
        grace=grace,
    )


def declare(story: Story, files: dict[str, str], *, when: str) -> None:
    """Write the project's files and the four environments, keep git away from the data, commit and push."""
    environments = {f"environments/{name}.yaml": text.replace("WHEN", when) for name, text in ENVIRONMENTS.items()}
    ada = story.ada
    ada.write(files | environments)
    ada.stellwerk("init", "--yes")
    ada.stellwerk("validate")
    ada.git("add", "--all")
    ada.git("commit", "--quiet", "--message", "Declare the project")
    ada.git("push", "--quiet", "--set-upstream", "origin", "main")


def approve(story: Story, *, because: str) -> None:
    """Ada, who trained it, may not; Grace pulls on her machine and may; Ada's reconcile then goes on."""
    story.ada.stellwerk("approve", story.model, "production", "--because", "it is mine", expect=3)
    if story.grace.root.exists():
        story.grace.git("pull", "--quiet", "--ff-only")
    else:
        clone(story.grace.machine, story.remote, story.grace.root)
    story.grace.stellwerk("approve", story.model, "production", "--because", because)
    story.ada.stellwerk("reconcile")
