"""What people decide, and how the plan obeys: approvals, holds, rollbacks, withdrawals, freezes, soak times, modes."""

import pytest
from builders import (
    DAY,
    NOW,
    TRAINER,
    at_least,
    environments,
    fails,
    fresh,
    model,
    plan,
    project,
    settle,
    team,
    with_approval,
    with_code,
    with_data,
    with_release,
)
from msgspec.structs import replace

from stellwerk.model.actions import Check, Deploy, Promote, WaitKind
from stellwerk.model.declared import ApprovalRule, Freeze, Member, PromotionRule, Team, When
from stellwerk.model.records import Hold, Release, Rollback, Withdrawal
from stellwerk.planning.gates import time_text


def steps(planned):
    return [step.action for step in planned.steps]


def wait_kinds(planned):
    return [wait.kind for wait in planned.waits]


def released(observed, environment="production", name="churn"):
    release = observed.releases.get((environment, name))
    return release.version if release else None


def two_versions(**production):
    """v1 runs in production; v2 is born and has passed its checks, and may not go there because of `production`."""
    declared = project(route=environments())
    one = settle(declared, fresh(declared)).observed
    closed = project(route=environments(production={"promotion": (PromotionRule(mode="manual"),)}))
    two = settle(closed, with_code(one, "churn", "second")).observed
    return project(route=environments(production=production)), two


# approvals


def approving(*rules, teams=(), **changes):
    chosen = model(**changes) if changes else model()
    people = teams or (team("risk", "ada", "grace"),)
    return project(chosen, route=environments(production={"approval": rules}), teams=people)


def test_nothing_is_promoted_before_enough_people_of_the_team_approved():
    declared = approving(ApprovalRule(by="risk", count=2))
    waiting = settle(declared, fresh(declared))
    (wait,) = waiting.rest.waits
    assert wait.kind is WaitKind.APPROVAL
    assert wait.reason == "0 of 2 approvals by team risk"
    assert wait.unblock == "stellwerk approve churn production, by ada or grace"
    one = with_approval(waiting.observed, "production", "churn", "ada")
    (wait,) = plan(declared, one).waits
    assert wait.reason == "1 of 2 approvals by team risk (ada)"
    both = settle(declared, with_approval(one, "production", "churn", "grace"))
    assert released(both.observed) == 1
    assert both.rest.steps == both.rest.waits == ()


def test_an_approval_by_somebody_outside_the_team_does_not_count():
    declared = approving(ApprovalRule(by="risk"), teams=(team("risk", "ada"), team("sales", "bob")))
    observed = settle(declared, fresh(declared)).observed
    planned = plan(declared, with_approval(observed, "production", "churn", "bob"))
    assert wait_kinds(planned) == [WaitKind.APPROVAL]


def test_an_approval_speaks_of_one_version_in_one_environment():
    declared = approving(ApprovalRule(by="risk"))
    observed = settle(declared, fresh(declared)).observed
    elsewhere = with_approval(observed, "regression", "churn", "ada")
    assert wait_kinds(plan(declared, elsewhere)) == [WaitKind.APPROVAL]
    approved = settle(declared, with_approval(observed, "production", "churn", "ada")).observed
    second = settle(declared, with_code(approved, "churn", "second"))
    assert wait_kinds(second.rest) == [WaitKind.APPROVAL]
    assert released(second.observed) == 1


@pytest.mark.parametrize("four_eyes", [True, False])
def test_who_trained_it_may_not_approve_where_four_eyes_are_asked(four_eyes):
    robot = Member(name="robot", email="robot@example.com")
    people = Team(name="risk", members=(Member(name="ada", email="ada@example.com"), robot))
    declared = approving(ApprovalRule(by="risk", four_eyes=four_eyes), teams=(people,))
    observed = settle(declared, fresh(declared)).observed
    assert observed.models["churn"].versions[1].record.actor == TRAINER
    settled = settle(declared, with_approval(observed, "production", "churn", "robot"))
    if four_eyes:
        (wait,) = settled.rest.waits
        assert wait.unblock == "stellwerk approve churn production, by ada (robot may not: trained it)"
    else:
        assert released(settled.observed) == 1


def test_who_wrote_the_thresholds_may_not_approve_where_four_eyes_are_asked():
    declared = approving(ApprovalRule(by="risk"))
    observed = settle(declared, fresh(declared)).observed
    wrote = replace(observed, threshold_authors={"churn": ("Ada Lovelace <ada@example.com>",)})
    approved = with_approval(wrote, "production", "churn", "ada")
    (wait,) = plan(declared, approved).waits
    assert "ada may not: wrote the thresholds" in wait.unblock
    assert released(settle(declared, with_approval(approved, "production", "churn", "grace")).observed) == 1


