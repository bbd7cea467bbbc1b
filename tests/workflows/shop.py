"""The reference project on the simulated forge, with the workflows that are rendered for it.

What its declarations name by an absolute path is in one folder for the whole session: the warehouse that data come from,
DVC's remote, what is deployed. `Shelf` puts this folder and the repository back to where an earlier story ended.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from harness import GitHub, Machine, Run, Settings
from harness.story import git
from interface import REPOSITORY, Interface, served

from stellwerk.adapters.dvc.trainer import ASK, CALL
from stellwerk.adapters.templates import TEMPLATES, start_template
from stellwerk.demo.reference import copy_reference, generate_data

SCRIPTS = Path(sysconfig.get_path("scripts"))
VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
ALL = os.environ.get("STELLWERK_STORIES") == "all"
PRELOADED = (
    "dvc.repo.reproduce",
    "git",
    "github",
    "jsonschema",
    "pandas",
    "stellwerk.app.run",
    "stellwerk.cli.reconcile",
)
MODEL = "shoe-demand"
DEPLOY = """\
place={place}/deployed/$STELLWERK_MODEL
case $STELLWERK_ACTION in
deploy) mkdir -p "$place" && echo "$STELLWERK_SHA256" >"$place/sha256" && cp "$STELLWERK_PACKAGE/package.json" "$place" ;;
withdraw) rm -rf "$place" ;;
probe) cat "$place/sha256" 2>/dev/null || true ;;
esac
"""
NO_PIP = '''\
"""Stands in for pip: says what it was asked for, and installs nothing."""

import os, sys

assert os.path.isfile(os.environ["REQUIREMENTS"]), os.environ["REQUIREMENTS"]
assert os.path.isdir(os.environ["PIP_FIND_LINKS"]), os.environ["PIP_FIND_LINKS"]
print("pip", *sys.argv[1:])
'''


def image(folder: Path, templates: Mapping[str, str], **more: Any) -> Machine:
    """A machine with `stellwerk` on PATH and a pip that installs nothing; commands are forked where there are templates."""
    (folder / "bin").mkdir(parents=True)
    (folder / "site/pip").mkdir(parents=True)
    (folder / "site/pip/__main__.py").write_text(NO_PIP)
    command = [str(SCRIPTS / "stellwerk")]
    place = templates.get(TEMPLATES)
    if place and start_template(
        "stage", PRELOADED, at=Path(place), name="story", env={**os.environ, **templates}, flags=("-P",)
    ):
        command = [*ASK, place, "story", CALL, "1", *command]
    script = folder / "bin/stellwerk"
    script.write_text(f'#!/bin/sh\nexec {" ".join(command)} "$@"\n')
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    passed_on = ("PYTHONDONTWRITEBYTECODE", "DVC_NO_ANALYTICS", "PYTEST_DISABLE_PLUGIN_AUTOLOAD")
    kept = {name: os.environ[name] for name in passed_on if name in os.environ}
    return Machine(
        path=f"{folder / 'bin'}:{os.environ['PATH']}",
        pythons={VERSION: Path(sys.executable)},
        site_packages=(folder / "site",),
        environment={**kept, **templates},
        grace=2.0,
        **more,
    )


@dataclass
class Shop:
    """One story: the forge, its interface, and ada's clone."""

    shelf: Shelf
    github: GitHub
    forge: Interface
    ada: Path

    def stellwerk(self, *words: str, who: str = "ada", folder: Path | None = None, code: int = 0) -> str:
        """What a person's command prints, on both channels."""
        named = {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in _person(who).items()}
        place = self.github.machine.path.partition(":")[0]
        done = subprocess.run(
            [f"{place}/stellwerk", *words],
            cwd=folder or self.ada,
            env={**os.environ, **self.github.machine.environment, **named},
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        assert done.returncode == code, f"stellwerk {' '.join(words)}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    def edit(self, path: str, old: str, new: str, *, message: str = "", folder: Path | None = None) -> None:
        """Replace a text that is there, and commit it if there is a message."""
        file = (folder or self.ada) / path
        text = file.read_text()
        assert old in text, f"{old!r} is not in {path}"
        file.write_text(text.replace(old, new, 1))
        if message:
            git(folder or self.ada, "commit", "--quiet", "--all", "--message", message)

    def retrain(self, message: str = "another penalty") -> None:
        """A change that makes another version, rendered and committed."""
        self.edit("mlops.yaml", "penalty: 1.0", "penalty: 2.0")
        self.stellwerk("render")
        git(self.ada, "commit", "--quiet", "--all", "--message", message)

    def push(self, branch: str = "main") -> None:
        git(self.ada, "push", "--quiet", "origin", f"HEAD:{branch}")

    def pull(self) -> None:
        git(self.ada, "checkout", "--quiet", "main")
        git(self.ada, "pull", "--quiet", "--ff-only", "origin", "main")

    def settle(self, *names: str, **more: Any) -> list[Run]:
        """All runs that what happened starts; with names, of just these workflow files."""
        runs = self.github.settle(**more)
        assert not names or [Path(run.workflow).stem for run in runs] == list(names), runs
        return runs

    def last(self, name: str) -> Run:
        """The newest run of a workflow file, after all that happened."""
        return [run for run in self.settle() if Path(run.workflow).stem == name][-1]

    def read(self, path: str, ref: str = "main") -> Any:
        """A YAML file of the forge's repository; None where it does not exist."""
        repository = self.github.repository
        text = repository.git("show", f"{ref}:{path}", check=False)
        return yaml.safe_load(text) if text else None

    def log(self, ref: str = "main") -> list[str]:
        """The summaries of a ref, newest first."""
        return self.github.repository.git("log", "--format=%s", ref).splitlines()

    def running(self, environment: str = "production", ref: str = "main") -> int | None:
        """The version that is recorded to run there."""
        found = self.read(f"registry/{MODEL}/deployments/{environment}.yaml", ref)
        return found and found["version"]

    def trainings(self, ref: str = "main") -> int:
        return sum(line.startswith("train:") for line in self.log(ref))

    def issues(self) -> list[str]:
        """The titles of the open issues."""
        return [issue["title"] for issue in self.forge.issues.values() if issue["state"] == "open"]


def _person(name: str) -> dict[str, str]:
    return {"NAME": name, "EMAIL": f"{name}@example.com"}


@dataclass
class Shelf:
    """The session's folder. `kept`: where ended stories are, by their names; `told`: their runs."""

    folder: Path
    templates: Mapping[str, str]
    kept: dict[str, Path] = field(default_factory=dict)
    told: dict[str, list[Run]] = field(default_factory=dict)

    @property
    def place(self) -> Path:
        """What declarations name: warehouse/, remote/, deployed/."""
        return self.folder / "place"

    def keep(self, name: str, shop: Shop, runs: list[Run]) -> None:
        target = self.folder / "kept" / name
        shutil.copytree(self.place, target / "place")
        shop.github.repository.git("clone", "--quiet", "--mirror", ".", str(target / "repository.git"))
        self.kept[name], self.told[name] = target, runs

    @contextmanager
    def shop(
        self, folder: Path, *, since: str = "", machine: Mapping[str, Any] | None = None, **settings: Any
    ) -> Iterator[Shop]:
        """A forge that goes on where the story `since` ended; without it the shop as it is first pushed."""
        shutil.rmtree(self.place, ignore_errors=True)
        if since:
            shutil.copytree(self.kept[since] / "place", self.place)
        forge = Interface()
        with served(forge) as address:
            given = {"workers": 1, **(machine or {})}
            templates = given.pop("templates", self.templates)
            made = image(folder / "image", templates, api_url=address, **given)
            github = GitHub(folder / "forge", machine=made, name=REPOSITORY, settings=Settings(**settings))
            forge.github = github
            if since:
                kept = self.kept[since] / "repository.git"
                github.repository.git("fetch", "--quiet", str(kept), "+refs/heads/*:refs/heads/*")
            shop = Shop(self, github, forge, github.clone("ada"))
            if not since:
                self._open(shop)
            try:
                yield shop
            except BaseException:
                sys.stdout.write("\n".join(run.render() for run in github.runs))  # the whole story, where it went wrong
                raise

    def _open(self, shop: Shop) -> None:
        """Ada's first push: the reference project, its data in DVC, its workflows."""
        ada = shop.ada
        git(ada, "checkout", "--quiet", "-B", "main")
        copy_reference(ada)
        generate_data(ada, seasons=8)
        (self.place / "warehouse").mkdir(parents=True)
        shutil.copyfile(ada / "data/sales.csv", self.place / "warehouse/sales.csv")
        shop.edit(
            "mlops.yaml", "provider: github", f'provider: github\n  python: "{VERSION}"\n  install: {{from: wheels}}'
        )
        source = f'source: {{command: cp "{self.place}/warehouse/sales.csv" "$STELLWERK_OUT"}}'
        shop.edit("mlops.yaml", "    path: data/sales.csv\n", f"    path: data/sales.csv\n    {source}\n")
        shop.edit(
            "mlops.yaml", "    thresholds:\n", "    retrain: {schedule: 0 3 * * 1, on: [data]}\n    thresholds:\n"
        )
        shop.edit("environments/production.yaml", "target: local ", "target: command ")
        shop.edit(
            "environments/production.yaml", "path: deployed/production", "command: sh deploy.sh\n  probe: sh deploy.sh"
        )
        (ada / "deploy.sh").write_text(DEPLOY.format(place=self.place))
        shop.stellwerk("init", "--yes")
        subprocess.run(
            [SCRIPTS / "dvc", "remote", "modify", "--quiet", "storage", "url", self.place / "remote"],
            cwd=ada,
            check=True,
        )
        (ada / "wheels").mkdir()
        (ada / "wheels/README").write_text("Made by `pip wheel`.\n")
        digest = hashlib.sha256(b"no wheel").hexdigest()
        (ada / ".github").mkdir(exist_ok=True)
        (ada / ".github/stellwerk.txt").write_text(f"stellwerk==0.1.0 \\\n    --hash=sha256:{digest}\n")
        shop.stellwerk("render")
        git(ada, "add", "--all")
        git(ada, "commit", "--quiet", "--message", "A shop that forecasts")
        shop.stellwerk("snapshot", "sales-stand-in", "--because", "made up", "--push")
        git(ada, "push", "--quiet", "origin", "HEAD:main")
