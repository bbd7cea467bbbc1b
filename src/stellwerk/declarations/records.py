"""Records to YAML text and back: one codec for every class of `model.records`.

The text is canonical (field order of the class, maps sorted by key, empty values left out), so that the same fact has
the same bytes.
"""

from __future__ import annotations

import math
import types
import typing
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, TypeVar, Union, get_args, get_origin

from msgspec import Struct
from msgspec.structs import FieldInfo, fields

from stellwerk.declarations.scalars import UnsupportedNumberError, plain_scalar
from stellwerk.errors import StellwerkError
from stellwerk.model.declared import Json

T = TypeVar("T")
Decoder = Callable[[Any, str], Any]
SCALARS = {str: "text", int: "a whole number", bool: "true or false"}


class RecordError(StellwerkError):
    """A record in git does not have the shape its class says."""


def encode(record: object) -> dict[str, Json]:
    """A record as plain data: None, empty tuples and empty maps are left out."""
    plain = _plain(record)
    if not isinstance(plain, dict):
        raise TypeError(type(record))
    return plain


def dump(record: object) -> str:
    """A record as YAML text that ends in a newline."""
    import yaml

    text = yaml.dump(encode(record), Dumper=_dumper(), sort_keys=False, allow_unicode=True, width=100)
    return str(text)


@cache
def _dumper() -> Any:
    """PyYAML's safe dumper, which knows YAML 1.1; text that YAML 1.2 takes for a number (`1e5`) is quoted too."""
    import yaml

    fast: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)

    class Dumper(fast):  # type: ignore[misc]
        def ignore_aliases(self, data: object) -> bool:
            del data
            return True

    def text(dumper: Any, value: str) -> Any:
        style = None if _is_text(value) else "'"
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)

    Dumper.add_representer(str, text)
    return Dumper


def decode(cls: type[T], value: Json, *, where: str) -> T:
    """Plain data as a record of that class. Raises RecordError that names the file and the key."""
    decoder: Decoder = _decoder(cls)  # type: ignore[arg-type]
    return typing.cast("T", decoder(value, where))


def construct(cls: type[T], value: dict[str, Json]) -> T:
    """A record from what `encode` gave of one that was decoded before: nothing is checked again.

    For what comes out of our own cache; three times as fast as `decode`, which matters with thousands of records.
    """
    builder = _builder(cls)  # type: ignore[arg-type]
    return typing.cast("T", builder(value) if builder else value)


@cache
def _builder(hint: Any) -> Callable[[Any], Any] | None:
    """What makes a value of that type from plain data; None where plain data is already the value."""
    origin = get_origin(hint)
    if is_record(hint):
        return _record_builder(hint)
    if origin in {types.UnionType, Union}:
        options = [option for option in get_args(hint) if option is not type(None)]
        return _builder(options[0]) if len(options) == 1 else None
    if origin is tuple:
        item = _builder(get_args(hint)[0])
        return tuple if item is None else lambda value: tuple(map(item, value))
    if origin is not None and issubclass(origin, Mapping):
        entry = _builder(get_args(hint)[1])
        return None if entry is None else lambda value: {key: entry(part) for key, part in value.items()}
    return None


def _record_builder(cls: type) -> Callable[[Any], Any]:
    named = fields(cls)
    builders = {field.name: builder for field in named if (builder := _builder(field.type)) is not None}
    empties = {field.name: absent_value(field.type) for field in named if _required(field) is None}

    def build(value: Any) -> Any:
        made = {**empties, **value}
        for name, builder in builders.items():
            if name in value:
                made[name] = builder(value[name])
        return cls(**made)

    return build


def _is_text(value: str) -> bool:
    """Whether YAML 1.2 reads the text as text when it is not quoted."""
    try:
        return plain_scalar(value) == value
    except UnsupportedNumberError:
        return False


def _plain(value: Any) -> Any:
    if isinstance(value, Struct):
        pairs = ((name, getattr(value, name)) for name in value.__struct_fields__)
        return {name: _plain(item) for name, item in pairs if not _empty(item)}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in sorted(value.items())}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value


def _empty(value: Any) -> bool:
    return value is None or (isinstance(value, tuple | Mapping) and not value)


