"""The digest of a folder of plain files: what a package is proven by, in the registry and where it runs."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

from msgspec import Struct

from stellwerk.errors import StellwerkError

CHUNK = 1 << 20


class FolderDigest(Struct, frozen=True, kw_only=True):
    """SHA-256 over the lines `<sha256 of file>  <path>`, sorted by path; `size` in bytes."""

    sha256: str
    size: int
    files: int


def digest_folder(folder: Path) -> FolderDigest:
    """Raises StellwerkError where the folder holds a link or a device."""
    lines, size = [], 0
    for path in plain_files(folder):
        digest = hashlib.sha256()
        with path.open("rb") as file:
            while chunk := file.read(CHUNK):
                digest.update(chunk)
                size += len(chunk)
        lines.append((path.relative_to(folder).as_posix(), digest.hexdigest()))
    text = "".join(f"{digest}  {path}\n" for path, digest in sorted(lines))
    return FolderDigest(sha256=hashlib.sha256(text.encode()).hexdigest(), size=size, files=len(lines))


def plain_files(folder: Path) -> list[Path]:
    """Every file below; an error for what is neither a file nor a folder: it would be read from somewhere else."""
    found = []
    for parent, folders, names in os.walk(folder):
        for name in (*folders, *names):
            path = Path(parent, name)
            mode = path.lstat().st_mode
            if stat.S_ISREG(mode):
                found.append(path)
            elif not stat.S_ISDIR(mode):
                message = f"{path.relative_to(folder).as_posix()} is a link or a device; a package holds plain files"
                raise StellwerkError(message, where=str(folder))
    return found
