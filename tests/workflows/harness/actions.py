"""The stand-ins for actions: what `uses:` may name, their inputs, and the small ones themselves.

A stand-in does what the steps around it can see: files, outputs, variables, PATH and its exit. It is chosen by the
action's name; any reference after the `@` is taken. Every other action is an error.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from .commands import Listener
from .permissions import NAMES, lowered
from .results import Annotation

if TYPE_CHECKING:
    from .workplace import Workplace


class ActionError(Exception):
    """A step that failed; the text is its error annotation."""


@dataclass(slots=True, kw_only=True)
class ActionCall:
    """One step's call, and all that a stand-in may do to the job."""

    job: Workplace
    listener: Listener
    env: Mapping[str, str]
    minutes: float | None
    inputs: dict[str, str] = field(default_factory=dict)

    def flag(self, name: str) -> bool:
        return self.inputs[name].lower() == "true"

    def lines(self, name: str) -> list[str]:
        return [line.strip() for line in self.inputs[name].splitlines() if line.strip()]

    def output(self, name: str, value: str) -> None:
        self.listener.result.outputs[name] = value

    def say(self, text: str) -> None:
        self.listener.say(text)

    def warn(self, text: str) -> None:
        self.listener.hear(f"::warning::{text}")

    def after(self, name: str, post: Callable[[ActionCall], None], *, when: str = "always") -> None:
        """Something for the end of the job; `when` is always or success."""
        self.job.posts.append((name, when, post, self))

    def run(self, *command: str, cwd: Path | None = None) -> None:
        """A process whose failure fails the step."""
        self.say(f"[command]{' '.join(command)}")
        folder = cwd or self.job.folders.workspace
        env = self.job.variables(self.env)
        code = self.job.execute(list(command), cwd=folder, env=env, listener=self.listener, minutes=self.minutes)
        if code != 0:
            raise ActionError(f"The process '{command[0]}' failed with exit code {code}")

    def ask(self, *command: str, cwd: Path | None = None) -> str | None:
        """The output of a quick process; None where it failed."""
        folder = cwd or self.job.folders.workspace
        done = subprocess.run(
            command, cwd=folder, env=self.job.variables(self.env), capture_output=True, encoding="utf-8", check=False
        )
        return done.stdout.removesuffix("\n") if done.returncode == 0 else None


@dataclass(frozen=True, slots=True)
class StandIn:
    """`inputs` are the names it knows, with a default after `=`."""

    inputs: str
    act: Callable[[ActionCall], object]

    def defaults(self) -> dict[str, str]:
        pairs = (word.partition("=") for word in self.inputs.split())
        return {name: default for name, _, default in pairs}


def run_action(uses: str, given: Mapping[str, str], call: ActionCall) -> None:
    """Do what the action would; raises ActionError."""
    name, at, reference = uses.partition("@")
    if not at or not reference:
        raise ActionError(f"Expected format {{org}}/{{repo}}[/path]@ref. Actual '{uses}'")
    stand_in = _stand_ins().get(name)
    if stand_in is None:
        raise ActionError(f"there is no stand-in for the action {name!r}")
    defaults = stand_in.defaults()
    given = {key.lower(): value for key, value in given.items()}
    if unexpected := sorted(set(given) - set(defaults)):
        call.listener.result.annotations.append(
            Annotation(
                level="warning", message=f"Unexpected input(s) {unexpected}, valid inputs are {sorted(defaults)}"
            )
        )
    call.inputs = {**defaults, **given}
    stand_in.act(call)


