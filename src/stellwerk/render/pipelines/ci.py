"""Pull requests: what a change says, what it would do, and whether its code works on permitted data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stellwerk.render.pipeline import (
    Checkout,
    Fact,
    Fetch,
    Install,
    Job,
    Keep,
    Matrix,
    Pipeline,
    Right,
    Run,
    Triggers,
    When,
)
from stellwerk.render.pipelines.facts import MINUTES, TRAINING_MINUTES, Facts, entry

if TYPE_CHECKING:
    from stellwerk.model.declared import Environment

BASE = ("BASE", Fact.BASE)
CHECK = """\
mkdir -p checks
failed=0
for model in $MODELS; do
  stellwerk check "$model" "$ENVIRONMENT" --out "checks/$model.json" || failed=1
done
exit "$failed"
"""
RESULT = """\
case " $RESULTS " in
  *" failure "*|*" cancelled "*) echo "A job before this one failed."; exit 1 ;;
esac
"""


def integration(facts: Facts) -> Pipeline:
    """`ci.yml`."""
    development = facts.development
    plan = Job(
        id="plan",
        title="Plan",
        why="Reads declarations and git; runs no code of the pull request.",
        minutes=MINUTES,
        trusted=False,
        steps=(
            Checkout(),
            Install(),
            Run(name="Validate", command='stellwerk validate --format github --base "$BASE"', env=(BASE,)),
            Run(
                name="What has to be checked?",
                command='stellwerk jobs --base "$BASE" --format github',
                env=(BASE,),
                outputs=("check",),
            ),
            Run(name="Report", command='stellwerk report --base "$BASE" --summary', env=(BASE,), always=True),
            Run(name="Are the rendered files up to date?", command="stellwerk render --check"),
        ),
    )
    checks = () if development is None else (_check(facts, development),)
    before = ("plan", *(job.id for job in checks))
    report = Job(
        id="report",
        title="Report",
        why="Writes the comment on the pull request; runs no code of it.",
        needs=before,
        when=When.FINISHED,
        own_branches=True,
        rights=(Right.READ, Right.PULL_REQUESTS),
        minutes=MINUTES,
        steps=(
            *_reader(facts),
            *((Fetch(artifact="checks-", path="checks"),) if checks else ()),
            Run(
                name="Report",
                command='stellwerk report --base "$BASE" --checks checks --post "$PULL_REQUEST"',
                env=(BASE, ("PULL_REQUEST", Fact.PULL_REQUEST), ("GITHUB_TOKEN", Fact.TOKEN)),
            ),
        ),
    )
    result = Job(
        id="result",
        title="Result",
        why="The one job that a branch protection has to ask for.",
        needs=before,
        when=When.ALWAYS,
        rights=(),
        minutes=5,
        steps=(Run(name="Did everything pass?", command=RESULT, env=(("RESULTS", Fact.RESULTS),)),),
    )
    return Pipeline(
        name="ci",
        title="CI",
        about="Checks a pull request: its declarations, its plan, its code.",
        on=Triggers(pull_request=True),
        jobs=(plan, *checks, report, result),
    )


def _check(facts: Facts, development: Environment) -> Job:
    return Job(
        id="check",
        title="Check",
        why="Runs code of the pull request: no secrets, nothing may be written.",
        needs=("plan",),
        matrix=Matrix(job="plan", output="check"),
        runner=facts.runner(development),
        minutes=TRAINING_MINUTES,
        trusted=False,
        steps=(
            Checkout(),
            Install(),
            Run(
                name="Check on permitted data",
                command=CHECK,
                env=(("MODELS", entry("models")), ("ENVIRONMENT", development.name)),
            ),
            Keep(artifact="checks-", path="checks", entry="number"),
        ),
    )


def _reader(facts: Facts) -> tuple[Checkout | Install, ...]:
    """The pull request as data; where Stellwerk itself comes from a checkout, from that of the base."""
    if facts.workflows.install.method != "checkout":
        return Checkout(), Install()
    return Checkout(base=True), Install(), Checkout()
