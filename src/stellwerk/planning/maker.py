"""What makes generated files: another maker is another input."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path


@functools.cache
def maker(package: str) -> str:
    """A digest of the code and templates of that package of Stellwerk, which are among the inputs of what it makes."""
    folder = Path(__file__).parent.parent / package
    digest = hashlib.sha256()
    for path in sorted((*folder.rglob("*.py"), *folder.rglob("*.j2"))):
        digest.update(path.read_bytes())
    return digest.hexdigest()
