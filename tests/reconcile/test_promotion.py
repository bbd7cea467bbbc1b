"""How a version gets into an environment: by itself, by a branch, by hand, by approvals."""

import pytest
import yaml
from projects import Project

from stellwerk.errors import BlockedError, StellwerkError

PRODUCTION = "environments/production.yaml"
BRANCH = "refs/heads/stellwerk/promote/production/demand"
V1, V2 = ("bias: 2.0", "bias: 1.0"), ("bias: 1.0", "bias: 2.0")


def test_a_reverted_change_brings_the_old_version_back_without_a_training(released):
    released.edit("mlops.yaml", *V1)
    assert released.steps() == [
        "render:models/demand/params.yaml",
        "promote:demand:production",
        "deploy:demand:production",
    ]
    released.reconcile()
    assert (released.running(), len(released.trainings()), released.steps()) == (1, 2, [])


def test_a_pull_request_is_made_once_and_deployed_when_it_is_merged(released):
    released.add(PRODUCTION, "promotion: pull-request\n")
    released.edit("mlops.yaml", *V1)
    outcome = released.reconcile()
    assert outcome.done[-1].summary.endswith("proposed on branch stellwerk/promote/production/demand")
    assert released.waits() == ["pull-request"]
    proposed = released.repo.git("rev-parse", BRANCH)
    assert released.repo.git("rev-parse", f"{BRANCH}~1") == released.repo.head()
    assert released.running() == 2

    released.repo.gen({"notes.txt": "unrelated"}, commit="unrelated")
    assert released.reconcile().done == ()
    assert released.repo.git("rev-parse", BRANCH) == proposed

    released.repo.git("merge", "--quiet", "--no-edit", BRANCH)
    assert released.steps() == ["deploy:demand:production"]
    assert released.reconcile().problems == ()
    assert (released.running(), released.steps(), released.waits()) == (1, [], [])


def test_a_pull_request_is_rebuilt_when_another_version_is_wanted(released):
    released.add(PRODUCTION, "promotion: pull-request\n")
    released.edit("mlops.yaml", *V1)
    released.reconcile()
    assert yaml.safe_load(released.repo.git("show", f"{BRANCH}:environments/production/demand.yaml")) == {"version": 1}
    released.edit("mlops.yaml", "bias: 1.0", "bias: 3.0")
    released.reconcile()
    assert yaml.safe_load(released.repo.git("show", f"{BRANCH}:environments/production/demand.yaml")) == {"version": 3}
    assert released.repo.git("rev-parse", f"{BRANCH}~1") == released.repo.head()
    assert released.waits() == ["pull-request"]


def test_a_merged_pull_request_whose_gates_closed_meanwhile_is_not_deployed(released):
    released.add(PRODUCTION, "promotion: pull-request\n")
    released.edit("mlops.yaml", *V1)
    released.reconcile()
    released.add(PRODUCTION, "freeze: {until: 2026-12-31, reason: the audit}\n")
    released.repo.git("merge", "--quiet", "--no-edit", BRANCH)
    assert released.reconcile().done == ()
    assert released.running() == 2
    assert "the audit" in released.why("production")


def test_a_pull_request_reaches_the_remote(released):
    released.repo.remote()
    released.add(PRODUCTION, "promotion: pull-request\n")
    released.edit("mlops.yaml", *V1)
    outcome = released.reconcile()
    assert outcome.pushed == "main, stellwerk/promote/production/demand to origin"
    assert BRANCH.removeprefix("refs/heads/") in released.repo.git("ls-remote", "origin")
    assert released.reconcile().pushed == ""


def test_a_manual_promotion_waits_for_its_command(released):
    released.add(PRODUCTION, "promotion: manual\n")
    released.edit("mlops.yaml", *V1)
    released.reconcile()
    assert (released.running(), released.waits()) == (2, ["manual"])
    decision = released.decide("promote", version=None)
    assert decision.summary == "promote: demand v1 to production"
    released.reconcile()
    assert (released.running(), released.steps()) == (1, [])


