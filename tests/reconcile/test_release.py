"""What happens to a release: hold, rollback, withdrawal, an edit by hand, a command that deploys."""

import json
import shutil

import pytest
import yaml

from stellwerk.errors import BlockedError, StellwerkError

PRODUCTION = "environments/production.yaml"
V1 = ("bias: 2.0", "bias: 1.0")


def test_a_hold_keeps_automation_away_until_it_is_ended(released):
    released.decide("hold", because="stock-taking", until=None, release=False)
    released.edit("mlops.yaml", *V1)
    released.reconcile()
    assert (released.running(), released.waits()) == (2, ["hold"])
    assert "stock-taking" in released.why("production")
    released.decide("hold", because="", until=None, release=True)
    released.reconcile()
    assert released.running() == 1


def test_a_hold_with_an_end_ends_by_itself(released):
    released.decide("hold", because="stock-taking", until="2026-03-01", release=False)
    released.edit("mlops.yaml", *V1)
    released.reconcile()
    assert released.waits() == ["hold"]
    released.now = "2026-03-01T00:00:00+00:00"
    released.reconcile()
    assert released.running() == 1


def test_a_hold_until_no_time_at_all_is_refused(released):
    with pytest.raises(StellwerkError, match="'tomorrow' is not a date or time"):
        released.decide("hold", because="x", until="tomorrow", release=False)


def test_a_rollback_needs_no_approval_and_works_in_a_freeze_with_the_remote_gone(released):
    bare = released.repo.remote()
    released.add(PRODUCTION, "approval: {by: risk}\nfreeze: {until: 2027-01-01, reason: the audit}\n")
    released.reconcile()
    shutil.rmtree(bare)
    decision = released.decide("rollback", because="orders dropped", version=None, until=None)
    assert decision.summary == "rollback: demand v2 → v1 in production"
    assert (decision.pushed, released.running()) == (False, 1)
    assert decision.then[0].startswith("deploy: demand v1 to production")
    release = yaml.safe_load(released.release())
    assert (release["version"], release["rollback"]["of"], release["hold"]["because"]) == (1, 2, "orders dropped")


def test_a_rollback_says_that_it_is_not_pushed(released):
    bare = released.repo.remote()
    released.reconcile()
    shutil.rmtree(bare)
    done = released.repo.stellwerk("rollback", "demand", "production", "--because", "orders dropped")
    assert done.returncode == 0
    assert "not pushed" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_automation_never_undoes_a_rollback(released):
    released.decide("rollback", because="orders dropped", version=None, until=None)
    assert (released.steps(), released.waits()) == ([], ["hold"])
    released.reconcile()
    assert released.running() == 1
    incident = yaml.safe_load(released.repo.read("registry/demand/incidents/0001.yaml"))
    assert (incident["kind"], incident["version"], incident["notify"]) == ("rollback", 2, "risk")
    released.decide("hold", because="", until=None, release=True)
    released.reconcile()
    assert released.running() == 2


def test_a_rollback_keeps_the_comments_of_the_release(released):
    path = "environments/production/demand.yaml"
    released.repo.gen({path: "# Ask Grace first.\nversion: 2 # since spring\n"}, commit="a comment")
    released.decide("rollback", because="orders dropped", version=None, until=None)
    text = released.release()
    assert text.startswith("# Ask Grace first.\nversion: 1 # since spring\n")


def test_a_rollback_to_a_version_that_does_not_exist_is_refused(released):
    with pytest.raises(StellwerkError, match="demand has no version 9") as refused:
        released.decide("rollback", because="x", version=9, until=None)
    assert refused.value.hint == "its versions: 1, 2"


def test_a_withdrawn_model_leaves_the_fallback_and_comes_back_by_hand(released):
    released.decide("withdraw", because="a bug in the prices")
    assert released.running() is None
    said = json.loads(released.repo.read("deployed/production/demand/withdrawn.json"))
    assert said["fallback"] == "last week's numbers"
    assert not (released.root / "deployed/production/demand/current").exists()
    assert (released.steps(), released.waits()) == ([], ["withdrawn"])
    released.reconcile()
    assert released.running() is None
    released.decide("promote", version=None)
    released.reconcile()
    assert released.running() == 2


