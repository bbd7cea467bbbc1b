"""Projects to report on: those of `tests/reconcile`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "reconcile"))

from project_fixtures import project_from, released, small, templates

__all__ = ["project_from", "released", "small", "templates"]
