"""What `%pip install` and its like ask for, as requirements."""

from __future__ import annotations

import re
import shlex

_INSTALLER = re.compile(
    r"(?:(?:\S*python[\d.]*|\{sys\.executable\}|\$\{?sys\.executable\}?)\s+-m\s+)?"
    r"(?P<tool>uv\s+pip|pip[\d.]*|conda|mamba|micromamba|uv)\s+(?P<verb>\w+)\s*(?P<rest>.*)\Z",
    re.DOTALL,
)
_HARMLESS = frozenset({"list", "freeze", "show", "check", "info", "search", "config", "cache", "debug", "inspect"})
_WITH_VALUE = frozenset(
    [
        "-i",
        "--index-url",
        "--extra-index-url",
        "-f",
        "--find-links",
        "-t",
        "--target",
        "--prefix",
        "--root",
        "--python",
        "--platform",
        "--timeout",
        "--proxy",
        "--retries",
        "--trusted-host",
        "--progress-bar",
        "--upgrade-strategy",
        "--no-binary",
        "--only-binary",
        "--channel",
        "-n",
        "--name",
        "-p",
        "--config-settings",
        "--log",
        "--cert",
    ]
)
_BY_FILE = frozenset({"-r", "--requirement", "-c", "--constraint", "-e", "--editable", "--file"})
_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_REQUIREMENT = re.compile(rf"({_NAME})\s*(\[[\w\s,.-]*\])?\s*((?:[<>=!~]=?=?\s*[\w.*+!-]+\s*,?\s*)*)(;.*)?\Z")
_CONDA = re.compile(rf"(?:[\w-]+::)?({_NAME})(?:={{1,2}}([\w.*+!]+)(?:=\w+)?|((?:[<>=!~]=?[\w.*+!-]+,?)+))?\Z")


class UnreadableInstallError(ValueError):
    """The line installs something that cannot be said as a requirement; the message says what."""


def requirements_of(command: str) -> tuple[str, ...] | None:
    """The requirements that a shell line installs; () where it only lists or shows, None where it is no installer.

    Raises UnreadableInstallError.
    """
    found = _INSTALLER.match(command.strip())
    if found is None:
        return None
    tool, verb = found["tool"], found["verb"]
    conda = tool in {"conda", "mamba", "micromamba"}
    if verb in _HARMLESS:
        return ()
    if verb not in {"install", "add"} or (verb == "add" and tool != "uv"):
        raise UnreadableInstallError(f"`{tool} {verb}` changes what is installed")
    try:
        words = shlex.split(found["rest"], comments=True)
    except ValueError:
        raise UnreadableInstallError("its quotes are not closed") from None
    return tuple(_requirement(word, conda=conda) for word in _packages(words, conda=conda))


def _packages(words: list[str], *, conda: bool) -> list[str]:
    packages = []
    waiting = iter(words)
    for word in waiting:
        if word.partition("=")[0] in _BY_FILE and not (conda and word == "-c"):
            raise UnreadableInstallError(f"`{word}` points to a file or folder")
        if word in _WITH_VALUE or (conda and word == "-c"):
            next(waiting, None)
        elif not word.startswith("-"):
            packages.append(word)
    return packages


def _requirement(word: str, *, conda: bool) -> str:
    if "{" in word or "$" in word:
        raise UnreadableInstallError(f"`{word}` holds a variable")
    if conda:
        named = _CONDA.match(word)
        if named is None:
            raise UnreadableInstallError(f"`{word}` is no package")
        name, exact, bound = named.groups()
        return f"{name}=={exact}" if exact else f"{name}{bound or ''}"
    asked = _REQUIREMENT.match(word)
    if asked is None:
        raise UnreadableInstallError(f"`{word}` is a folder or an address, or no requirement")
    name, extras, bounds, marker = asked.groups()
    return f"{name}{extras or ''}{(bounds or '').replace(' ', '')}{marker or ''}"
