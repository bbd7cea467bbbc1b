"""The pinned packages from which CI jobs install Stellwerk: what is asked for, how the file is written and read. Pure.

Pip checks every hash of such a file before it unpacks anything, and refuses a file in which one is missing. A package
of which there is no wheel (one that DVC needs) is built on the runner: by the setuptools of the same file, without the
isolation in which pip would fetch another one that nobody has seen.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterable

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
BUILDER = "setuptools"
BUILT = ("antlr4-python3-runtime",)  # published as source only; omegaconf, of hydra-core, of DVC, needs 4.9
HASH = re.compile(r"--hash=(?:sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128})")


class Pin(Struct, frozen=True, kw_only=True):
    """One version of a package, and the SHA-256 of the file it is installed from, in hexadecimal digits.

    `source`: that file is no wheel.
    """

    name: str
    version: str
    sha256: str
    source: bool = False


class Lock(Struct, frozen=True, kw_only=True):
    """What a file of pinned packages says: which Stellwerk, and the requirements (with their line) without a hash."""

    version: str | None
    packages: int
    loose: tuple[tuple[int, str], ...]


def wanted(
    version: str, *, provider: str, urls: Iterable[str], built: bool, formats: Iterable[str] = ()
) -> tuple[str, ...]:
    """What pip is asked for: Stellwerk with what the forge needs, and with what the remotes at those URLs need.

    `built`: a package may have to be built, so the builder is asked for as well. `formats`: what models without an
    environment of their own are written as.
    """
    schemes = {url.partition("://")[0].lower() for url in urls if "://" in url}
    extras = {EXTRAS[scheme] for scheme in schemes if scheme in EXTRAS}
    extras.update(formats)
    if provider == "github":
        extras.add("github")
    named = f"[{','.join(sorted(extras))}]" if extras else ""
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
    version, packages = None, 0
    for number, requirement in _requirements(text):
        if SOURCES.fullmatch(requirement):
            continue
        found = PINNED.fullmatch(requirement)
        hashes = found["hashes"].split() if found is not None else []
        if found is None or not hashes or not all(HASH.fullmatch(item) for item in hashes):
            loose.append((number, requirement))
            continue
        packages += 1
        if re.sub(r"[-_.]+", "-", found["name"]).lower() == PACKAGE:
            version = found["version"]
    return Lock(version=version, packages=packages, loose=tuple(loose))


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
