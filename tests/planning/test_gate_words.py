"""What a gate says: enough to know what is wrong, short enough to read where many are listed."""

import pytest
from builders import environments, fails, fresh, model, plan, project, settle
from msgspec.structs import replace

from stellwerk.model.declared import DeployTarget
from stellwerk.model.records import CheckResult

FAILED = CheckResult(name="wape", passed=False, detail="too high")
PASSED = CheckResult(name="digest", passed=True)


def refused(*checks):
    """A project whose first version was refused by these checks, and that state."""
    declared = project(route=environments())
    observed = settle(declared, fresh(declared), fails("check:churn:integration")).observed
    facts = observed.models["churn"]
    (version,) = facts.versions.values()
    verdict = replace(version.verdicts["integration"], checks=checks)
    judged = replace(version, verdicts={**version.verdicts, "integration": verdict})
    changed = replace(facts, versions={version.record.number: judged})
    return declared, replace(observed, models={**observed.models, "churn": changed})


@pytest.mark.parametrize(
    ("failed", "words"),
    [
        (1, "wape: too high"),
        (2, "wape: too high; wape: too high"),
        (3, "wape: too high; wape: too high; and 1 more"),
        (8, "wape: too high; wape: too high; and 6 more"),
    ],
)
def test_a_wait_names_two_failed_checks_and_counts_the_others(failed, words):
    (wait,) = plan(*refused(PASSED, *[FAILED] * failed, PASSED)).waits
    assert wait.reason == f"failed: {words}"
    assert "registry/churn/1/verdicts/integration.yaml" in wait.unblock


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (DeployTarget(target="local", path="deployed/production"), "into deployed/production"),
        (DeployTarget(target="command", command="./deploy.sh"), "by its command"),
    ],
)
def test_a_deployment_says_where_it_goes(target, words):
    declared = project(model(), route=environments(production={"deploy": target}))
    (reason,) = (step.reason for step in plan(declared, fresh(declared)).steps if step.key.startswith("deploy:"))
    assert reason == words
