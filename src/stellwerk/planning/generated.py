"""The rendered files that lie in a tree, and in which state: as we wrote them, edited, or somebody else's."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from stellwerk.model.observed import GeneratedFile
from stellwerk.render.seal import edited, ours
from stellwerk.render.stage import GENERATED

if TYPE_CHECKING:
    from stellwerk.model.ports import Cache, Tree

FORGE_FILES = (
    ".github/CODEOWNERS",
    ".github/workflows/cd.yml",
    ".github/workflows/ci.yml",
    ".github/workflows/ct.yml",
    ".github/workflows/drift.yml",
    "bitbucket-pipelines.yml",
)
KIND = "generated-2"
_MODULE = re.compile(r"models/[^/]+/(?:tests/test_)?[^/]+\.py")
TEXT = 64 * 1024  # characters kept of a generated file that somebody edited


def read_generated(tree: Tree, cache: Cache, *, notebooks: bool = False) -> dict[str, GeneratedFile]:
    """The files where rendered ones belong, those of models that are no longer declared and of the forge included.

    `notebooks`: there are some, so Python files of models may be rendered too. Where none is, none is looked for.
    """
    blobs, found, missing = tree.blobs(), {}, []
    names = tuple(f"/{name}" for name in GENERATED)
    for path in sorted(blobs):
        stage = path.startswith("models/") and path.endswith(names) and path.count("/") == 2  # noqa: PLR2004
        if not stage and path not in FORGE_FILES and not (notebooks and _MODULE.fullmatch(path)):
            continue
        stored = cache.get(KIND, blobs[path])
        if isinstance(stored, list):
            found[path] = GeneratedFile(sha256=str(stored[0]), state=str(stored[1]), text=str(stored[2]))
        else:
            missing.append(path)
    for path, content in tree.read(missing).items():
        text = content.decode("utf-8", "replace").replace("\r\n", "\n")
        state = ("edited" if edited(text) else "ours") if ours(text) else "foreign"
        digest, kept = hashlib.sha256(text.encode()).hexdigest(), "" if state == "ours" else text[:TEXT]
        found[path] = GeneratedFile(sha256=digest, state=state, text=kept)
        cache.put(KIND, blobs[path], [digest, state, kept])
    return found