def test_a_promotion_by_hand_still_asks_every_other_gate(released):
    released.add(PRODUCTION, "approval: {by: risk}\n")
    released.edit("mlops.yaml", *V1)
    released.reconcile()
    with pytest.raises(BlockedError, match="0 of 1 approvals by team risk") as blocked:
        released.decide("promote", version=None)
    assert "stellwerk approve demand production" in blocked.value.hint
    assert released.running() == 2


def test_the_first_condition_that_matches_decides_how_a_version_is_promoted(released):
    rules = "promotion:\n  - {mode: manual, when: {risk: [high], trigger: [change]}}\n  - {mode: auto}\n"
    released.add(PRODUCTION, rules)
    released.edit("mlops.yaml", *V1)
    released.reconcile()
    assert released.waits() == ["manual"]
    released.edit("mlops.yaml", "risk: high", "risk: low")
    assert released.reconcile().done[-1].step.key == "deploy:demand:production"
    assert released.running() == 1


def test_an_approval_is_asked_only_where_its_condition_holds(released):
    released.add(PRODUCTION, "approval: [{by: risk, when: {risk: [high]}}]\n")
    released.edit("mlops.yaml", *V1)
    released.reconcile()
    assert (released.running(), released.waits()) == (2, ["approval"])
    released.edit("mlops.yaml", "risk: high", "risk: limited")
    released.reconcile()
    assert (released.running(), released.waits()) == (1, [])


def test_nobody_approves_what_they_trained(released, monkeypatch):
    released.add(PRODUCTION, "approval: {by: science}\n")
    released.edit("mlops.yaml", *V1)
    released.reconcile()
    released.as_person(monkeypatch, "ada")
    with pytest.raises(BlockedError, match="ada may not approve demand v1"):
        released.decide("approve", version=None, because=None, reject=False, by=None)
    assert released.waits() == ["approval"]


def test_nobody_approves_against_thresholds_they_edited(released, monkeypatch):
    released.add(PRODUCTION, "approval: {by: risk}\n")
    released.edit("mlops.yaml", "mae: {max: 5}", "mae: {max: 6}", author="grace <grace@example.com>")
    released.edit("mlops.yaml", *V1)
    released.reconcile()
    released.as_person(monkeypatch, "grace")
    with pytest.raises(BlockedError, match="grace wrote the thresholds"):
        released.decide("approve", version=None, because=None, reject=False, by=None)
    released.as_person(monkeypatch, "joan")
    released.decide("approve", version=None, because="the report is fine", reject=False, by=None)
    released.reconcile()
    assert released.running() == 1
    approval = yaml.safe_load(released.repo.read("registry/demand/1/approvals/production/joan.yaml"))
    assert (approval["decision"], approval["because"]) == ("approved", "the report is fine")


def test_a_stranger_may_not_approve(released, monkeypatch):
    released.add(PRODUCTION, "approval: {by: risk}\n")
    released.edit("mlops.yaml", *V1)
    released.reconcile()
    released.as_person(monkeypatch, "mallory")
    with pytest.raises(StellwerkError, match="is not a member of a team that approves for production") as refused:
        released.decide("approve", version=None, because=None, reject=False, by=None)
    assert "grace, joan" in refused.value.hint


def test_a_rejection_stands_until_its_author_decides_anew(released, monkeypatch):
    released.add(PRODUCTION, "approval: {by: risk}\n")
    released.edit("mlops.yaml", *V1)
    released.reconcile()
    released.as_person(monkeypatch, "joan")
    released.decide("approve", version=None, because="the numbers look odd", reject=True, by=None)
    released.as_person(monkeypatch, "grace")
    released.decide("approve", version=None, because=None, reject=False, by=None)
    released.reconcile()
    assert released.running() == 2
    assert released.waits() == ["rejected"]
    assert "joan rejected version 1: the numbers look odd" in released.why("production")
    released.as_person(monkeypatch, "joan")
    released.decide("approve", version=None, because="they are right", reject=False, by=None)
    released.reconcile()
    assert released.running() == 1


