"""Notebooks that somebody ran and did not change otherwise: nothing of them has to be committed."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING

from stellwerk.errors import StellwerkError
from stellwerk.model.declared import NOTEBOOK

if TYPE_CHECKING:
    from collections.abc import Collection

    from stellwerk.adapters.git.read import GitReader


def only_run(reader: GitReader, paths: Collection[str]) -> frozenset[str]:
    """Those of the paths that are notebooks and differ from the commit in outputs and the like alone.

    A filter of git's that strips outputs leaves the file as it is, so git may call it changed.
    """
    notebooks = [path for path in paths if path.endswith(NOTEBOOK)]
    if not notebooks:
        return frozenset()
    from stellwerk.adapters.git.read import CommitTree
    from stellwerk.notebooks.clean import stripped

    same = set()
    for path, content in CommitTree(reader, reader.commit_of("HEAD"), only=notebooks).read(notebooks).items():
        with suppress(OSError, StellwerkError):  # what cannot be read has changed
            here = stripped((reader.root / path).read_bytes())
            if json.loads(here) == json.loads(stripped(content)):
                same.add(path)
    return frozenset(same)
