"""The repository with one model of the tests of training, and the projects of the reconcile tests."""

import importlib.util
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "reconcile"))
sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.append(str(Path(__file__).resolve().parents[1] / "notebooks"))

from project_fixtures import project_from, released, small, templates


def _training():
    tests = Path(__file__).resolve().parents[1]
    spec = importlib.util.spec_from_file_location("conftest_of_training", tests / "training" / "conftest.py")
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


model = _training().model

__all__ = ["model", "project_from", "released", "small", "templates"]
