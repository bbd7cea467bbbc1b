"""The composition root: builds the adapters from a directory and an environment, and runs the use cases."""

from stellwerk.app.setup import init
from stellwerk.app.workspace import ReconcileRequest, Workspace
from stellwerk.reconcile.world import Event

__all__ = ["Event", "ReconcileRequest", "Workspace", "init"]
