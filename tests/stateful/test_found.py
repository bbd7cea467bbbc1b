"""What the lives of `test_life.py` brought to light, each told once."""

from __future__ import annotations

from functools import partial

import yaml
from company import ROUTE
from desk import configure, declare
from stand_ins import METRIC


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


def test_who_wrote_the_thresholds_does_not_approve_by_writing_the_release_as_well(company):
    """Four eyes were only asked before a promotion: a release file, merged or written, needed one pair."""
    declared(company, approval=[{"by": "risk"}])

    def loosen(files):
        files["mlops.yaml"]["models"]["churn"]["thresholds"] = {METRIC: {"max": 6}}

    company.edit(loosen, "a looser threshold", who="joan")
    pull(company, "a")
    company.reconcile("a")
    pull(company, "desk")
    approval = {"model": "churn", "version": 1, "environment": "production", "by": "joan", "decision": "approved"}
    text = yaml.safe_dump({**approval, "at": "2026-02-01T09:00:00Z"}, sort_keys=False)
    company.write("desk", "registry/churn/1/approvals/production/joan.yaml", text)
    company.write("desk", "environments/production/churn.yaml", "version: 1\n")
    with company.acting("joan"):
        company.git("desk", "add", "--all")
        company.git("desk", "commit", "--quiet", "--message", "Release it")
        company.git("desk", "push", "--quiet", "origin", "main")
    pull(company, "a")
    assert keys(company.plan("a")) == []
    assert [wait.reason for wait in company.plan("a").waits] == ["0 of 1 approvals by team risk"]
    company.decide("a", "grace", "approve", "churn", "production", version=1, because=None, reject=False, by=None)
    assert keys(company.plan("a")) == ["deploy:churn:production"]