def test_a_soak_time_is_waited_for_after_the_environment_before(released):
    released.add(PRODUCTION, "soak: 2d\n")
    released.edit("mlops.yaml", "bias: 2.0", "bias: 3.0")
    released.reconcile()
    assert (released.running(), released.waits()) == (2, ["soak"])
    released.now = "2026-02-03T08:59:59+00:00"
    assert released.steps() == []
    released.now = "2026-02-03T09:00:00+00:00"
    released.reconcile()
    assert released.running() == 3


def test_a_freeze_stops_promotions_and_ends_by_itself(released):
    released.add(PRODUCTION, "freeze: {until: 2026-02-10, reason: the audit}\n")
    released.edit("mlops.yaml", *V1)
    released.reconcile()
    assert (released.running(), released.waits()) == (2, ["freeze"])
    released.now = "2026-02-10T00:00:00+00:00"
    released.reconcile()
    assert released.running() == 1


def test_two_environments_with_deploy_are_passed_one_after_the_other(released):
    released.add("environments/integration.yaml", "deploy: {target: local, path: deployed/integration}\n")
    released.edit("mlops.yaml", *V1)
    plan = released.steps()
    assert [key for key in plan if key.startswith(("promote", "deploy"))] == [
        "promote:demand:integration",
        "deploy:demand:integration",
        "promote:demand:production",
        "deploy:demand:production",
    ]
    done = [item.step.key for item in released.reconcile().done]
    assert done == plan
    assert (released.running("integration"), released.running()) == (1, 1)


def test_what_fails_to_run_in_one_environment_does_not_reach_the_next(released):
    released.add("environments/integration.yaml", "deploy: {target: command, command: exit 7}\n")
    released.edit("mlops.yaml", *V1)
    outcome = released.reconcile()
    ((key, message, _),) = outcome.problems
    assert key == "deploy:demand:integration"
    assert "integration" in message
    assert released.running() == 2
    assert "runs in integration" in released.why("production")


def test_a_fresh_clone_sees_the_proposal_and_makes_none(released):
    released.repo.remote()
    released.add(PRODUCTION, "promotion: pull-request\n")
    released.edit("mlops.yaml", *V1)
    released.reconcile()
    other = Project(released.repo.clone())
    assert (other.steps(), other.waits()) == ([], ["pull-request"])
    assert other.reconcile().done == ()
    assert other.repo.git("ls-remote", "origin") == released.repo.git("ls-remote", "origin")


def test_a_branch_deleted_after_its_merge_is_not_pushed_again(released):
    released.repo.remote()
    released.add(PRODUCTION, "promotion: pull-request\n")
    released.edit("mlops.yaml", *V1)
    released.reconcile()
    forge = released.repo.clone()
    forge.git("merge", "--quiet", "--squash", "origin/stellwerk/promote/production/demand")
    forge.gen({}, commit="Promote (#1)")
    forge.git("push", "--quiet", "origin", "main", ":stellwerk/promote/production/demand")
    assert released.reconcile().problems == ()
    assert released.running() == 1
    assert "promote" not in released.repo.git("ls-remote", "origin")
    assert released.repo.git("for-each-ref", "refs/heads/stellwerk") == ""


def test_a_proposal_that_was_merged_long_ago_does_not_stand_for_a_new_one(released):
    released.add(PRODUCTION, "promotion: pull-request\n")
    released.edit("mlops.yaml", *V1)
    released.reconcile()
    released.repo.git("merge", "--quiet", "--no-edit", BRANCH)
    released.edit(PRODUCTION, "promotion: pull-request", "promotion: auto")
    released.edit("mlops.yaml", *V2)
    released.reconcile()
    assert released.running() == 2
    released.edit(PRODUCTION, "promotion: auto", "promotion: pull-request")
    released.edit("mlops.yaml", *V1)
    assert "promote:demand:production" in released.steps()
    released.reconcile()
    assert released.waits() == ["pull-request"]
    assert released.repo.git("rev-parse", f"{BRANCH}~1") == released.repo.head()
