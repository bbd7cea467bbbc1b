"""All declarations of one tree: `mlops.yaml`, what it includes, and `environments/*.yaml`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stellwerk.declarations.places import KeyPath
    from stellwerk.model.declared import Json, Project
    from stellwerk.model.findings import Finding, Place
    from stellwerk.model.ports import Cache, Tree


@dataclass(frozen=True, slots=True, kw_only=True)
class Declarations:
    """A project as declared, and where everything in it stands.

    `value` is the merged text before defaults, with the environments under the key `environments`. `complete` is
    False when a mistake made the loader leave a part out: rules may run on it, nothing may be planned from it.
    `files` are the paths that were read.
    """

    project: Project
    value: Mapping[str, Json]
    complete: bool
    files: tuple[str, ...]

    def place(self, *keys: str | int) -> Place:
        """Where that key path stands: a scalar itself, the key of anything larger; else its nearest parent.

        `("models", "churn", "risk")`, `("environments", "production", "after")`. A key that a model only has from
        `defaults` is found there.
        """
        raise NotImplementedError

    def key_place(self, *keys: str | int) -> Place:
        """Where the key itself stands."""
        raise NotImplementedError

    def is_set(self, keys: KeyPath) -> bool:
        """Whether somebody wrote this very key path (defaults do not count)."""
        raise NotImplementedError


def load_declarations(tree: Tree, *, cache: Cache | None = None) -> tuple[Declarations | None, tuple[Finding, ...]]:
    """Read, merge, check and decode everything declared in the tree; every mistake of every file is a finding.

    None: a file could not be read at all, or there is no `mlops.yaml`.
    """
    raise NotImplementedError
