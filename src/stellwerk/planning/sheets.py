"""Records of one tree, read in bulk and through the cache; each is made when somebody asks for it.

A record's text is looked at once, to know that it is sound and where it belongs: of the thousands of records of old
versions a plan asks for none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from msgspec import Struct
from msgspec.structs import replace

from stellwerk.declarations.records import RecordError, construct, decode, encode
from stellwerk.model.ids import CHANGED
from stellwerk.model.records import (
    Approval,
    Deployment,
    Erasure,
    Incident,
    Release,
    Removal,
    Verdict,
    VersionRecord,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from stellwerk.model.declared import Json
    from stellwerk.model.ports import Cache, Tree

T = TypeVar("T")
SEVERAL = 100  # files to read for which it pays to compile patterns
HEADS: Mapping[type, tuple[str, ...]] = {
    VersionRecord: ("number", "fingerprint"),
    Verdict: ("version", "environment"),
    Approval: ("version", "environment", "by"),
    Deployment: ("environment",),
    Incident: ("number",),
    Erasure: ("md5",),
    Removal: ("name",),
    Release: ("version",),
}
EVIDENCE: Mapping[type, tuple[str, ...]] = {VersionRecord: ("metrics", "packages"), Verdict: ("checks",)}


class Sheet(Struct, Generic[T]):
    """A sound record: `head` are the fields of it that `HEADS` names."""

    head: tuple[Any, ...]
    _made: T | None
    _text: str = ""
    _cls: type[T] | None = None

    def record(self) -> T:
        """The record, the same each time."""
        if self._made is None:
            self._made = _from_text(cast("type[T]", self._cls), self._text)
        return self._made


class RecordReader:
    """Reads records. Without `evidence` they come without the checks that passed and without metrics and packages.

    `known`: what was read before in this process, by kind and id. `unreadable`: (path, problem).
    """

    def __init__(self, cache: Cache, *, evidence: bool, known: dict[tuple[str, str], Sheet[Any]] | None = None) -> None:
        self.cache = cache
        self.known = {} if known is None else known
        self.unreadable: list[tuple[str, str]] = []
        self.evidence = evidence
        self._kinds = {cls: self._kind(cls) for cls in HEADS}
        self._takers: dict[type, Callable[[str], list[Any] | None]] = {}

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds under which the cache keeps records, releases apart."""
        return frozenset(kind for cls, kind in self._kinds.items() if cls is not Release)

    def read(self, tree: Tree, paths: Mapping[str, type[T]]) -> Iterator[tuple[str, Sheet[T]]]:
        """(path, record) of every path that can be read; the others are noted as unreadable."""
        blobs, missing, known = tree.blobs(), [], self.known
        for path, cls in paths.items():
            kind, blob = self._kinds[cls], blobs[path]
            sheet = known.get((kind, blob))
            if sheet is None:
                sheet = _stored(cls, self.cache.get(kind, blob))
                if sheet is None:
                    missing.append(path)
                    continue
                known[kind, blob] = sheet
            yield path, sheet
        many = len(missing) >= SEVERAL
        for path, content in tree.read(missing).items():
            cls, blob = paths[path], blobs[path]
            try:
                stored, sheet = self._read(path, content, cls, many=many)
            except RecordError as error:
                self.unreadable.append((path, f"{error.where}: {error.message}"))
            else:
                if not blob.startswith(CHANGED):
                    self.cache.put(self._kinds[cls], blob, stored)
                    known[self._kinds[cls], blob] = sheet
                yield path, sheet

    def _kind(self, cls: type) -> str:
        brief = "" if self.evidence or cls not in EVIDENCE else "-brief"
        return f"{cls.__name__.lower()}{brief}-2"

    def _read(self, path: str, content: bytes, cls: type[T], *, many: bool) -> tuple[Json, Sheet[T]]:
        """What the cache keeps, and the record."""
        if many:
            take = self._takers.get(cls)
            if take is None:
                take = self._takers[cls] = _taker(cls, evidence=self.evidence)
            stored = take(content.decode("latin-1"))
            if stored is not None:
                return stored, Sheet(tuple(stored[0]), None, stored[1], cls)
        record = self._brief(decode(cls, _value(path, content, cls), where=path))
        return encode(record), _finished(record)

    def _brief(self, record: T) -> T:
        if not self.evidence and isinstance(record, VersionRecord):
            return replace(record, metrics={}, packages={})
        if not self.evidence and isinstance(record, Verdict) and record.passed:
            return replace(record, checks=())
        return record


def prepare(classes: Iterable[type[Any]]) -> None:
    """Compile the patterns of these classes now."""
    from stellwerk.declarations.forms import form_of

    for cls in classes:
        form_of(cls)


def _taker(cls: type[Any], *, evidence: bool) -> Callable[[str], list[Any] | None]:
    """What makes of a text that fits what the cache keeps of it: the head, and the text a plan needs."""
    from stellwerk.declarations.forms import form_of

    form = form_of(cls)
    if form is None:
        return lambda _: None
    fit, head = form.fit, form.values(*HEADS[cls])
    if evidence or cls not in EVIDENCE:
        return lambda text: [head(found), text] if (found := fit(text)) else None
    cut, passed = form.without(*EVIDENCE[cls]), form.values("passed") if cls is Verdict else None

    def take(text: str) -> list[Any] | None:
        found = fit(text)
        if found is None:
            return None
        failed = passed is not None and not passed(found)[0]
        return [head(found), text if failed else cut(found)]

    return take


def _finished(record: T) -> Sheet[T]:
    return Sheet(tuple(getattr(record, name) for name in HEADS[type(record)]), record)


def _stored(cls: type[T], stored: Json) -> Sheet[T] | None:
    """What the cache kept: a text that fits, or the plain values of a record whose text does not."""
    if isinstance(stored, list):
        head, text = stored
        if isinstance(head, list) and len(head) == len(HEADS[cls]) and isinstance(text, str):
            return Sheet(tuple(head), None, text, cls)
        return None
    return _finished(construct(cls, stored)) if isinstance(stored, dict) else None


def _from_text(cls: type[T], text: str) -> T:
    """The record of a text that fits."""
    from stellwerk.declarations.forms import form_of

    form = form_of(cls)
    found = form.fit(text) if form else None
    if form is None or found is None:
        raise RecordError("the cache is damaged", where=cls.__name__, hint="rm -r .git/stellwerk/cache")
    return form.record(found)


def _value(path: str, content: bytes, cls: type) -> Json:
    """The YAML of a record. Releases are written by people: of them, text stays the text they typed."""
    from stellwerk.declarations.plain import read_plain

    if cls is not Release:
        value = read_plain(content)
        if value is not None:
            return value
    from stellwerk.declarations.document import load_document
    from stellwerk.declarations.schema import text_shape

    shape = text_shape("release") if cls is Release else None
    document, findings = load_document(path, content, shape=shape)
    if document is None or findings:
        raise RecordError(findings[0].message if findings else "it is empty", where=path)
    return document.value
