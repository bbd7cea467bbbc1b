"""Lets the tests of this folder import what they share, and the projects of `reconcile`; one fork server for all."""

import os
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "reconcile"))

from project_fixtures import project_from, released, small, templates
from scenarios import States
from victims import Victims

__all__ = ["project_from", "released", "small", "templates"]


@pytest.hookimpl(tryfirst=True)  # before xdist reads the marks
def pytest_collection_modifyitems(items) -> None:
    """All tests with the fork server go to one xdist worker, unless every boundary is asked for."""
    for item in items:
        if "victims" in getattr(item, "fixturenames", ()) and os.environ.get("STELLWERK_CRASH") != "all":
            item.add_marker(pytest.mark.xdist_group("crash"))


@pytest.fixture(scope="session")
def victims(tmp_path_factory) -> Iterator[Victims]:
    """The fork server, in an environment that nothing of the person's gets into."""
    home = tmp_path_factory.mktemp("victims-home")
    person = {"NAME": "Ada Lovelace", "EMAIL": "ada@example.com", "DATE": "2026-01-31T12:00:00+00:00"}
    environ = {
        "PATH": os.pathsep.join([sysconfig.get_path("scripts"), os.environ.get("PATH", os.defpath)]),
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        **{f"GIT_{role}_{part}": value for role in ("AUTHOR", "COMMITTER") for part, value in person.items()},
        "DVC_NO_ANALYTICS": "1",
        "DVC_GLOBAL_CONFIG_DIR": str(home / "dvc"),
        "DVC_SYSTEM_CONFIG_DIR": str(home / "dvc-system"),
        "DVC_SITE_CACHE_DIR": str(home / "site"),
        "STELLWERK_CACHE": str(home / "stellwerk"),
        "PYTHONDONTWRITEBYTECODE": "1",
        **{name: os.environ[name] for name in os.environ if name.startswith(("COV", "LD_", "PYTHONPATH"))},
    }
    server = Victims(environ)
    yield server
    server.close()


@pytest.fixture(scope="session")
def states(tmp_path_factory, victims) -> States:
    return States(tmp_path_factory.mktemp("states"), victims)
