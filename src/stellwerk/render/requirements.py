"""The pinned packages from which CI jobs install Stellwerk: what is asked for, how the file is written and read. Pure.

Pip checks every hash of such a file before it unpacks anything, and refuses a file in which one is missing. A package
of which there is no wheel (one that DVC needs) is built on the runner: by the setuptools of the same file, without the
isolation in which pip would fetch another one that nobody has seen.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stellwerk.model.declared import NOTEBOOK, Purpose

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stellwerk.model.declared import Project

PACKAGE = "stellwerk"
EXTRAS = {"s3": "s3", "gs": "gs", "azure": "azure", "abfs": "azure", "ssh": "ssh", "sftp": "ssh"}
OTHERS = {  # remotes of DVC for which Stellwerk has no extra of its own
    "gdrive": "dvc[gdrive]",
    "hdfs": "dvc[hdfs]",
    "oss": "dvc[oss]",
    "webdav": "dvc[webdav]",
    "webdavs": "dvc[webdav]",
    "webhdfs": "dvc[webhdfs]",
}
PINNED = re.compile(
    r"(?P<name>[\w.-]+)(?:\[[^\]]*\])?==(?P<version>[^\s;]+)(?:\s*;[^#]*?)?(?P<hashes>(?:\s+--hash=\S+)*)"
)
SOURCES = re.compile(r"--no-binary[ =](?P<names>[\w.,-]+)")
MARKS = {"github": "pygithub", "notebook": "nbclient", "serve": "uvicorn"}  # what is pinned where the extra is
BUILDER = "setuptools"
BUILT = ("antlr4-python3-runtime",)  # published as source only; omegaconf, of hydra-core, of DVC, needs 4.9
HASH = re.compile(r"--hash=(?:sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """One version of a package, and the SHA-256 of the file it is installed from, in hexadecimal digits.

    `source`: that file is no wheel.
    """

    name: str
    version: str
    sha256: str
    source: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """What a file of pinned packages says: which Stellwerk, and the requirements (with their line) without a hash.

    `names` of all packages that are pinned, in lower case with `-`.
    """

    version: str | None
    names: frozenset[str]
    loose: tuple[tuple[int, str], ...]


def extras_of(project: Project) -> tuple[str, ...]:
    """The extras of Stellwerk that its jobs need, sorted: for the forge, notebooks, services of packages."""
    found = {"github"} if project.workflows is not None and project.workflows.provider == "github" else set()
    if any(model.source is not None and model.source.endswith(NOTEBOOK) for model in project.models):
        found.add("notebook")
    if project.models and any(environment.purpose is Purpose.INTEGRATION for environment in project.environments):
        found.add("serve")
    return tuple(sorted(found))


def lacking(project: Project, lock: Lock) -> tuple[str, ...]:
    """What the file does not pin although the project's jobs need it, in words."""
    missing = (extra for extra in extras_of(project) if MARKS[extra] not in lock.names)
    return tuple(f"it pins no {MARKS[extra]}, which {PACKAGE}[{extra}] needs" for extra in missing)


def checkout(extras: Iterable[str]) -> str:
    """What pip installs from the folder it runs in, as a word of bash."""
    named = ",".join(extras)
    return f"'.[{named}]'" if named else "."


def wanted(version: str, *, extras: Iterable[str], urls: Iterable[str], built: bool) -> tuple[str, ...]:
    """What pip is asked for: Stellwerk with these extras, and with what the remotes at those URLs need.

    `built`: a package may have to be built, so the builder is asked for as well.
    """
    schemes = {url.partition("://")[0].lower() for url in urls if "://" in url}
    every = {*extras, *(EXTRAS[scheme] for scheme in schemes if scheme in EXTRAS)}
    named = f"[{','.join(sorted(every))}]" if every else ""
    others = {OTHERS[scheme] for scheme in schemes if scheme in OTHERS} | ({f"{BUILDER}>=70.1"} if built else set())
    return f"{PACKAGE}{named}=={version}", *sorted(others)


def install_command(method: str) -> tuple[str, ...]:
    """The lines of bash that install from the file that $REQUIREMENTS names. Nothing of them comes from anybody."""
    install = "python -m pip install --quiet --require-hashes --only-binary :all:"
    if method == "wheels":
        return (f'{install} --no-index --requirement "$REQUIREMENTS"',)
    return (
        f"{install} --requirement <(grep -A 1 '^{BUILDER}==' \"$REQUIREMENTS\")",
        f'{install} --no-build-isolation --requirement "$REQUIREMENTS"',
    )


def lock_text(pins: tuple[Pin, ...], asked: tuple[str, ...], *, python: str) -> str:
    """The file: a head that says how it was made, then the packages by name. It names no index."""
    head = (
        f"# What {' and '.join(asked)} needs with Python {python} on Linux x86_64, as pip resolved it.\n"
        "# Made by `stellwerk lock`; do not edit it, run that again. Installed with `pip install --require-hashes`.\n"
    )
    lines = (f"{pin.name}=={pin.version} \\\n    --hash=sha256:{pin.sha256}\n" for pin in sorted(pins, key=_name))
    built = ",".join(sorted(pin.name for pin in pins if pin.source))
    return head + (f"--no-binary {built}\n" if built else "") + "".join(lines)


def _name(pin: Pin) -> str:
    return pin.name


def read_lock(text: str) -> Lock:
    """What the file pins. Options but `--no-binary`, and URLs, count as requirements without a hash."""
    loose: list[tuple[int, str]] = []
    version: str | None = None
    names = set()
    for number, requirement in _requirements(text):
        if SOURCES.fullmatch(requirement):
            continue
        found = PINNED.fullmatch(requirement)
        hashes = found["hashes"].split() if found is not None else []
        if found is None or not hashes or not all(HASH.fullmatch(item) for item in hashes):
            loose.append((number, requirement))
            continue
        name = re.sub(r"[-_.]+", "-", found["name"]).lower()
        names.add(name)
        if name == PACKAGE:
            version = found["version"]
    return Lock(version=version, names=frozenset(names), loose=tuple(loose))


def _requirements(text: str) -> Iterable[tuple[int, str]]:
    """Line number (from 1) and text of each requirement, its continued lines joined, comments left out."""
    started, joined = 0, ""
    for number, line in enumerate([*text.splitlines(), ""], start=1):
        bare = re.sub(r"(^|\s)#.*$", "", line).strip()
        started = started or number
        if bare.endswith("\\"):
            joined += f" {bare[:-1].strip()}"
            continue
        joined = f"{joined} {bare}".strip()
        if joined:
            yield started, joined
        started, joined = 0, ""
    if joined.strip():
        yield started, joined.strip()
