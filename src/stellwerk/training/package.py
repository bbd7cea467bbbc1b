"""The trained package: a folder whose bytes depend on nothing but code, data, params and seed; proven by its digest."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

from msgspec import Struct

from stellwerk.adapters.folders import digest_folder, plain_files
from stellwerk.errors import StellwerkError
from stellwerk.training.contract import Contract

if TYPE_CHECKING:
    from pathlib import Path

CONTRACT = "package.json"
CODE = "code"
MODEL = "model"  # what a `command` wrote
REQUIREMENTS = "requirements.txt"


class PackageDigest(Struct, frozen=True, kw_only=True):
    """What proves a package: `PackageRecord` without DVC's name for it. `size` in bytes."""

    sha256: str
    size: int
    files: int
    format: str
    why: str


def package_digest(folder: Path) -> PackageDigest:
    """The digest of the package's files and the format its contract names. Links and devices are refused."""
    digest, contract = digest_folder(folder), read_contract(folder)
    return PackageDigest(
        sha256=digest.sha256, size=digest.size, files=digest.files, format=contract.format, why=contract.why
    )


def verify_package(folder: Path, sha256: str) -> None:
    """StellwerkError unless the folder is the recorded package, byte by byte."""
    if not folder.is_dir():
        raise StellwerkError("there is no package", where=str(folder), hint="fetch it again")
    found = package_digest(folder).sha256
    if found != sha256:
        message = f"the package is not the recorded one: expected {sha256}, found {found}"
        raise StellwerkError(message, where=str(folder), hint="do not load it; fetch it again, and ask who changed it")


def read_contract(folder: Path) -> Contract:
    """The package's `package.json`."""
    path = folder / CONTRACT
    try:
        return Contract.from_json(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError) as error:
        message = f"this is no package of Stellwerk: {type(error).__name__} ({error})"
        raise StellwerkError(message, where=str(path), hint="fetch it again") from error


def write_package(folder: Path, contract: Contract, *, root: Path, model: Path) -> None:
    """Fill the empty `folder` with the contract, the code files of the repository at `root`, and what training wrote.

    `model` is the folder training wrote into: a single file for skops, joblib, pickle and ONNX, anything for a command.
    """
    text = json.dumps(contract.to_json(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    (folder / CONTRACT).write_text(text, encoding="utf-8")
    copy_code(root, contract.code.files, folder / CODE)
    if contract.code.requirements is not None:
        shutil.copyfile(root / contract.code.requirements, folder / REQUIREMENTS)
    if contract.format == "command":
        plain_files(model)
        shutil.copytree(model, folder / MODEL, copy_function=shutil.copy)
        return
    for file in plain_files(model):
        shutil.copyfile(file, folder / file.name)


def copy_code(root: Path, files: tuple[str, ...], target: Path) -> None:
    """Copy the model's code files below `target`, with their executable bits. `target` exists afterwards."""
    target.mkdir(parents=True, exist_ok=True)
    for name in files:
        destination = target / name
        destination.parent.mkdir(parents=True, exist_ok=True)
        try:
            shutil.copy(root / name, destination)
        except FileNotFoundError as error:
            raise StellwerkError("a file of the model's code is missing", where=name, hint="restore it") from error


def lay_out(package: Path, job: Path, contract: Contract) -> None:
    """Move a package's parts to where a job folder has them."""
    (job / "code").rmdir()
    (job / "model").rmdir()
    if (package / CODE).is_dir():
        (package / CODE).rename(job / "code")
    else:
        (job / "code").mkdir()
    if contract.format == "command":
        (package / MODEL).rename(job / "model")
    else:
        package.rename(job / "model")
