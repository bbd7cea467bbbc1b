"""What history still needs of the bytes it names. Pure: entries of history in, reasons out.

Every use of a content has a last moment (none while it lasts) and a declared period it is kept for after that (none:
for ever). A content may go when no use keeps it. When in doubt it is kept: what cannot be read names everything.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct, field

from stellwerk.declarations.document import load_document
from stellwerk.declarations.records import RecordError, decode
from stellwerk.declarations.schema import text_shape
from stellwerk.model.records import Deployment, Release
from stellwerk.planning.gates import duration_words, time_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from stellwerk.model.declared import Retention

PATTERNS = (
    "registry/*/*/version.yaml",
    "registry/*/*/verdicts/*.yaml",
    "registry/*/*/approvals/*/*.yaml",
    "registry/*/deployments/*.yaml",
    "environments/*/*.yaml",
    "**/*.dvc",
    "**/dvc.lock",
)
MD5 = re.compile(rb"(?<![0-9A-Za-z])[0-9a-f]{32}(?:\.dir)?(?![0-9A-Za-z])")
NAME = re.compile(rb"^model: (.+)$", re.MULTILINE)


class Entry(Protocol):
    """One content of one file somewhere in history; see `adapters.git.history`."""

    @property
    def path(self) -> str: ...
    @property
    def blob(self) -> str: ...
    @property
    def born(self) -> float | None: ...
    @property
    def ended(self) -> float | None: ...
    @property
    def now(self) -> bool: ...


class Use(Struct, frozen=True, kw_only=True):
    """A reason to keep contents. `rule` names the period in `Retention`; `last` None: it lasts."""

    rule: str  # releases | versions | snapshots
    words: str
    objects: frozenset[str]
    last: float | None


class Uses(Struct, frozen=True, kw_only=True):
    """Everything that uses contents, what each content is in words, and which version's package it is."""

    uses: tuple[Use, ...]
    names: Mapping[str, str]
    packages: Mapping[str, tuple[str, ...]]  # md5 -> model@number


class Verdicts(Struct, frozen=True, kw_only=True):
    """Why each content that history names stays, or may go. A content is in one of the two."""

    kept: Mapping[str, str] = field(default_factory=dict)
    expired: Mapping[str, str] = field(default_factory=dict)


def decide(uses: Iterable[Use], retention: Retention, now: float) -> Verdicts:
    """The reasons, the strongest one for each content. `now`: seconds since the epoch, UTC."""
    kept: dict[str, tuple[int, str]] = {}
    expired: dict[str, tuple[float, str]] = {}
    for use in uses:
        period: int | None = getattr(retention, use.rule)
        if use.last is None:
            strength, words = 0, use.words
        elif period is None:
            strength, words = 2, f"{use.words} (limits.retention.{use.rule} is not set)"
        elif now - use.last <= period:
            strength, words = 1, f"{use.words}, kept until {time_words(use.last + period)}"
        else:
            words = f"{use.words} until {time_words(use.last)}; {use.rule} are kept {duration_words(period)}"
            for md5 in use.objects:
                expired[md5] = max(expired.get(md5, (use.last, words)), (use.last, words))
            continue
        for md5 in use.objects:
            kept[md5] = min(kept.get(md5, (strength, words)), (strength, words))
    return Verdicts(
        kept={md5: words for md5, (_, words) in kept.items()},
        expired={md5: words for md5, (_, words) in expired.items() if md5 not in kept},
    )


def read_uses(entries: Iterable[Entry], contents: Mapping[str, bytes]) -> Uses:
    """What the files of history use. `contents`: blob -> content of the entries for which `reads` holds."""
    found = list(entries)
    reader = _Reader(contents)
    for entry in found:
        match entry.path.split("/"):
            case ["registry", model, number, "version.yaml"] if number.isdigit():
                reader.version(entry, model, number)
            case _:
                pass
    for entry in found:
        reader.take(entry)
    return Uses(
        uses=tuple(reader.uses),
        names=reader.names,
        packages={md5: tuple(sorted(named)) for md5, named in reader.packages.items()},
    )


def reads(path: str) -> bool:
    """Whether the content of such a file matters, not only that it is there."""
    return not path.startswith("registry/") or path.endswith("/version.yaml") or "/deployments/" in path