@cache
def _decoder(hint: Any) -> Decoder:
    """The function that turns plain data into a value of this type; built once per type."""
    if is_record(hint):
        return _record_decoder(hint)
    origin = get_origin(hint)
    if origin in (types.UnionType, Union):
        return _union_decoder(get_args(hint))
    if origin is tuple:
        return _tuple_decoder(_decoder(get_args(hint)[0]))
    if origin is not None and issubclass(origin, Mapping):
        return _mapping_decoder(_decoder(get_args(hint)[1]))
    return _scalar_decoder(hint)


def _record_decoder(cls: type) -> Decoder:
    named = fields(cls)
    known = {
        field.name: (_as_it_is if _is_json(field.type) else _decoder(field.type), _required(field)) for field in named
    }
    empties = {field.name: absent_value(field.type) for field in named if _required(field) is None}

    def decoder(value: Any, where: str) -> Any:
        if not isinstance(value, dict):
            raise RecordError(f"must be a map, not {_kind(value)}", where=where)
        for key in value:
            if key not in known:
                raise RecordError(f"unknown key {key!r}", where=where)
        made = {key: known[key][0](item, f"{where}: {key}") for key, item in value.items()}
        for name, (_, required) in known.items():
            if name not in made:
                if required:
                    raise RecordError(f"the key {name!r} is missing", where=where)
                if name in empties:
                    made[name] = empties[name]
        return cls(**made)

    return decoder


def _is_json(hint: Any) -> bool:
    return bool(hint == Json)


def _required(field: FieldInfo) -> bool | None:
    """True: must be there. False: the class has a default. None: absent means empty."""
    if not field.required:
        return False
    return None if may_be_empty(field.type) else True


def is_record(hint: Any) -> bool:
    """Whether that type is one of records, or of parts of them."""
    return isinstance(hint, type) and issubclass(hint, Struct)


def may_be_empty(hint: Any) -> bool:
    """Whether a field of that type is left out where it holds nothing."""
    origin = get_origin(hint)
    if origin in (types.UnionType, Union):
        return type(None) in get_args(hint)
    return origin is not None and isinstance(origin, type) and issubclass(origin, tuple | Mapping)


def absent_value(hint: Any) -> Any:
    """What a field of that type is where it is left out and has no default."""
    origin = get_origin(hint)
    if origin in (types.UnionType, Union):
        return None
    return () if origin is tuple else {}


def _union_decoder(options: tuple[Any, ...]) -> Decoder:
    rest = [option for option in options if option is not type(None)]
    if len(rest) > 1:
        return _as_it_is
    inner = _decoder(rest[0])
    return lambda value, where: None if value is None else inner(value, where)


def _as_it_is(value: Any, _where: str) -> Any:
    return value


def _tuple_decoder(item: Decoder) -> Decoder:
    def decoder(value: Any, where: str) -> Any:
        if not isinstance(value, list):
            raise RecordError(f"must be a list, not {_kind(value)}", where=where)
        return tuple(item(part, where) for part in value)

    return decoder


def _mapping_decoder(item: Decoder) -> Decoder:
    def decoder(value: Any, where: str) -> Any:
        if not isinstance(value, dict):
            raise RecordError(f"must be a map, not {_kind(value)}", where=where)
        return {str(key): item(part, where) for key, part in value.items()}

    return decoder


def _scalar_decoder(hint: Any) -> Decoder:
    if hint is float:

        def number(value: Any, where: str) -> Any:
            if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
                raise RecordError(f"must be a number, not {_kind(value)}", where=where)
            return float(value)

        return number
    if hint in (str, int, bool):

        def scalar(value: Any, where: str) -> Any:
            if type(value) is not hint:
                raise RecordError(f"must be {SCALARS[hint]}, not {_kind(value)}", where=where)
            return value

        return scalar
    return _as_it_is


def _kind(value: Any) -> str:
    if isinstance(value, float):
        return "a number with a fraction" if math.isfinite(value) else "infinite or no number"
    names = {dict: "a map", list: "a list", str: "text", bool: "true/false", int: "a number"}
    return names.get(type(value), "nothing")
