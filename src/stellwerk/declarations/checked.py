"""One declared file, read and checked against its schema, or taken from the cache as it was then."""

from __future__ import annotations

import functools
import hashlib
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from stellwerk import __version__
from stellwerk.declarations.places import KeyPath, Places
from stellwerk.model.findings import Finding, Place, Severity

if TYPE_CHECKING:
    from stellwerk.model.declared import Json
    from stellwerk.model.ports import Cache

_FORMAT = 1  # of the cached form; raise it when the reading or checking of a file changes


class Missing(Struct, frozen=True, kw_only=True):
    """A required key that this file does not set; another file, or the defaults, may."""

    keys: KeyPath
    key: str
    finding: Finding


class CheckedFile(Struct, frozen=True, kw_only=True):
    """A file without the parts that do not conform. `value` None: it could not be read, or says nothing."""

    path: str
    value: dict[str, Json] | None
    places: Places
    findings: tuple[Finding, ...] = ()
    missing: tuple[Missing, ...] = ()


def check_file(kind: str, path: str, data: bytes, *, size: int | None = None) -> CheckedFile:
    """Read the file strictly and check it against the schema of that kind."""
    return _unpack(path, _checked(kind, path, data, size))


def cached_file(kind: str, path: str, *, blob: str, cache: Cache) -> CheckedFile | None:
    """The file of that blob as it was checked before; needs neither its bytes nor YAML nor the schemas."""
    stored: Any = cache.get(cache_kind(kind), blob)
    try:
        return _unpack(path, stored) if stored is not None else None
    except (KeyError, TypeError, ValueError, IndexError):
        return None


def remember_file(kind: str, path: str, data: bytes, *, blob: str, cache: Cache) -> CheckedFile:
    """Like check_file, and the result is in the cache."""
    packed = _checked(kind, path, data, None)
    cache.put(cache_kind(kind), blob, packed)
    return _unpack(path, packed)


@functools.cache
def cache_kind(kind: str) -> str:
    """Names what is remembered, so that another version or another schema never finds it."""
    from stellwerk.declarations.schema import schema_text

    digest = hashlib.sha256(schema_text(kind).encode()).hexdigest()[:12]
    return f"declared-{kind}-{_FORMAT}-{__version__}-{digest}"


def _checked(kind: str, path: str, data: bytes, size: int | None) -> dict[str, Json]:
    from stellwerk.declarations.document import load_document
    from stellwerk.declarations.schema import check, text_shape

    document, findings = load_document(path, data, size=size, shape=text_shape(kind))
    packed: list[Json] = [_pack(finding) for finding in findings]
    if document is None:
        return {"value": None, "marks": "", "findings": packed, "cuts": [], "missing": []}
    if document.value is None:
        hint = "see `stellwerk schema " + kind + "` for what can stand here"
        place = Place(path=path)
        packed.append(_pack(_finding("SW113", place, "the file declares nothing", hint)))
        return {"value": None, "marks": "", "findings": packed, "cuts": [], "missing": []}
    cuts: list[Json] = []
    missing: list[Json] = []
    for mismatch in check(kind, document.value):
        places = document.places
        place = places.of_key(mismatch.keys) if mismatch.at_key else places.of(mismatch.keys)
        finding = _pack(_finding(mismatch.rule, place, mismatch.message, mismatch.hint))
        if mismatch.missing is None:
            packed.append(finding)
            cuts.append(list(mismatch.keys))
        else:
            missing.append([list(mismatch.keys), mismatch.missing, finding])
    return {
        "value": document.value,
        "marks": document.places.marks,
        "findings": packed,
        "cuts": cuts,
        "missing": missing,
    }


def _finding(rule: str, place: Place, message: str, hint: str) -> Finding:
    return Finding(rule=rule, severity=Severity.ERROR, place=place, message=message, hint=hint)


def _pack(finding: Finding) -> Json:
    place = finding.place
    return [finding.rule, finding.severity.value, place.line, place.column, finding.message, finding.hint]


def _unpack_finding(path: str, packed: Any) -> Finding:
    rule, severity, line, column, message, hint = packed
    place = Place(path=path, line=line, column=column)
    return Finding(rule=rule, severity=Severity(severity), place=place, message=message, hint=hint)


def _unpack(path: str, packed: Any) -> CheckedFile:
    value = packed["value"]
    places = Places(path, value, packed["marks"])
    if [] in packed["cuts"]:
        value = None
    elif packed["cuts"]:
        value = _copied(value)
        for keys in packed["cuts"]:
            _cut(value, keys)
    return CheckedFile(
        path=path,
        value=value if isinstance(value, dict) else None,
        places=places,
        findings=tuple(_unpack_finding(path, finding) for finding in packed["findings"]),
        missing=tuple(
            Missing(keys=tuple(keys), key=key, finding=_unpack_finding(path, finding))
            for keys, key, finding in packed["missing"]
        ),
    )


def _copied(value: Json) -> Json:
    if isinstance(value, dict):
        return {key: _copied(child) for key, child in value.items()}
    return [_copied(item) for item in value] if isinstance(value, list) else value


def _cut(value: Json, keys: list[str | int]) -> None:
    """Take out what stands at that key path, in place; an item becomes null, so that list positions stay."""
    *parents, last = keys
    for key in parents:
        if isinstance(value, dict) and isinstance(key, str):
            value = value.get(key)
        elif isinstance(value, list) and isinstance(key, int):
            value = value[key]
    if isinstance(value, dict) and isinstance(last, str):
        value.pop(last, None)
    elif isinstance(value, list) and isinstance(last, int):
        value[last] = None