def test_a_rejection_closes_the_gate_whoever_else_approved():
    declared = approving(ApprovalRule(by="risk"))
    observed = settle(declared, fresh(declared)).observed
    approved = with_approval(observed, "production", "churn", "ada")
    rejected = with_approval(approved, "production", "churn", "grace", decision="rejected")
    planned = plan(declared, rejected)
    assert planned.steps == ()
    assert wait_kinds(planned) == [WaitKind.REJECTED]
    assert planned.waits[0].reason == "grace rejected version 1"
    changed = with_approval(rejected, "production", "churn", "grace")
    assert released(settle(declared, changed).observed) == 1


@pytest.mark.parametrize(("risk", "asked"), [("high", True), ("low", False), (None, False)])
def test_an_approval_is_asked_only_for_the_risks_it_names(risk, asked):
    declared = approving(ApprovalRule(by="risk", when=When(risk=("high", "limited"))), risk=risk)
    assert (released(settle(declared, fresh(declared)).observed) is None) is asked


def test_an_approval_for_changes_lets_a_retraining_pass():
    declared = approving(ApprovalRule(by="risk", when=When(trigger=("change",))))
    first = settle(declared, fresh(declared))
    assert wait_kinds(first.rest) == [WaitKind.APPROVAL]
    one = settle(declared, with_approval(first.observed, "production", "churn", "ada")).observed
    retrained = settle(declared, with_data(one, "customers", "second"))
    assert released(retrained.observed) == 2
    changed = settle(declared, with_code(retrained.observed, "churn", "second"))
    assert wait_kinds(changed.rest) == [WaitKind.APPROVAL]


# promotion modes


def test_a_manual_environment_waits_for_a_hand_and_deploys_what_it_released():
    declared = project(route=environments(production={"promotion": (PromotionRule(mode="manual"),)}))
    waiting = settle(declared, fresh(declared))
    (wait,) = waiting.rest.waits
    assert (wait.kind, wait.unblock) == (WaitKind.MANUAL, "stellwerk promote churn production")
    by_hand = settle(declared, with_release(waiting.observed, "production", "churn", Release(version=1)))
    assert by_hand.done == ("deploy:churn:production",)
    assert by_hand.rest.waits == ()


def test_promotion_rules_hold_for_what_they_name_and_what_no_rule_names_is_promoted_by_hand():
    rules = (PromotionRule(mode="auto", when=When(trigger=("retrain",))),)
    declared = project(route=environments(production={"promotion": rules}))
    first = settle(declared, fresh(declared))
    assert wait_kinds(first.rest) == [WaitKind.MANUAL]
    one = settle(declared, with_release(first.observed, "production", "churn", Release(version=1))).observed
    assert released(settle(declared, with_data(one, "customers", "second")).observed) == 2


def test_a_pull_request_is_proposed_once_and_then_waits_until_somebody_merges_it():
    declared = project(route=environments(production={"promotion": (PromotionRule(mode="pull-request"),)}))
    proposed = settle(declared, fresh(declared))
    assert proposed.done[-1] == "promote:churn:production"
    assert proposed.observed.releases == {}
    assert proposed.observed.branches == {("production", "churn"): Release(version=1)}
    assert proposed.rest.steps == ()
    (wait,) = proposed.rest.waits
    assert (wait.kind, wait.unblock) == (WaitKind.PULL_REQUEST, "merge the branch stellwerk/promote/production/churn")
    merged = settle(declared, with_release(proposed.observed, "production", "churn", Release(version=1)))
    assert merged.done == ("deploy:churn:production",)
    assert merged.rest.steps == merged.rest.waits == ()


def test_an_open_pull_request_is_rebuilt_only_when_its_version_differs():
    declared = project(route=environments(production={"promotion": (PromotionRule(mode="pull-request"),)}))
    proposed = settle(declared, fresh(declared)).observed
    newer = settle(declared, with_code(proposed, "churn", "second"))
    assert newer.done == (
        "train:churn",
        "check:churn:integration",
        "check:churn:regression",
        "promote:churn:production",
    )
    assert newer.observed.branches["production", "churn"].version == 2


# soak and freeze


def test_a_version_soaks_its_time_after_the_environment_before():
    declared = project(route=environments(production={"soak": 2 * DAY}))
    first = settle(declared, fresh(declared))
    (wait,) = first.rest.waits
    assert wait.kind is WaitKind.SOAK
    assert wait.reason == "soaked 2 d after regression"
    assert wait.unblock == "wait until 2027-01-17 08:00 UTC"
    assert plan(declared, first.observed, now=NOW + 2 * DAY - 1).steps == ()
    assert released(settle(declared, first.observed, now=NOW + 2 * DAY).observed) == 1


