"""Anything may happen to a company, in any order."""

from __future__ import annotations

import os
from collections import Counter

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from machine import Life

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


def test_whatever_happens_the_laws_hold(company, record_property):
    tally: Counter[str] = Counter()

    class Lives(Life):
        template, folder = company, company.base.parent

        def teardown(self):
            super().teardown()
            tally.update(self.tally, lives=1, rules=self.asked, judged=self.history.judged)

    run_state_machine_as_test(Lives, settings=LONG if LIVES else ORDINARY)
    record_property("happened", dict(tally))
    assert tally["judged"] > 0
