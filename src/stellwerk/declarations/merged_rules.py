"""Mistakes that only show when all files lie together: what no file says, and what two of them say at once."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

from stellwerk.declarations.values import as_map
from stellwerk.declarations.write import shown
from stellwerk.model.findings import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from stellwerk.declarations.checked import CheckedFile
    from stellwerk.declarations.sources import Sources
    from stellwerk.model.declared import Json

MAX_NAME_BYTES = 240  # file systems allow 255 in one part of a path, and `.yaml` follows
_ENVIRONMENT_NAME = re.compile(r"(?![.-])[\w.-]{1,200}\Z")


def missing_findings(files: Sequence[CheckedFile], resolved: Mapping[str, Json]) -> Iterator[Finding]:
    """Required keys that a file lacks and that neither another file nor the defaults set."""
    for file in files:
        for missing in file.missing:
            value: Json = dict(resolved)
            for key in missing.keys:
                if isinstance(value, dict) and isinstance(key, str):
                    value = value.get(key)
                elif isinstance(value, list) and isinstance(key, int):
                    value = value[key]
            if not isinstance(value, dict) or value.get(missing.key) is None:
                yield missing.finding


def merged_findings(
    resolved: Mapping[str, Json], environments: Mapping[str, Json], sources: Sources
) -> Iterator[Finding]:
    """What is wrong with the whole: models laid over their defaults, and names that become paths."""
    for name, model in as_map(resolved.get("models")).items():
        yield from _model_findings(name, as_map(model), sources)
    for kind in ("teams", "datasets", "models"):
        for name in as_map(resolved.get(kind)):
            if len(name) * 4 > MAX_NAME_BYTES and len(name.encode()) > MAX_NAME_BYTES:
                words = f"the name has {len(name.encode())} bytes; file systems allow {MAX_NAME_BYTES}"
                yield _error("SW111", sources, (kind, name), words, hint="choose a shorter name", at_key=True)
        yield from _look_alikes(kind, tuple(as_map(resolved.get(kind))), sources)
    yield from _look_alikes("environments", tuple(environments), sources)
    for name in environments:
        if not _ENVIRONMENT_NAME.match(name) or len(name.encode()) > MAX_NAME_BYTES:
            words = f"'{shown(name)}' cannot be the name of an environment"
            hint = "rename the file: letters, digits, '-', '_' and '.'"
            yield _error("SW111", sources, ("environments", name), words, hint=hint)


def _look_alikes(kind: str, names: tuple[str, ...], sources: Sources) -> Iterator[Finding]:
    """Names that some file systems take for one: they differ in case or in how an accent is encoded."""
    first: dict[str, str] = {}
    for name in names:
        folded = name.casefold() if name.isascii() else unicodedata.normalize("NFKC", name).casefold()
        other = first.setdefault(folded, name)
        if other != name:
            words = f"the names '{shown(other)}' and '{shown(name)}' are one file on some systems"
            yield _error("SW111", sources, (kind, name), words, hint="rename one of them", at_key=True)


def _model_findings(name: str, model: Mapping[str, Json], sources: Sources) -> Iterator[Finding]:
    train = as_map(model.get("train"))
    if train and train.get("data") is None:
        keys = ("models", name, "train")
        hint = "add data: and the name of a dataset"
        yield _error("SW112", sources, keys, f"'data' is missing in models.{shown(name)}.train", hint=hint, at_key=True)
    if model.get("format") is not None and model.get("command") is not None:
        words = f"models.{shown(name)} has format, and a command, which writes its model by itself"
        keys = ("models", name, "format")
        yield _error("SW111", sources, keys, words, hint="take format away, or declare a source", at_key=True)
    holdout = as_map(train.get("holdout"))
    pairs = (
        (holdout, ("train", "holdout"), "fraction", "last"),
        (as_map(model.get("features")), ("features",), "include", "exclude"),
    )
    for said, inner, one, other in pairs:
        if said.get(one) is None or said.get(other) is None:
            continue
        written = [key for key in (one, other) if sources.is_written(("models", name, *inner, key))]
        if len(written) == 1:
            inherited = other if written == [one] else one
            words = f"models.{shown(name)}.{'.'.join(inner)} has {written[0]}, and {inherited} from the defaults"
            hint = f"add {inherited}: null to leave the default out"
            yield _error("SW111", sources, ("models", name, *inner, written[0]), words, hint=hint, at_key=True)


def _error(
    rule: str, sources: Sources, keys: tuple[str, ...], message: str, *, hint: str, at_key: bool = False
) -> Finding:
    place = sources.key_place(keys) if at_key else sources.place(keys)
    return Finding(rule=rule, severity=Severity.ERROR, place=place, message=message, hint=hint)
