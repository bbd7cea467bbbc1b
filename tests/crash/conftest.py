"""Lets the tests of this folder import what they share, and the projects of `reconcile`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "reconcile"))

from project_fixtures import project_from, released, small, templates

__all__ = ["project_from", "released", "small", "templates"]
