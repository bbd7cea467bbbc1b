"""What the lives of `test_life.py` brought to light, each told once."""

from __future__ import annotations

from functools import partial

from company import ROUTE
from machine import configure, declare


def declared(company, count=4, **production):
    """A model with a threshold on the first environments of the route."""

    def change(files):
        for name in list(ROUTE)[:count]:
            files[f"environments/{name}.yaml"] = dict(ROUTE[name])
        files["environments/production.yaml"] |= production
        declare(files, "churn", 4)

    assert company.edit(change, "begin")


def tuned(company, bias):
    def change(files):
        files["mlops.yaml"]["models"]["churn"]["train"]["params"] = {"bias": bias}

    assert company.edit(change, f"bias {bias}")


def pull(company, clone):
    with company.acting("ada"):
        company.git(clone, "pull", "--quiet", "--ff-only", "--prune")


def keys(plan):
    return [step.key for step in plan.steps]


def test_a_fetch_by_hand_does_not_make_an_old_proposal_look_new(company):
    """Each machine's own branch of a proposal stayed behind, and was then taken for one that nobody else knows."""
    declared(company, promotion="pull-request")
    company.reconcile("a")
    tuned(company, 2)
    pull(company, "b")
    company.reconcile("b")
    proposed = company.git("origin.git", "rev-parse", "stellwerk/promote/production/churn")
    pull(company, "a")
    assert company.plan_text("a") == company.plan_text("b")
    assert company.reconcile("a").done == ()
    assert company.git("origin.git", "rev-parse", "stellwerk/promote/production/churn") == proposed


def test_a_closed_proposal_does_not_come_back_from_a_clone_that_once_made_it(company):
    declared(company, promotion="pull-request")
    company.reconcile("a")
    company.edit(partial(configure, name="production", key="promotion", value="manual"), "by hand")
    company.git("origin.git", "update-ref", "-d", "refs/heads/stellwerk/promote/production/churn")
    pull(company, "a")
    assert keys(company.plan("a")) == []
    company.reconcile("a")
    assert "promote" not in company.git("origin.git", "for-each-ref")