def test_a_soak_counts_from_the_deployment_where_the_environment_before_deploys():
    route = environments("integration", "production", deploy=("integration", "production"), production={"soak": DAY})
    declared = project(route=route)
    late = settle(declared, fresh(declared), fails("deploy"))
    assert wait_kinds(late.rest) == [WaitKind.SOAK]
    deployed = settle(declared, late.observed, now=NOW + DAY)
    assert released(deployed.observed) is None
    assert released(settle(declared, deployed.observed, now=NOW + 2 * DAY).observed) == 1


def test_a_freeze_stops_promotions_until_it_ends_and_checks_go_on():
    freeze = Freeze(until=time_text(NOW + DAY), reason="season")
    declared = project(route=environments(production={"freeze": freeze}))
    frozen = settle(declared, fresh(declared))
    assert "check:churn:regression" in frozen.done
    assert wait_kinds(frozen.rest) == [WaitKind.FREEZE]
    assert "season" in frozen.rest.waits[0].reason
    assert released(settle(declared, frozen.observed, now=NOW + DAY).observed) == 1


def test_a_date_freezes_until_its_first_moment():
    declared = project(route=environments(production={"freeze": Freeze(until="2027-01-16", reason="season")}))
    frozen = settle(declared, fresh(declared))
    midnight = 1_800_057_600.0
    assert plan(declared, frozen.observed, now=midnight - 1).steps == ()
    assert steps(plan(declared, frozen.observed, now=midnight)) != []


# hold, rollback, withdrawal


def test_a_hold_blocks_promotion_but_not_checks_and_an_expired_one_does_not():
    declared, two = two_versions()
    for until, free in ((None, False), (time_text(NOW + 1), False), (time_text(NOW), True)):
        held = Release(version=1, hold=Hold(because="audit", by="ada", until=until))
        settled = settle(declared, with_release(two, "production", "churn", held))
        assert (released(settled.observed) == 2) is free
        assert (settled.rest.waits == ()) is free
    third = settle(
        declared, with_release(with_code(two, "churn", "third"), "production", "churn", replace(held, hold=_held()))
    )
    assert third.done == ("train:churn", "check:churn:integration", "check:churn:regression")
    (wait,) = third.rest.waits
    assert wait.reason == "held at version 1 by ada: audit"
    assert wait.unblock == "stellwerk hold churn production --end"


def _held():
    return Hold(because="audit", by="ada")


def test_a_rollback_is_deployed_without_approval_and_during_a_freeze_and_stays():
    declared = project(route=environments())
    one = settle(declared, fresh(declared)).observed
    two = settle(declared, with_code(one, "churn", "second")).observed
    strict = project(
        route=environments(
            production={
                "freeze": Freeze(until=time_text(NOW + DAY), reason="season"),
                "approval": (ApprovalRule(by="risk"),),
                "soak": DAY * 30,
            }
        ),
        teams=(team("risk", "ada"),),
    )
    back = Release(version=1, rollback=Rollback(of=2, because="complaints", by="ada"), hold=_held())
    settled = settle(strict, with_release(two, "production", "churn", back))
    assert settled.done == ("deploy:churn:production",)
    assert settled.observed.models["churn"].deployments["production"].version == 1
    assert released(settle(declared, settled.observed).observed) == 1
    assert settled.rest.steps == ()


def test_calling_a_newer_version_a_rollback_or_holding_it_opens_no_gate():
    """A release file alone is no permission, whatever a person writes into it."""
    asks = {"approval": (ApprovalRule(by="risk"),)}
    declared = project(route=environments())
    one = settle(declared, fresh(declared)).observed
    strict = project(route=environments(production=asks), teams=(team("risk", "ada"),))
    two = settle(strict, with_code(one, "churn", "second")).observed
    for release in (
        Release(version=2, hold=_held()),
        Release(version=2, rollback=Rollback(of=1, because="x", by="eve"), hold=_held()),
        Release(version=2, rollback=Rollback(of=9, because="x", by="eve"), hold=_held()),
    ):
        planned = plan(strict, with_release(two, "production", "churn", release))
        assert not [action for action in steps(planned) if isinstance(action, Deploy)]
        assert WaitKind.RELEASE in wait_kinds(planned)


def test_a_rollback_to_a_version_that_never_passed_is_not_deployed():
    declared = project(route=environments(deploy=("integration", "production")))
    one = settle(declared, fresh(declared), fails("check:churn:regression")).observed
    two = settle(declared, with_code(one, "churn", "second")).observed
    assert two.models["churn"].deployments["integration"].version == 2
    back = Release(version=1, rollback=Rollback(of=2, because="x", by="ada"), hold=_held())
    planned = plan(declared, with_release(two, "production", "churn", back))
    assert not [action for action in steps(planned) if isinstance(action, Deploy)]
    assert "version 1 once passed its checks" in [wait.reason for wait in planned.waits]