class _Reader:
    """Turns entries into uses; versions must be read before what names them."""

    def __init__(self, contents: Mapping[str, bytes]) -> None:
        self.contents = contents
        self.uses: list[Use] = []
        self.names: dict[str, str] = {}
        self.packages: dict[str, set[str]] = {}
        self.versions: dict[str, dict[int, frozenset[str]]] = {}

    def version(self, entry: Entry, model: str, number: str) -> None:
        """What a version's record names: its package and the data it was trained on and is judged by."""
        content = self.contents[entry.blob]
        objects = _hashes(content)
        known = self.versions.setdefault(model, {})
        known[int(number)] = known.get(int(number), frozenset()) | objects
        found = NAME.search(content)
        born_as = found[1].decode("utf-8", "replace").strip("'\" ") if found else model
        for md5 in objects:
            if md5.endswith(".dir"):
                self.names[md5] = f"the package of {model} v{number}"
                self.packages.setdefault(md5, set()).add(f"{born_as}@{number}")
            else:
                self.names.setdefault(md5, f"the data of {model} v{number}")
        self._use("versions", f"{model} v{number} was born", objects, entry.born)

    def take(self, entry: Entry) -> None:
        """One entry that is no version's record."""
        match entry.path.split("/"):
            case ["registry", _, _, "version.yaml"]:
                return
            case ["registry", model, number, "verdicts", name] if number.isdigit():
                words = f"{model} v{number} was judged in {name.removesuffix('.yaml')}"
                self._use("versions", words, self._objects(model, {int(number)}), entry.born)
            case ["registry", model, number, "approvals", environment, _] if number.isdigit():
                words = f"{model} v{number} was decided on for {environment}"
                self._use("versions", words, self._objects(model, {int(number)}), entry.born)
            case ["registry", model, "deployments", name]:
                self._wanted(entry, model, name.removesuffix(".yaml"), "runs in", _deployed)
            case ["environments", environment, name]:
                self._wanted(entry, name.removesuffix(".yaml"), environment, "is released in", _released)
            case [*_, name] if name == "dvc.lock" or name.endswith(".dvc"):
                self._pointed(entry)
            case _:
                return

    def _wanted(self, entry: Entry, model: str, environment: str, verb: str, numbers: Numbers) -> None:
        wanted = numbers(entry.path, self.contents[entry.blob])
        for number in sorted(self.versions.get(model, {}) if wanted is None else wanted):
            words = f"{model} v{number} {verb if entry.now else verb.replace('is', 'was').replace('runs', 'ran')}"
            last = None if entry.now else entry.ended
            self._use("releases", f"{words} {environment}", self._objects(model, {number}), last)

    def _pointed(self, entry: Entry) -> None:
        objects = _hashes(self.contents[entry.blob])
        path = entry.path.removesuffix(".dvc")
        lock = entry.path.endswith("dvc.lock")
        for md5 in objects:
            self.names.setdefault(md5, f"{path} names it" if lock else f"a snapshot of {path}")
        rule = "versions" if lock and entry.path.startswith("models/") else "snapshots"
        words = f"{entry.path} {'names' if entry.now else 'named'} it"
        self._use(rule, words, objects, None if entry.now else entry.ended)

    def _objects(self, model: str, numbers: Iterable[int]) -> frozenset[str]:
        known = self.versions.get(model, {})
        return frozenset[str]().union(*(known.get(number, frozenset()) for number in numbers))

    def _use(self, rule: str, words: str, objects: frozenset[str], last: float | None) -> None:
        if objects:
            self.uses.append(Use(rule=rule, words=words, objects=objects, last=last))


class Numbers(Protocol):
    """Reads the versions that a file names; None where it cannot be read."""

    def __call__(self, path: str, content: bytes, /) -> frozenset[int] | None: ...


def _hashes(content: bytes) -> frozenset[str]:
    """Everything in the text that DVC could have named a content by."""
    return frozenset(found.decode() for found in MD5.findall(content))


def _released(path: str, content: bytes) -> frozenset[int] | None:
    document, findings = load_document(path, content, shape=text_shape("release"))
    try:
        release = decode(Release, document.value, where=path) if document and not findings else None
    except RecordError:
        return None
    if release is None:
        return None
    return frozenset({release.version, *([release.rollback.of] if release.rollback else [])})


def _deployed(path: str, content: bytes) -> frozenset[int] | None:
    document, findings = load_document(path, content)
    try:
        deployment = decode(Deployment, document.value, where=path) if document and not findings else None
    except RecordError:
        return None
    if deployment is None:
        return None
    return frozenset({deployment.version} if deployment.version is not None else set())
