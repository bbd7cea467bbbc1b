"""Lets the tests of this folder import what they share."""

import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

MEMORY = Path("/dev/shm")


@pytest.fixture
def company(isolated_environment):
    """A founded company, in memory where there is such a place."""
    from company import Company, quick

    place = tempfile.mkdtemp(dir=MEMORY if os.access(MEMORY, os.W_OK) else None)
    with quick(Path(place)):
        founded = Company(base=Path(place) / "template")
        founded.found()
        yield founded
    shutil.rmtree(place)
