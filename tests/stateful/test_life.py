"""Anything may happen to a company, in any order."""

from __future__ import annotations

import os
from collections import Counter

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from machine import Life

LIVES = int(os.environ.get("STELLWERK_LIVES", "0"))  # asks for the long form: that many, each of another seed
ORDINARY = settings(
    max_examples=4,
    stateful_step_count=10,
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


STORIES = {
    "a rollout with accidents": (
        ("begin", {"ref": False, "depth": 4, "limit": 2}),
        ("reconcile", {"clone": "a"}),
        ("tune", {"name": "churn", "bias": 2}),
        ("kill", {"clone": "a", "effect": 12}),
        ("race", {"loser": "b", "at": 4, "what": "reconcile"}),
        ("revert", {}),
        ("kill", {"clone": "b", "effect": 3}),
        ("reconcile", {"clone": "a"}),
        ("snapshot", {"clone": "b", "data": "sales", "hard": 1, "who": "ada"}),
        ("kill", {"clone": "b", "effect": 30}),
        ("withdraw", {"clone": "a", "who": "grace", "name": "churn", "where": "production"}),
        ("reconcile", {"clone": "b"}),
        ("targets", {"down": True}),
        ("promote", {"clone": "a", "who": "grace", "name": "churn", "where": "production", "version": None}),
        ("reconcile", {"clone": "a"}),
        ("forget", {"name": "churn"}),
        ("reconcile", {"clone": "b"}),
        ("targets", {"down": False}),
        ("reconcile", {"clone": "b"}),
        ("declare_model", {"name": "churn", "limit": 4}),
        ("race", {"loser": "a", "at": 2, "what": "twice"}),
    ),
    "records on a ref of their own": (
        ("begin", {"ref": True, "depth": 5, "limit": 4}),
        ("promote_by", {"name": "europe", "mode": "pull-request"}),
        ("soak", {"name": "europe", "hours": 24}),
        ("on_violation", {"name": "production", "what": "rollback"}),
        ("reconcile", {"clone": "a"}),
        ("pass_time", {"seconds": 86400}),
        ("reconcile", {"clone": "b"}),
        ("merge_promotion", {"how": "squash", "where": "europe", "name": "churn"}),
        ("tune", {"name": "churn", "bias": 3}),
        ("race", {"loser": "a", "at": 7, "what": "tune"}),
        ("judge", {"name": "churn", "limit": 1, "worse": None, "who": "ada"}),
        ("kill", {"clone": "a", "effect": 9}),
        ("race", {"loser": "b", "at": 3, "what": "reconcile"}),
        ("rename", {"old": "churn", "new": "credit"}),
        ("kill", {"clone": "b", "effect": 5}),
        ("pass_time", {"seconds": -31536000}),
        ("reconcile", {"clone": "a"}),
        ("lose_cache", {"clone": "a", "what": "damage"}),
        ("program", {"name": "credit", "quality": 1, "more": "raise ValueError\n"}),
        ("reconcile", {"clone": "b"}),
        ("try_again", {"clone": "a", "name": "credit"}),
        ("revert", {}),
        ("reconcile", {"clone": "a"}),
    ),
}


@pytest.mark.parametrize("story", STORIES)
def test_a_life_that_was_thought_out_holds_the_laws_as_well(company, story):
    """Chance seldom goes this far: each of these has nearly everything in it."""

    class Told(Life):
        template, folder = company, company.base.parent

    life = Told()
    for rule, arguments in STORIES[story]:
        getattr(life, rule)(**arguments)
        life.history_is_kept()
        life.a_plan_is_a_fact()
    life.teardown()
    assert life.history.judged > 3
    assert life.tally["killed"] + life.tally["lost pushes"] > 0
