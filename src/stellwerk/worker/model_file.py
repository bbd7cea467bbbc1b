"""How a trained model is written to a file and read again, in the model's own environment.

skops where the environment has it and the model holds nothing but types that skops trusts: such a file runs no code
when it is loaded. Else joblib, or pickle where the code needs no joblib: those run what they hold, so they are loaded
only after their digest was compared. Imports nothing of Stellwerk.
"""

from __future__ import annotations

import importlib.util
import io
import json
import pickle
import sys
import zipfile
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

NAMES = {"skops": "model.skops", "joblib": "model.joblib", "pickle": "model.pkl"}
SCHEMA = "schema.json"
NAMED = 3  # types named in a reason
LONGEST = 200  # characters of a reason that others worded


def save(model: Any, folder: Path) -> tuple[str, str]:
    """Write it; (format, why that one). PicklingError, AttributeError or TypeError where it cannot be written."""
    if "joblib" not in sys.modules:
        (folder / NAMES["pickle"]).write_bytes(pickle.dumps(model, protocol=5))
        return "pickle", "the model's code does not import scikit-learn or joblib"
    found, why = (
        as_skops(model) if "sklearn" in sys.modules else (None, "the model's code does not import scikit-learn")
    )
    if found is not None:
        (folder / NAMES["skops"]).write_bytes(found)
        return "skops", why
    import joblib

    joblib.dump(model, folder / NAMES["joblib"])
    return "joblib", why


def load(folder: Path) -> Any:
    """The model in that folder. Its digest must have been compared before."""
    if (folder / NAMES["skops"]).is_file():
        import skops.io

        return skops.io.load(folder / NAMES["skops"], trusted=[])
    if (folder / NAMES["joblib"]).is_file():
        import joblib

        return joblib.load(folder / NAMES["joblib"])
    return pickle.loads((folder / NAMES["pickle"]).read_bytes())  # noqa: S301 - its digest was compared before


def as_skops(model: Any) -> tuple[bytes | None, str]:
    """The bytes of a skops file, or None; and why."""
    if importlib.util.find_spec("skops") is None:
        return None, "the model's environment has no skops"
    import skops.io

    try:
        data = skops.io.dumps(model)
        foreign = sorted(skops.io.get_untrusted_types(data=data))
    except Exception as error:  # noqa: BLE001 - it refuses what it does not know in many ways; joblib is next
        return None, f"skops cannot write the model ({type(error).__name__}: {error})"[:LONGEST]
    if foreign:
        more = f" and {len(foreign) - NAMED} more" if len(foreign) > NAMED else ""
        return None, f"skops does not trust {', '.join(foreign[:NAMED])}{more}"[:LONGEST]
    return steady(data), "skops trusts every type of the model"


def steady(data: bytes) -> bytes:
    """The same skops file without what differs from one process to the next: times, and numbers of objects."""
    numbers: dict[str, str] = {}
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        schema = renumbered(json.loads(archive.read(SCHEMA)), numbers)
        files = {renamed(name, numbers): timeless(archive.read(name)) for name in archive.namelist() if name != SCHEMA}
    files[SCHEMA] = json.dumps(schema, indent=2).encode()
    return packed(files)


def renumbered(value: Any, numbers: dict[str, str]) -> Any:
    """Objects are numbered as they come, and the files of arrays, which are named by them, alike."""
    if isinstance(value, list):
        return [renumbered(part, numbers) for part in value]
    if not isinstance(value, dict):
        return value
    result: dict[str, Any] = {}
    for key, part in value.items():
        if key == "__id__" and isinstance(part, int):
            result[key] = int(numbers.setdefault(str(part), str(len(numbers) + 1)))
        elif key == "file" and isinstance(part, str):
            result[key] = renamed(part, numbers)
        else:
            result[key] = renumbered(part, numbers)
    return result


def renamed(name: str, numbers: dict[str, str]) -> str:
    stem, dot, ending = name.partition(".")
    return numbers.setdefault(stem, str(len(numbers) + 1)) + dot + ending if stem.isdigit() else name


def timeless(data: bytes) -> bytes:
    """An archive inside the archive (sparse matrices are) without its times; anything else as it is."""
    if not data.startswith(b"PK\x03\x04"):
        return data
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return packed({name: archive.read(name) for name in archive.namelist()})


def packed(files: dict[str, bytes]) -> bytes:
    result = io.BytesIO()
    with zipfile.ZipFile(result, "w") as archive:
        for name in sorted(files):
            archive.writestr(zipfile.ZipInfo(name), files[name])  # dated 1980, as an archive is at least
    return result.getvalue()
