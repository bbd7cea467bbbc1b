"""Anything may happen to a company, in any order."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from company import Company, quick
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from machine import Life

MEMORY = Path("/dev/shm")
LIVES = int(os.environ.get("STELLWERK_LIVES", "0"))  # asks for the long form: that many, each of another seed
ORDINARY = settings(
    max_examples=7,
    stateful_step_count=12,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate, Phase.shrink],
)
LONG = settings(
    ORDINARY,
    max_examples=max(LIVES, 1),
    stateful_step_count=int(os.environ.get("STELLWERK_STEPS", "40")),
    derandomize=False,
    phases=[Phase.generate],  # shrinking takes longer than reading; STELLWERK_LIVES=1 with --hypothesis-seed repeats
    print_blob=True,
)


@pytest.fixture
def company(isolated_environment):
    """A founded company, in memory where there is such a place."""
    place = tempfile.mkdtemp(dir=MEMORY if os.access(MEMORY, os.W_OK) else None)
    with quick(Path(place)):
        founded = Company(base=Path(place) / "template")
        founded.found()
        yield founded
    shutil.rmtree(place)


def test_whatever_happens_the_laws_hold(company, record_property):
    judged: list[int] = []

    class Lives(Life):
        template, folder = company, company.base.parent

        def teardown(self):
            super().teardown()
            judged.append(self.history.judged)

    run_state_machine_as_test(Lives, settings=LONG if LIVES else ORDINARY)
    record_property("releases and deployments judged", sum(judged))
    assert sum(judged) > 0
