"""What a repository holds, read with git and the shipped schemas, without Stellwerk's own reading of it."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml


def stored_object(place: Path, md5: str) -> bytes | None:
    """The content of that object if it is there and whole."""
    file = place / "files/md5" / md5[:2] / md5[2:]
    return file.read_bytes() if file.is_file() and md5_of(file) == md5.removesuffix(".dir") else None


def md5_of(file: Path) -> str:
    return hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest()


def folder_digest(folder: Path) -> str:
    """As docs/design.md defines it: SHA-256 over `<sha256>  <path>` of every file, sorted by path."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    lines = [(path.relative_to(folder).as_posix(), hashlib.sha256(path.read_bytes()).hexdigest()) for path in files]
    return hashlib.sha256("".join(f"{digest}  {path}\n" for path, digest in sorted(lines)).encode()).hexdigest()


@cache
def parsed(content: bytes) -> Any:
    try:
        return yaml.load(content, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError:
        return None


@cache
def mistakes(kind: str, content: bytes) -> tuple[str, ...]:
    value = json.loads(content) if kind == "profile" else parsed(content)
    return tuple(error.message for error in validator(kind).iter_errors(value))


@cache
def validator(kind: str) -> Any:
    import jsonschema

    from stellwerk.declarations.schema import schema_text

    return jsonschema.Draft202012Validator(json.loads(schema_text(kind)))


def read_files(root: Path, ref: str, *folders: str) -> dict[str, bytes]:
    """Path -> content of every file below the folders at that commit."""
    listed = git(root, "ls-tree", "-r", "-z", ref, "--", *folders).split("\0")[:-1]
    paths = {path: meta.split(" ")[2] for meta, _, path in (entry.partition("\t") for entry in listed)}
    return contents(root, paths)


def contents(root: Path, paths: Mapping[str, str]) -> dict[str, bytes]:
    raw = subprocess.run(
        ["git", "cat-file", "--batch"],
        cwd=root,
        input="\n".join(paths.values()).encode(),
        capture_output=True,
        check=True,
    ).stdout
    found, at = {}, 0
    for path in paths:
        end = raw.index(b"\n", at)
        size = int(raw[at:end].split(b" ")[2])
        found[path] = raw[end + 1 : end + 1 + size]
        at = end + size + 2
    return found


def git_dir(root: Path) -> Path:
    return root / git(root, "rev-parse", "--git-common-dir").strip()


def git(root: Path, *args: str) -> str:
    done = subprocess.run(
        ["git", "-c", "core.quotepath=off", *args], cwd=root, capture_output=True, encoding="utf-8", check=False
    )
    assert done.returncode == 0, f"git {' '.join(args)} in {root}: {done.stderr}"
    return done.stdout
