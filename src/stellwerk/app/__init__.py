"""The composition root: builds the adapters from a directory and an environment, and runs the use cases.

Its names are imported when they are asked for: a plan that finds nothing changed needs few of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stellwerk.app.setup import init
    from stellwerk.app.workspace import ReconcileRequest, Workspace
    from stellwerk.reconcile.world import Event

_HOMES = {
    "Event": "stellwerk.reconcile.world",
    "ReconcileRequest": "stellwerk.app.workspace",
    "Workspace": "stellwerk.app.workspace",
    "init": "stellwerk.app.setup",
}

__all__ = ["Event", "ReconcileRequest", "Workspace", "init"]


def __getattr__(name: str) -> object:
    """The name, from the module that defines it."""
    if name not in _HOMES:
        raise AttributeError(name)
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
