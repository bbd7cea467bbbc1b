"""Secrets stay out of declarations: their names are written there, never their values."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from typing import TYPE_CHECKING

from stellwerk.model.findings import Severity
from stellwerk.planning.rules.rule import Problem, Rule, RuleInput, declared

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stellwerk.model.declared import Json

KeyPath = tuple[str | int, ...]

# What it is, the text it must contain, and its shape. Every shape starts with plain text, which makes searching quick.
SHAPES = (
    ("an AWS access key", "AKIA", r"AKIA[0-9A-Z]{16}(?![0-9A-Z])"),
    ("an AWS access key", "ASIA", r"ASIA[0-9A-Z]{16}(?![0-9A-Z])"),
    ("a GitHub token", "gh", r"gh[pousr]_[A-Za-z0-9]{30,}"),
    ("a GitHub token", "github_pat_", r"github_pat_[A-Za-z0-9_]{30,}"),
    ("a GitLab token", "glpat-", r"glpat-[A-Za-z0-9_-]{20,}"),
    ("a Slack token", "xox", r"xox[abeoprs]-[A-Za-z0-9-]{10,}"),
    ("a Google API key", "AIza", r"AIza[0-9A-Za-z_-]{35}"),
    ("a private key", "PRIVATE KEY", r"PRIVATE KEY-----"),
    ("an address with a password", "://", r"://[^\s/:@\"']*:(?![$%{<*])[^\s/@\"']+@"),
)
KEY_WORDS: tuple[str, ...] = ("passw", "pwd", "passphrase", "secret", "token", "credential")
KEY_WORDS += tuple(f"{word}{dash}key" for word in ("api", "access") for dash in ("", "_", "-"))
KEY = re.compile("|".join(KEY_WORDS), re.IGNORECASE)
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")
JSON_KEY = re.compile(r'"([^"\\]*)": "')
PLACEHOLDER = re.compile(r"\$\{?.*|<.*>|\*+|x+|\.\.\.|env:.*|secret:.*", re.IGNORECASE)
LONG, BITS = 12, 3.0


def secret_kind(key: str, text: str) -> str:
    """What the text seems to be ('' if it seems harmless); `key` is the key it stands under."""
    shaped = shape_of(text)
    if shaped:
        return shaped
    if KEY.search(key) and len(text) >= LONG and not PLACEHOLDER.fullmatch(text) and bits(text) >= BITS:
        return "a password or a token" if not text.isidentifier() or any(map(str.isdigit, text)) else ""
    return ""


def shape_of(text: str) -> str:
    """Which well-known secret the text holds, in words; '' if none."""
    return next((words for words, part, shape in SHAPES if part in text and re.search(shape, text)), "")


def bits(text: str) -> float:
    """Shannon entropy per character, in bits: about 2 for `aaaabbbbccccdddd`, 4 and more for random text."""
    counts = Counter(text).values()
    return -sum(count / len(text) * math.log2(count / len(text)) for count in counts)


def _texts(value: Json, keys: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    if isinstance(value, dict):
        for key, below in value.items():
            yield from _texts(below, (*keys, key))
    elif isinstance(value, list):
        for index, below in enumerate(value):
            yield from _texts(below, (*keys, index))
    elif isinstance(value, str):
        yield keys, value


def _in_values(given: RuleInput) -> Iterator[Problem]:
    # One search over all the text is enough for nearly every project; only a hit is worth the walk.
    text = json.dumps(given.declarations.value, ensure_ascii=False)
    folded = text.lower()
    keys_like_secrets = any(word in folded for word in KEY_WORDS) and any(map(KEY.search, set(JSON_KEY.findall(text))))
    if not keys_like_secrets and not shape_of(text):
        return
    for keys, value in _texts(dict(given.declarations.value), ()):
        named = [key for key in keys if isinstance(key, str)]
        kind = "" if _in_secrets(keys) else secret_kind(named[-1] if named else "", value)
        if kind:
            yield Problem(
                place=given.place(*keys),
                message=f"the value of {'.'.join(map(str, keys))} looks like {kind}",
                hint="revoke it (git keeps it for ever), put the new one into the CI's secret store and write only its"
                " name under `secrets` of the environment",
            )


def _in_secrets(keys: KeyPath) -> bool:
    return len(keys) > 3 and keys[0] == "environments" and keys[2] == "secrets"  # noqa: PLR2004 - (…, name, …, index)


def _as_names(given: RuleInput) -> Iterator[Problem]:
    for environment in given.project.environments:
        for index, name in enumerate(environment.secrets):
            random = len(name) >= 20 and bits(name) >= 4.0 and any(map(str.islower, name))  # noqa: PLR2004
            if shape_of(name) or not NAME.fullmatch(name) or (random and any(map(str.isdigit, name))):
                yield Problem(
                    place=given.place("environments", environment.name, "secrets", index),
                    message="this looks like the value of a secret; here stands its name",
                    hint="write the name it has in the CI's secret store, for example DATABASE_PASSWORD",
                )


_PROJECT = "datasets: {customers: {path: data/customers.csv}}\n"
_SOURCE = "datasets: {customers: {path: data/customers.csv, source: {url: '%s'}}}"

RULES = (
    Rule(
        id="SW503",
        title="secret in a declaration",
        severity=Severity.ERROR,
        explanation="Git keeps what was ever committed. A value that looks like a key, a token or an address with a"
        " password has no place in a declaration: environments list the *names* of their secrets.",
        failing=declared(_SOURCE % "https://ada:lovelace1815@example.com/customers.csv"),
        passing=declared(_SOURCE % "https://example.com/customers.csv"),
        check=_in_values,
    ),
    Rule(
        id="SW505",
        title="value where the name of a secret belongs",
        severity=Severity.ERROR,
        explanation="`secrets` lists the names under which the CI service keeps them, so that a runner gets those"
        " and no others.",
        failing=declared(_PROJECT, production="purpose: production\nsecrets: [hQ7xPz3vK9mWc2RtYb8NdLs4]"),
        passing=declared(_PROJECT, production="purpose: production\nsecrets: [DATABASE_PASSWORD]"),
        check=_as_names,
    ),
)