def test_a_withdrawal_deploys_the_fallback_and_then_waits_for_a_person():
    declared, two = two_versions()
    withdrawn = Release(version=1, withdrawn=Withdrawal(because="wrong", by="ada"))
    settled = settle(declared, with_release(two, "production", "churn", withdrawn))
    assert settled.done == ("deploy:churn:production",)
    assert settled.first.steps[-1].action == Deploy(
        model="churn", environment="production", version=None, previous=1, withdraw=True
    )
    assert settled.observed.models["churn"].deployments["production"].version is None
    assert settled.rest.steps == ()
    (wait,) = settled.rest.waits
    assert (wait.kind, wait.reason) == (WaitKind.WITHDRAWN, "withdrawn by ada: wrong")


def test_a_withdrawal_works_during_a_freeze_and_while_the_route_is_blocked():
    freeze = Freeze(until=time_text(NOW + DAY), reason="season")
    declared, two = two_versions(freeze=freeze)
    tight = replace(declared, models=(model(thresholds=(at_least(0.9),)),))
    blocked = settle(tight, two, fails("check:churn:regression")).observed
    withdrawn = Release(version=1, withdrawn=Withdrawal(because="wrong", by="ada"))
    planned = plan(tight, with_release(blocked, "production", "churn", withdrawn))
    assert [action.withdraw for action in steps(planned) if isinstance(action, Deploy)] == [True]


# release files


def test_a_release_of_a_version_that_failed_is_not_deployed_and_says_why():
    declared, two = two_versions()
    tight = replace(declared, models=(model(thresholds=(at_least(0.9),)),))
    failed = settle(tight, two, fails("check:churn:regression")).observed
    planned = plan(tight, with_release(failed, "production", "churn", Release(version=2)))
    assert not [action for action in steps(planned) if isinstance(action, Deploy | Promote)]
    reasons = [wait.reason for wait in planned.waits if wait.kind is WaitKind.RELEASE]
    assert reasons == ["failed in regression: accuracy: 0.5 is below 0.8"]


def test_a_release_of_a_version_that_was_not_checked_is_deployed_only_after_its_checks():
    declared = project(route=environments())
    observed = settle(declared, fresh(declared), fails("check:churn:integration")).observed
    unchecked = with_release(observed, "production", "churn", Release(version=1))
    assert steps(plan(declared, unchecked)) == []
    assert WaitKind.RELEASE in wait_kinds(plan(declared, unchecked))
    born = settle(project(), fresh(project())).observed
    planned = plan(declared, with_release(born, "production", "churn", Release(version=1)))
    assert planned.steps[-1].action == Deploy(model="churn", environment="production", version=1)
    assert planned.steps[-1].needs == tuple(
        f"check:churn:{name}" for name in ("development", "integration", "regression")
    )


def test_a_release_of_a_version_that_does_not_exist_waits():
    declared, two = two_versions(promotion=(PromotionRule(mode="manual"),))
    planned = plan(declared, with_release(two, "production", "churn", Release(version=9)))
    assert ("version 9 exists", "set the release to a registered version") in [
        (wait.reason, wait.unblock) for wait in planned.waits
    ]


def test_a_blocked_release_upstream_lets_nothing_pass_downstream():
    """The next environment asks that the version runs before it; without a deployment planned that cannot come true."""
    asks = {"approval": (ApprovalRule(by="risk"),)}
    route = environments(deploy=("integration", "production"), integration=asks)
    declared = project(route=route, teams=(team("risk", "ada"),))
    waiting = settle(declared, fresh(declared))
    assert released(waiting.observed, "integration") is None
    by_hand = with_release(waiting.observed, "integration", "churn", Release(version=1))
    settled = settle(declared, by_hand)
    assert settled.done == ()
    assert released(settled.observed) is None
    assert wait_kinds(settled.rest) == [WaitKind.RELEASE]


def test_what_runs_of_another_package_is_deployed_again():
    declared = project(route=environments())
    observed = settle(declared, fresh(declared)).observed
    facts = observed.models["churn"]
    other = replace(facts.deployments["production"], package="f" * 64)
    drifted = replace(observed, models={"churn": replace(facts, deployments={"production": other})})
    assert steps(plan(declared, drifted)) == [Deploy(model="churn", environment="production", version=1, previous=1)]


def test_every_wait_says_what_would_meet_it():
    declared = approving(ApprovalRule(by="risk"), ApprovalRule(by="nobody"))
    settled = settle(declared, fresh(declared))
    assert [(bool(wait.reason), bool(wait.unblock)) for wait in settled.rest.waits] == [(True, True)] * 2
    assert not [action for action in steps(settled.rest) if isinstance(action, Check)]
