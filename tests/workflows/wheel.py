"""A wheel of the Stellwerk that is tested, made of its installed files: building it anew would ask an index for a builder."""

from __future__ import annotations

import base64
import hashlib
import tomllib
import zipfile
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path

import stellwerk

PACKAGE = Path(stellwerk.__file__).parent
CHECKOUT = Path(__file__).resolve().parents[2]
TAG = "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def make_wheel(folder: Path) -> tuple[str, str]:
    """Write the wheel into the folder; its version and its SHA-256."""
    version = distribution("stellwerk").version
    path = folder / f"stellwerk-{version}-py3-none-any.whl"
    record = []
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in (*_package(), *_metadata(version)):
            archive.writestr(name, content)
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            record.append(f"{name},sha256={digest},{len(content)}\n")
        own = f"stellwerk-{version}.dist-info/RECORD"
        archive.writestr(own, "".join([*record, f"{own},,\n"]))
    return version, hashlib.sha256(path.read_bytes()).hexdigest()


def _package() -> Iterator[tuple[str, bytes]]:
    for path in sorted(PACKAGE.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            yield f"stellwerk/{path.relative_to(PACKAGE).as_posix()}", path.read_bytes()
    if (PACKAGE / "reference").is_dir():
        return
    wheel = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    for source, target in sorted(wheel["force-include"].items()):
        place = CHECKOUT / source
        for path in sorted(place.rglob("*")) if place.is_dir() else [place]:
            if path.is_file():
                name = f"{target}/{path.relative_to(place).as_posix()}" if place.is_dir() else target
                yield name, path.read_bytes()


def _metadata(version: str) -> Iterator[tuple[str, bytes]]:
    for name, text in (
        ("METADATA", distribution("stellwerk").read_text("METADATA")),
        ("entry_points.txt", distribution("stellwerk").read_text("entry_points.txt")),
        ("WHEEL", TAG),
    ):
        yield f"stellwerk-{version}.dist-info/{name}", (text or "").encode()
