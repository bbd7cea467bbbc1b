"""The identity of a training: SHA-256 of canonical JSON of every resolved value that can change its result.

Not part of it: the model's name, owners, thresholds, environments, timeouts, descriptions, how the YAML is written,
comments in Python code, how rows are recognised (a dataset's `key` may be declared later), the release of Stellwerk.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stellwerk.model.declared import Json, Model
    from stellwerk.model.observed import CodeFile


_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def canonical(value: Json) -> bytes:
    """The one JSON text of a value: sorted keys, no blanks, UTF-8. Raises ValueError for NaN and infinity."""
    return _ENCODER.encode(value).encode("utf-8", "surrogatepass")


def digest(value: Json) -> str:
    """SHA-256 of the canonical JSON, lower-case hex."""
    return hashlib.sha256(canonical(value)).hexdigest()


def fingerprint_parts(model: Model, code: tuple[CodeFile, ...], data: str) -> Mapping[str, Json]:
    """The values the fingerprint is made of. `data` is the content hash in the training data's pointer.

    The model must have `train`.
    """
    if model.train is None:
        raise ValueError(model.name)
    train, holdout = model.train, model.train.holdout
    return {
        "code": {file.path: file.digest for file in code},
        "source": model.module,
        "command": {"train": model.command.train, "predict": model.command.predict} if model.command else None,
        "requirements": model.requirements,
        "params": dict(train.params),
        "seed": train.seed,
        "features": {"include": list(model.features.include), "exclude": list(model.features.exclude)},
        "task": model.task,
        "target": model.target,
        "positive": model.positive,
        "holdout": {
            "fraction": holdout.fraction,
            "last_share": holdout.last_share,
            "last_seconds": holdout.last_seconds,
            "by": list(holdout.by),
        },
        "data": data,
        **({"format": model.format} if model.format is not None else {}),
    }


def fingerprint(parts: Mapping[str, Json]) -> str:
    """The fingerprint of those parts: SHA-256, lower-case hex."""
    return digest(dict(parts))


def changed_parts(old: Mapping[str, Json], new: Mapping[str, Json]) -> tuple[str, ...]:
    """In words, what differs between two fingerprints' parts, most telling first."""
    changes = []
    if old.get("data") != new.get("data"):
        changes.append(f"data {_short(old.get('data'))} → {_short(new.get('data'))}")
    changes += _map_changes("code", old.get("code"), new.get("code"), show=False)
    changes += _map_changes("params", old.get("params"), new.get("params"), show=True)
    for key in (
        "source",
        "command",
        "requirements",
        "seed",
        "features",
        "task",
        "target",
        "positive",
        "holdout",
        "format",
    ):
        if old.get(key) != new.get(key):
            changes.append(f"{key} {_brief(old.get(key))} → {_brief(new.get(key))}")
    return tuple(changes)


def only_data_changed(old: Mapping[str, Json], new: Mapping[str, Json]) -> bool:
    """Whether a retraining was caused by new data alone."""
    keys = (set(old) | set(new)) - {"data"}
    return all(old.get(key) == new.get(key) for key in keys) and old.get("data") != new.get("data")


def _map_changes(name: str, old: Json, new: Json, *, show: bool) -> list[str]:
    left, right = (value if isinstance(value, dict) else {} for value in (old, new))
    changes = []
    for key in sorted(set(left) | set(right)):
        if left.get(key) != right.get(key):
            values = f" {_brief(left.get(key))} → {_brief(right.get(key))}" if show else ""
            changes.append(f"{name} {key}{values}")
    return changes


def _short(value: Json) -> str:
    return f"{str(value)[:4]}…" if value else "nothing"


def _brief(value: Json) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
    return text if len(text) <= 60 else f"{text[:57]}…"  # noqa: PLR2004 a line of a plan
