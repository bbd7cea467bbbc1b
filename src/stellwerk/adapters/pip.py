"""Let pip say which packages something needs on a runner (Linux x86_64), whatever this machine is. Installs nothing."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from stellwerk.errors import StellwerkError
from stellwerk.render.requirements import BUILT, PACKAGE, Pin

if TYPE_CHECKING:
    from collections.abc import Mapping

# Oldest to newest; the newest is what the oldest runner image in use can run.
PLATFORMS = (
    "manylinux1_x86_64",
    "manylinux2010_x86_64",
    "manylinux2014_x86_64",
    *(f"manylinux_2_{minor}_x86_64" for minor in (5, 12, 17, 24, 26, 27, 28)),
)
NEWEST_PATCH = 99  # runners have the newest patch of a version
PATIENCE = 1800.0  # seconds
TAIL = 2000  # characters of what pip said
ABSENT = re.compile(rf"No matching distribution found for {PACKAGE}(?:\[[\w,]*\])?==")


class Origin(Struct, frozen=True, kw_only=True):
    """Where packages come from. `index` None: as pip is configured; `only_folder`: from the folder and nowhere else."""

    index: str | None = None
    folder: Path | None = None
    only_folder: bool = False


def resolve(
    asked: tuple[str, ...],
    *,
    python: str,
    origin: Origin,
    environ: Mapping[str, str],
    interpreter: str = sys.executable,
) -> tuple[Pin, ...]:
    """Every package that those requirements need with that Python (`3.11`) on Linux x86_64, as wheels, by pip's word.

    StellwerkError with pip's own words where it finds no answer, or where an index tells no SHA-256 of a file.
    """
    with tempfile.TemporaryDirectory(prefix="stellwerk-lock-") as folder:
        report = Path(folder) / "report.json"
        command = [
            *(interpreter, str(files("stellwerk").joinpath("worker/pip_for.py")), json.dumps(_markers(python))),
            *("install", "--progress-bar", "off", "--dry-run", "--ignore-installed", "--only-binary", ":all:"),
            *(() if origin.only_folder else ("--no-binary", ",".join(BUILT))),
            *(word for platform in PLATFORMS for word in ("--platform", platform)),
            *("--implementation", "cp", "--python-version", python),
            *("--target", str(Path(folder) / "target"), "--report", str(report)),
            *(("--find-links", str(origin.folder.resolve())) if origin.folder is not None else ()),
            *(("--no-index",) if origin.only_folder else ()),
            *asked,
        ]
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                cwd=folder,  # nothing of the repository is on the path
                env=_environment(origin, environ),
                timeout=PATIENCE,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise StellwerkError("pip found no answer in half an hour", hint="try it again") from error
        if done.returncode != 0 or not report.exists():
            raise _refused(done.stdout.decode("utf-8", "replace"), asked, origin)
        return tuple(_pin(item) for item in json.loads(report.read_bytes())["install"])


def _markers(python: str) -> dict[str, str]:
    """What the conditions of requirements see on the runner."""
    full = f"{python}.{NEWEST_PATCH}"
    return {
        "implementation_name": "cpython",
        "implementation_version": full,
        "os_name": "posix",
        "platform_machine": "x86_64",
        "platform_python_implementation": "CPython",
        "platform_system": "Linux",
        "python_full_version": full,
        "python_version": python,
        "sys_platform": "linux",
    }


def _environment(origin: Origin, environ: Mapping[str, str]) -> dict[str, str]:
    found = dict(environ)
    if origin.only_folder:  # nor what pip is configured with
        found = {name: value for name, value in environ.items() if not name.upper().startswith("PIP_")}
        found["PIP_CONFIG_FILE"] = os.devnull
    elif origin.index is not None:
        found["PIP_INDEX_URL"] = origin.index
    return {**found, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1", "PYTHONUTF8": "1", "NO_COLOR": "1"}


def _pin(item: Mapping[str, Any]) -> Pin:
    name = re.sub(r"[-_.]+", "-", str(item["metadata"]["name"])).lower()
    archive = item["download_info"].get("archive_info", {})
    hashes = archive.get("hashes") or dict([str(archive.get("hash", "=")).split("=", 1)])
    digest = hashes.get("sha256")
    if not isinstance(digest, str) or not re.fullmatch(r"[0-9a-f]{64}", digest):
        raise StellwerkError(
            f"the index tells no SHA-256 of {name}",
            hint="take an index that does, or download the wheels and use: stellwerk lock --wheels DIR",
        )
    source = not str(item["download_info"]["url"]).partition("#")[0].endswith(".whl")
    return Pin(name=name, version=str(item["metadata"]["version"]), sha256=digest, source=source)


def _essence(said: str) -> str:
    """The end of what pip said, from its first complaint on."""
    lines = [line for line in said.splitlines() if not line.startswith("WARNING:")]
    first = next((at for at, line in enumerate(lines) if line.startswith("ERROR:")), 0)
    return "\n".join(lines[first:]).strip()[-TAIL:]


def _refused(said: str, asked: tuple[str, ...], origin: Origin) -> StellwerkError:
    said = _essence(re.sub(r"(\w+://)[^/\s@]+@", r"\1", said))
    if ABSENT.search(said):
        where = "in the folder of wheels" if origin.only_folder else "on the package index"
        return StellwerkError(
            f"{asked[0]} is not {where}:\n{said}",
            hint="build its wheel (pip wheel --no-deps) and name the folder: stellwerk lock --wheels DIR; "
            "in Stellwerk's own repository declare workflows: {install: {from: checkout}}",
        )
    return StellwerkError(
        f"pip found no set of wheels for {' and '.join(asked)}:\n{said or 'it said nothing'}",
        hint="pip install --upgrade pip where it is older than 23; else what pip says above",
    )