def test_a_release_edited_to_an_unchecked_version_is_not_deployed(released):
    released.edit("mlops.yaml", "mae: {max: 5}", "mae: {max: 2.5}")
    released.edit("mlops.yaml", "bias: 2.0", "bias: 4.0")
    released.reconcile()
    assert released.running() == 2
    released.edit("environments/production/demand.yaml", "version: 2", "version: 3")
    outcome = released.reconcile()
    assert (outcome.done, released.running()) == ((), 2)
    assert "failed in regression: mean_absolute_error is" in released.why("production")


def test_a_release_of_a_version_that_was_never_judged_is_a_mistake_or_waits(released):
    released.repo.gen(
        {
            "registry/demand/2/verdicts/regression.yaml": None,
            "environments/production/demand.yaml": "version: 2\n",
            "registry/demand/deployments/production.yaml": None,
        },
        commit="take the evidence away",
    )
    assert "check:demand:regression" in released.steps()
    assert released.plan().steps[-1].condition


def test_a_command_deploys_and_its_outcome_is_recorded(released):
    script = (
        'mkdir -p served && printf "%s %s" "$STELLWERK_ACTION" "$STELLWERK_VERSION" > served/now\n'
        'cp "$STELLWERK_PACKAGE/package.json" served/ 2>/dev/null || true\n'
        'echo "told the cluster about v$STELLWERK_VERSION"\n'
    )
    released.repo.gen({"tools/deploy.sh": script}, commit="a deploy script")
    released.edit(
        PRODUCTION, "{target: local, path: deployed/production}", "{target: command, command: sh tools/deploy.sh}"
    )
    released.edit("mlops.yaml", *V1)
    released.reconcile()
    assert released.repo.read("served/now") == "deploy 1"
    deployment = yaml.safe_load(released.repo.read("registry/demand/deployments/production.yaml"))
    assert (deployment["target"], deployment["detail"]) == ("command", "told the cluster about v1")
    released.decide("withdraw", because="x")
    assert released.repo.read("served/now").split() == ["withdraw"]


def test_a_deploy_command_that_fails_leaves_the_record_and_is_tried_again(released):
    released.repo.gen({"tools/deploy.sh": "test -e ready || { echo 'no cluster'; exit 3; }\n"}, commit="a script")
    released.edit(
        PRODUCTION, "{target: local, path: deployed/production}", "{target: command, command: sh tools/deploy.sh}"
    )
    released.edit("mlops.yaml", *V1)
    ((key, message, hint),) = released.reconcile().problems
    assert key == "deploy:demand:production"
    assert "no cluster" in message
    assert hint
    assert released.running() == 2
    (released.root / "ready").touch()
    assert released.steps() == ["deploy:demand:production"]
    released.reconcile()
    assert released.running() == 1


def test_a_tightened_threshold_opens_an_incident_and_leaves_what_runs(released):
    released.edit("mlops.yaml", "mae: {max: 5}", "mae: {max: 1.5}")
    released.reconcile()
    assert released.running() == 2
    incident = yaml.safe_load(released.repo.read("registry/demand/incidents/0001.yaml"))
    assert (incident["kind"], incident["version"], incident["notify"]) == ("threshold-violated", 2, "risk")
    assert released.steps() == []
    assert "verdict" in released.waits()


def test_a_tightened_threshold_takes_the_release_back_where_that_is_declared(released):
    released.add(PRODUCTION, "on_violation: rollback\n")
    released.edit("mlops.yaml", "mae: {max: 5}", "mae: {max: 1.5}")
    for _ in range(2):  # what follows from the verdict is planned once the verdict is there
        assert released.reconcile().problems == ()
    assert released.running() == 1
    release = yaml.safe_load(released.release())
    assert (release["version"], release["rollback"]["of"]) == (1, 2)
    assert released.steps() == []


def test_a_rollback_that_nothing_good_is_left_for_is_said(released):
    released.add(PRODUCTION, "on_violation: rollback\n")
    released.edit("mlops.yaml", "mae: {max: 5}", "mae: {max: 0.1}")
    for _ in range(3):
        assert released.reconcile().problems == ()
    assert released.running() == 2
    assert released.steps() == []
    assert "verdict" in released.waits()


def test_with_no_earlier_version_a_rollback_points_to_withdrawal(released):
    released.decide("rollback", because="first", version=None, until=None)
    with pytest.raises(BlockedError, match="no version of demand before v1") as blocked:
        released.decide("rollback", because="again", version=None, until=None)
    assert "stellwerk withdraw" in blocked.value.hint
