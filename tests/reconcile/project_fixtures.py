"""Projects to reconcile: built once in a session, whoever of its workers needs them first, and copied for each test."""

import fcntl
import os
import shutil

import pytest
from projects import RELEASED, SMALL, Project, build


@pytest.fixture(scope="session")
def templates(tmp_path_factory):
    """Where finished projects wait to be copied, by name; one folder for all workers of pytest-xdist."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "projects"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture
def project_from(templates, repo, tmp_path):
    """`project_from(name, make)`: a copy of the project that `make(project)` built the first time it was asked for."""

    def copy(name, make):
        template = templates / name
        with (templates / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not template.exists():
                fresh = templates / f"{name}-fresh"
                shutil.rmtree(fresh, ignore_errors=True)
                (fresh / "repo").mkdir(parents=True)
                project = Project(type(repo)(fresh / "repo"))
                project.repo.git("init", "--quiet", "--initial-branch=main")
                make(project)
                fresh.rename(template)
        shutil.rmtree(repo.root)
        shutil.copytree(template, tmp_path, dirs_exist_ok=True, symlinks=True)
        project = Project(repo)
        project.repo.git("status")  # the copies' times are new to the index
        return project

    return copy


@pytest.fixture
def small(project_from):
    """The three-line project, declared and committed, never reconciled."""
    return project_from("small", lambda project: build(project, SMALL))


@pytest.fixture
def released(project_from):
    """v1 and v2 are trained and checked on four environments; v2 runs in production, v1 before it. No git remote."""

    def make(project):
        build(project, RELEASED)
        assert project.reconcile().problems == ()
        project.edit("mlops.yaml", "bias: 1.0", "bias: 2.0")
        assert project.reconcile().problems == ()

    return project_from("released", make)