def _stand_ins() -> dict[str, StandIn]:
    from . import checkout, storage

    caching = "path key restore-keys fail-on-cache-miss=false lookup-only=false"
    app_rights = " ".join(f"permission-{name}" for name in (*NAMES, "workflows", "members"))
    return {
        "actions/checkout": StandIn(checkout.INPUTS, checkout.check_out),
        "actions/setup-python": StandIn(
            "python-version python-version-file cache cache-dependency-path check-latest architecture token "
            "update-environment=true allow-prereleases=false",
            _set_up_python,
        ),
        "actions/cache": StandIn(f"{caching} save-always=false", storage.cache),
        "actions/cache/restore": StandIn(caching, storage.restore_cache),
        "actions/cache/save": StandIn("path key", storage.save_cache),
        "actions/upload-artifact": StandIn(
            "name=artifact path if-no-files-found=warn retention-days=0 overwrite=false include-hidden-files=false "
            "compression-level=6",
            storage.upload_artifact,
        ),
        "actions/download-artifact": StandIn(
            "name pattern path merge-multiple=false github-token run-id repository artifact-ids",
            storage.download_artifact,
        ),
        "actions/create-github-app-token": StandIn(
            f"app-id client-id private-key owner repositories github-api-url skip-token-revoke=false {app_rights}",
            _create_app_token,
        ),
    }


def _set_up_python(call: ActionCall) -> None:
    """A virtual environment of the given interpreter, first on PATH; it has pip where the machine gives it one."""
    wanted = call.inputs["python-version"]
    pythons = call.job.given.machine.pythons
    found = next(
        (version for version in pythons if wanted in {version, f"{version}.x"} or wanted.startswith(f"{version}.")),
        None,
    )
    if found is None:
        raise ActionError(f"The version '{wanted}' with architecture 'x64' was not found; there are {sorted(pythons)}")
    folder = call.job.folders.tools / f"Python/{found}/x64"
    if not folder.exists():
        _make_environment(pythons[found], found, folder, call.job.given.machine.site_packages)
    call.job.paths.append(str(folder / "bin"))
    for name in ("pythonLocation", "Python_ROOT_DIR", "Python3_ROOT_DIR"):
        call.job.env[name] = str(folder)
    call.output("python-version", found)
    call.output("python-path", str(folder / "bin/python"))
    call.output("cache-hit", "false")


def _make_environment(interpreter: Path, version: str, folder: Path, sites: tuple[Path, ...]) -> None:
    """What `python -m venv` makes, without starting the interpreter for it."""
    base = interpreter.resolve()
    site, scripts = folder / f"lib/python{version}/site-packages", folder / "bin"
    site.mkdir(parents=True)
    scripts.mkdir()
    (folder / "pyvenv.cfg").write_text(
        f"home = {base.parent}\ninclude-system-site-packages = false\n", encoding="utf-8"
    )
    for name in ("python", "python3", f"python{version}"):
        (scripts / name).symlink_to(base)
    lines = [f"import site; site.addsitedir({str(path)!r})\n" for path in sites]
    (site / "harness.pth").write_text("".join(lines), encoding="utf-8")
    pip = scripts / "pip"
    pip.write_text('#!/bin/sh\nexec "$(dirname "$0")/python" -m pip "$@"\n', encoding="utf-8")
    pip.chmod(0o755)


def _create_app_token(call: ActionCall) -> None:
    """A token of an installed app, revoked at the end of the job."""
    repository = call.job.given.repository
    ids = {call.inputs["app-id"], call.inputs["client-id"]} - {""}
    if not ids:
        raise ActionError("The 'app-id' input must be set to a non-empty string")
    app = next((app for app in repository.settings.apps if app.id in ids), None)
    if app is None or app.private_key != call.inputs["private-key"]:
        raise ActionError("A JSON web token could not be decoded - https://docs.github.com/rest")
    prefix = "permission-"
    asked = {key.removeprefix(prefix): value for key, value in call.inputs.items() if key.startswith(prefix) and value}
    none = dict.fromkeys(asked, "none")
    granted = lowered(asked, {**none, **app.permissions}) if asked else dict(app.permissions)
    if granted != (asked or granted):
        raise ActionError("The permissions requested are not granted to this installation.")
    token = repository.issue_token(app.identity, granted, starts=True)
    call.job.masks.add(token.value)
    call.output("token", token.value)
    call.output("app-slug", app.slug)
    call.output("installation-id", "1")
    if not call.flag("skip-token-revoke"):
        call.after("actions/create-github-app-token", lambda _: repository.revoke(token))
