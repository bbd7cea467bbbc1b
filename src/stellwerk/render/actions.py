"""The actions that rendered workflows use, each pinned by its full commit: a tag can be moved, a commit cannot. Pure.

To take a newer version: read the commit of its tag in the action's own repository, find it with the same version in
the workflows of two projects that have nothing to do with each other, and change the entry and its comment.
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from stellwerk.errors import StellwerkError

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+(/[\w.-]+)*", re.ASCII)
COMMIT = re.compile(r"[0-9a-f]{40}")
VERSION = re.compile(r"v?\d+(\.\d+){0,3}([.+-][\w.+-]*)?", re.ASCII)


class PinnedAction(Struct, frozen=True, kw_only=True):
    """An action `OWNER/REPOSITORY[/FOLDER]` at a commit; `version` is the tag that named it."""

    name: str
    version: str
    commit: str

    @property
    def reference(self) -> str:
        """What `uses:` says; the version is for the comment behind it."""
        return f"{self.name}@{self.commit}"


_PINNED: Final = (
    # numpy/numpy, sigstore/sigstore-python, aquasecurity/setup-trivy
    PinnedAction(name="actions/checkout", version="v5.0.0", commit="08c6903cd8c0fde910a37f88322edcfb5dd907a8"),
    # numpy/numpy, pallets/flask, sigstore/sigstore-python
    PinnedAction(name="actions/setup-python", version="v6.0.0", commit="e797f83bcb11b83ae66e0230d6156d7c80228e7c"),
    # numpy/numpy, pallets/flask
    PinnedAction(name="actions/cache", version="v4.3.0", commit="0057852bfaa89a56745cba8c7296529d2fc39830"),
    # astral-sh/ruff, sigstore/sigstore-python
    PinnedAction(name="actions/upload-artifact", version="v4.6.2", commit="ea165f8d65b6e75b540449e92b4886f43607fa02"),
    # psf/requests, sigstore/sigstore-python
    PinnedAction(name="actions/download-artifact", version="v5.0.0", commit="634f93cb2916e3fdff6788551b99b062d0335ce0"),
    # mfranzke/dependabot-review-action, smykla-skalski/smyklot, swisstxt/ast-gh-actions
    PinnedAction(
        name="actions/create-github-app-token", version="v2.1.4", commit="67018539274d69449ef7c02e8e71183d1719ab42"
    ),
)
ACTIONS: Final[Mapping[str, PinnedAction]] = MappingProxyType({action.name: action for action in _PINNED})


def pinned(name: str, overrides: Mapping[str, str | tuple[str, str]]) -> PinnedAction:
    """The action as `overrides` pin it, else as the table does.

    An override is `"COMMIT # VERSION"` or `(COMMIT, VERSION)`. Raises `StellwerkError` where it is neither, where the
    commit is not 40 hexadecimal digits, or where nobody pins the action.
    """
    if name in overrides:
        return _overridden(name, overrides[name])
    if name not in ACTIONS:
        hint = f"pin it: {name}: COMMIT # VERSION" if NAME.fullmatch(name) else "write OWNER/REPOSITORY"
        raise StellwerkError(f"no commit is known for the action {name!r}", hint=hint)
    return ACTIONS[name]


def _overridden(name: str, override: str | tuple[str, str]) -> PinnedAction:
    written = override.partition("#")[::2] if isinstance(override, str) else override
    commit, version = (part.strip() for part in written)
    if not NAME.fullmatch(name) or not COMMIT.fullmatch(commit) or not VERSION.fullmatch(version):
        raise StellwerkError(
            f"the action {name!r} is pinned to {commit!r} as version {version!r}",
            hint="write OWNER/REPOSITORY, the 40 hexadecimal digits of the commit in small letters, and its tag: "
            "actions/checkout: 08c6903cd8c0fde910a37f88322edcfb5dd907a8 # v5.0.0",
        )
    return PinnedAction(name=name, version=version, commit=commit)
